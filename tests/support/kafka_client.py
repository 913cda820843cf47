"""What a test asks of Kafka as a consumer and as an operator: make topics, write, read everything, look."""

import asyncio
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from json import dumps
from pathlib import Path
from ssl import SSLContext
from typing import Any, TypeVar

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.abc import AbstractTokenProvider
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.helpers import create_ssl_context
from aiokafka.protocol.admin import CreateAclsRequest

from tests.support.certs import Identity

T = TypeVar("T")
DESCRIBE = 8
"""AclOperation.DESCRIBE."""
_TOPIC, _LITERAL, _ALLOW = 2, 3, 3


@dataclass(frozen=True, slots=True)
class Consumed:
    """A record as Kafka gave it back."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]
    timestamp: int


class UnsignedToken(AbstractTokenProvider):  # type: ignore[misc]
    """An OAuth token that nobody signed; Kafka's default validator takes it."""

    def __init__(self, subject: str, *, expires_at: float, issued_at: float) -> None:
        head = {"alg": "none"}
        claims = {"sub": subject, "iat": issued_at, "exp": expires_at}
        parts = [urlsafe_b64encode(dumps(part).encode()).rstrip(b"=").decode() for part in (head, claims)]
        self._token = f"{parts[0]}.{parts[1]}."

    async def token(self) -> str:
        return self._token


def tls_context(ca: Path, identity: Identity | None = None) -> SSLContext:
    context: SSLContext = create_ssl_context(
        cafile=str(ca),
        certfile=None if identity is None else str(identity.certificate),
        keyfile=None if identity is None else str(identity.key),
    )
    return context


