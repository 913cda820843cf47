"""What Kafka holds: topics made and removed, records counted by end offset, then read once the clock has stopped."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Self

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

PARTITIONS = 6
READ_AT_ONCE = 4 << 20


@dataclass(frozen=True, slots=True)
class Seen:
    """Which of `count` messages are in the topic, how often all told, and when Kafka first appended each."""

    appended_ms: list[int]  # by message, 0 for a message that is not there
    records: int

    @property
    def missing(self) -> int:
        return self.appended_ms.count(0)

    @property
    def duplicates(self) -> int:
        return self.records - (len(self.appended_ms) - self.missing)


class Records:
    def __init__(self, port: int) -> None:
        self._servers = f"127.0.0.1:{port}"
        self._admin = AIOKafkaAdminClient(bootstrap_servers=self._servers)

    async def __aenter__(self) -> Self:
        await self._admin.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._admin.close()

    async def create(self, topic: str) -> None:
        # The broker's own append time makes one latency that is taken the same way for every contender.
        settings = {"message.timestamp.type": "LogAppendTime"}
        await self._admin.create_topics([NewTopic(topic, PARTITIONS, 1, topic_configs=settings)])

    async def delete(self, topic: str) -> None:
        await self._admin.delete_topics([topic])

    @asynccontextmanager
    async def counting(self, topic: str) -> AsyncIterator[Callable[[], Awaitable[int]]]:
        """Give a function that counts the records: one request by partition, cheap enough to ask often."""
        # A consumer of its own: one that lives longer asks for ever after topics that are long deleted.
        async with AIOKafkaConsumer(bootstrap_servers=self._servers, enable_auto_commit=False) as consumer:

            async def count() -> int:
                return sum((await consumer.end_offsets(_partitions(topic))).values())

            yield count

    async def read(self, topic: str, count: int, ts_of: Callable[[bytes], int], base_ts: int) -> Seen:
        """Read the whole topic; records whose `ts` is outside the `count` messages are not counted."""
        appended, records = [0] * count, 0
        async with self.counting(topic) as held:
            left = await held()
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._servers,
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            max_partition_fetch_bytes=READ_AT_ONCE,
        )
        async with consumer:
            consumer.assign(_partitions(topic))
            while left > 0:
                for batch in (await consumer.getmany(timeout_ms=1000)).values():
                    left -= len(batch)
                    for record in batch:
                        index = ts_of(record.value) - base_ts
                        if 0 <= index < count:
                            records += 1
                            appended[index] = appended[index] or record.timestamp
        return Seen(appended, records)


def _partitions(topic: str) -> list[TopicPartition]:
    return [TopicPartition(topic, number) for number in range(PARTITIONS)]
