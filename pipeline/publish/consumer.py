"""Reads a topic's records back, for `headrace tail` and `headrace replay`: by offsets, without a consumer group.

Nothing is committed, and no consumer group is disturbed. Whether the topic exists is asked by a request that does not
create it.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition

from pipeline.core.errors import StartError
from pipeline.core.threads import run_detached
from pipeline.publish.cluster import PROBLEMS, Cluster, LinkError
from pipeline.publish.error_codes import name_of, remedy
from pipeline.publish.options import KafkaOptions, TokenProvider

_UNKNOWN: Final = 3
_LARGEST: Final = 8 * 1024**2


class StoredRecord(NamedTuple):
    """A record as Kafka keeps it; timestamp in milliseconds since 1970 UTC."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]
    timestamp: int


class TopicReader:
    """All partitions of one topic. `begins` and `ends` are the offsets that it had when it was opened."""

    def __init__(self, options: KafkaOptions, topic: str) -> None:
        self.begins: dict[int, int] = {}
        self.ends: dict[int, int] = {}
        self._options = options
        self._topic = topic
        self._consumer: Any = None

    async def open(self, *, beginning: bool = False, since: int | None = None) -> None:
        """Connect; start at the ends, at the beginning, or at a time (milliseconds since 1970 UTC).

        Raises:
            StartError: a sentence that names the broker or the topic, and what to do.
        """
        count = await self._partitions()
        try:
            self._consumer = await self._connect()
            places = [TopicPartition(self._topic, number) for number in range(count)]
            self._consumer.assign(places)
            begins = await self._consumer.beginning_offsets(places)
            ends = await self._consumer.end_offsets(places)
            times = {} if since is None else await self._consumer.offsets_for_times(dict.fromkeys(places, since))
        except PROBLEMS as problem:
            raise StartError(self._sentence(problem)) from problem
        for place in places:
            found = times.get(place)
            start = begins[place] if beginning else ends[place] if found is None else found.offset
            self._consumer.seek(place, start)
            self.begins[place.partition], self.ends[place.partition] = begins[place], ends[place]

    async def fetch(self, seconds: float = 0.5) -> list[StoredRecord]:
        """Return what has come, in order within each partition; nothing if nothing came in so many seconds.

        Raises:
            StartError: Kafka no longer lets us read.
        """
        try:
            fetched = await self._consumer.getmany(timeout_ms=round(seconds * 1000))
        except PROBLEMS as problem:
            raise StartError(self._sentence(problem)) from problem
        return [_stored(record) for records in fetched.values() for record in records]

    async def at_end(self) -> bool:
        """Say whether everything is read that was there when it was opened."""
        for place in self._consumer.assignment():
            if await self._consumer.position(place) < self.ends[place.partition]:
                return False
        return True

    async def close(self) -> None:
        """Leave."""
        if self._consumer is not None:
            await self._consumer.stop()

    async def _partitions(self) -> int:
        cluster = Cluster(self._options)
        try:
            cluster.follow([self._topic])
            await cluster.refresh()
            code = cluster.codes.get(self._topic, _UNKNOWN)
        except LinkError as problem:
            raise StartError(str(problem)) from problem
        finally:
            cluster.close()
        if code == _UNKNOWN:
            raise StartError(
                f"Kafka has no topic {self._topic}. `headrace topics CONFIG` lists those that the configuration writes "
                "to; a worker that creates topics does so when it first starts."
            )
        if code:
            raise StartError(
                f"Kafka does not show us topic {self._topic}: {name_of(code)}. {remedy(code, self._topic)}"
            )
        return cluster.partitions[self._topic]

    async def _connect(self) -> Any:  # noqa: ANN401 - aiokafka has no types
        options, sasl = self._options, self._options.sasl
        consumer = AIOKafkaConsumer(
            bootstrap_servers=list(options.bootstrap_servers),
            client_id=options.client_id,
            enable_auto_commit=False,
            max_partition_fetch_bytes=_LARGEST,
            request_timeout_ms=round(options.request_timeout * 1000),
            security_protocol=options.security,
            ssl_context=None if options.tls is None else await run_detached(options.tls.context),
            sasl_mechanism="PLAIN" if sasl is None else sasl.mechanism,
            sasl_plain_username=None if sasl is None or sasl.username is None else sasl.username(),
            sasl_plain_password=None if sasl is None or sasl.password is None else sasl.password(),
            sasl_oauth_token_provider=None if sasl is None or sasl.mechanism != "OAUTHBEARER" else TokenProvider(sasl),
        )
        try:
            await consumer.start()
        except BaseException:
            await consumer.stop()
            raise
        return consumer

    def _sentence(self, problem: BaseException) -> str:
        said = str(problem) or type(problem).__name__
        return (
            f"Topic {self._topic} cannot be read: {said}. Grant this client's principal READ and DESCRIBE on it, and "
            "see that Kafka runs."
        )


def _stored(record: Any) -> StoredRecord:  # noqa: ANN401 - aiokafka has no types
    return StoredRecord(
        record.topic,
        record.partition,
        record.offset,
        record.key,
        record.value,
        tuple((name, value or b"") for name, value in record.headers),  # another producer may write none
        record.timestamp,
    )