@dataclass(frozen=True)
class KafkaClient:
    """Each method connects, does one thing and leaves; not to be called on a running event loop.

    security: what aiokafka's clients take, such as security_protocol, ssl_context, sasl_mechanism.
    """

    bootstrap: str
    security: Mapping[str, Any] = field(default_factory=dict)

    def create_topic(
        self, name: str, partitions: int = 1, configs: Mapping[str, str] | None = None, *, replicas: int = 1
    ) -> None:
        async def create(admin: Any) -> None:
            topic = NewTopic(name, partitions, replicas, topic_configs=dict(configs or {}))
            answer = await admin.create_topics([topic])
            for _, code, *message in answer.topic_errors:
                if code:
                    raise AssertionError(f"topic {name} was not created: error {code} {message}")

        self._administer(create)

    def raise_partitions(self, name: str, total: int) -> None:
        async def add(admin: Any) -> None:
            answer = await admin.create_partitions({name: NewPartitions(total)})
            for topic, code, *message in answer.topic_errors:
                assert not code, f"topic {topic} has no {total} partitions: error {code} {message}"

        self._administer(add)

    def delete_topic(self, name: str) -> None:
        async def delete(admin: Any) -> None:
            await admin.delete_topics([name])

        self._administer(delete)

    def allow(self, principal: str, topic: str, operation: int) -> None:
        """Let a principal do one thing with one topic, from any host; operation: a code of Kafka's AclOperation."""

        async def add(admin: Any) -> None:
            request = CreateAclsRequest(_TOPIC, topic, _LITERAL, principal, "*", operation, _ALLOW)
            answer = await admin._send_request(request)
            for code, message in answer.creation_responses:
                assert not code, f"Kafka added no right: error {code} {message}"

        self._administer(add)

    def topics(self) -> list[str]:
        async def listed(admin: Any) -> list[str]:
            return sorted(await admin.list_topics())

        return self._administer(listed)

    def partitions(self, topic: str) -> int:
        async def count(admin: Any) -> int:
            return len(await _partitions(admin, topic))

        return self._administer(count)

    def leaders(self, topic: str) -> dict[int, int]:
        """Map each partition to the node that leads it; -1 while none does."""

        async def lead(admin: Any) -> dict[int, int]:
            return {each["partition"]: each["leader"] for each in await _described(admin, topic)}

        return self._administer(lead)

    def configs(self, topic: str) -> dict[str, str]:
        async def describe(admin: Any) -> dict[str, str]:
            answers = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)])
            return {entry[0]: entry[1] for answer in answers for entry in answer.resources[0][4]}

        return self._administer(describe)

    def produce(self, topic: str, records: Iterable[tuple[bytes | None, bytes]]) -> None:
        async def send() -> None:
            producer = AIOKafkaProducer(bootstrap_servers=self.bootstrap, acks="all", **self.security)
            await producer.start()
            try:
                await asyncio.gather(*[await producer.send(topic, value, key=key) for key, value in records])
            finally:
                await producer.stop()

        _run(send())

    def consume_all(self, *topics: str, timeout: float = 180.0) -> list[Consumed]:
        """Read every partition of the topics up to the ends of this moment, each partition in its order."""
        records: list[Consumed] = []
        self.for_each(topics, records.append, timeout=timeout)
        return records

    def for_each(self, topics: Sequence[str], handle: Callable[[Consumed], None], timeout: float = 180.0) -> None:
        """Hand on every record without keeping it: for topics that do not fit a list."""

        async def read() -> None:
            async with self._consumer(topics) as (consumer, ends), asyncio.timeout(timeout):
                await _read_to(ends, consumer, handle)

        _run(read())

    def wait_for(self, count: int, *topics: str, timeout: float = 90.0) -> list[Consumed]:
        """Read until there are that many records or the time is over; the caller judges what came."""

        async def read() -> list[Consumed]:
            loop = asyncio.get_running_loop()
            deadline = loop.time() + timeout
            async with self._consumer(topics) as (consumer, _):
                records: list[Consumed] = []
                while len(records) < count and loop.time() < deadline:
                    for fetched in (await consumer.getmany(timeout_ms=100)).values():
                        records.extend(map(_consumed, fetched))
                return records

        return _run(read())

    def end_offsets(self, topic: str) -> dict[int, int]:
        async def ends() -> dict[int, int]:
            async with self._consumer([topic]) as (_, ends):
                return {partition.partition: offset for partition, offset in ends.items()}

        return _run(ends())

    def count(self, topic: str) -> int:
        """Count by offsets, which is right where nothing was compacted, expired or part of a transaction."""
        return sum(self.end_offsets(topic).values())

    def _administer(self, work: Callable[[Any], Awaitable[T]]) -> T:
        async def connected() -> T:
            admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap, **self.security)
            await admin.start()
            try:
                return await work(admin)
            finally:
                await admin.close()

        return _run(connected())

    @asynccontextmanager
    async def _consumer(self, topics: Sequence[str]) -> AsyncIterator[tuple[Any, dict[Any, int]]]:
        """Assign by hand: without a group nothing rebalances, and no partition is found late."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap, **self.security)
        await admin.start()
        try:
            partitions = [
                TopicPartition(topic, number) for topic in topics for number in await _partitions(admin, topic)
            ]
        finally:
            await admin.close()
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self.bootstrap,
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            max_partition_fetch_bytes=8 << 20,
            **self.security,
        )
        await consumer.start()
        try:
            consumer.assign(partitions)
            await consumer.seek_to_beginning(*partitions)
            yield consumer, await consumer.end_offsets(partitions)
        finally:
            await consumer.stop()


async def _partitions(admin: Any, topic: str) -> list[int]:
    return sorted(each["partition"] for each in await _described(admin, topic))


async def _described(admin: Any, topic: str) -> list[dict[str, Any]]:
    [described] = await admin.describe_topics([topic])
    if described["error_code"]:
        raise AssertionError(f"Kafka has no topic {topic}: error {described['error_code']}")
    partitions: list[dict[str, Any]] = described["partitions"]
    return partitions


async def _read_to(ends: Mapping[Any, int], consumer: Any, handle: Callable[[Consumed], None]) -> None:
    for partition, end in ends.items():
        if await consumer.position(partition) >= end:
            consumer.pause(partition)
    while any(partition not in consumer.paused() for partition in ends):
        for partition, fetched in (await consumer.getmany(timeout_ms=200)).items():
            for message in fetched:
                if message.offset < ends[partition]:
                    handle(_consumed(message))
            if await consumer.position(partition) >= ends[partition]:
                consumer.pause(partition)


def _consumed(message: Any) -> Consumed:
    headers = tuple(message.headers)
    return Consumed(
        message.topic, message.partition, message.offset, message.key, message.value, headers, message.timestamp
    )


def _run(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(work)
