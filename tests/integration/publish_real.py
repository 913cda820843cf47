"""A publisher on a real Kafka, and the lane that feeds it."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from pipeline.core.clock import Clock
from pipeline.core.delivery import Batch, Fate, Lane, Ledger, Message
from pipeline.core.errors import Reason
from pipeline.core.record import Destination, Record, encode_headers
from pipeline.publish import CreateTopics, KafkaOptions, Publisher
from tests.support.kafka_client import Consumed

HEADERS = [("content-type", b"application/ld+json"), ("ce_id", "°C".encode()), ("ce_empty", b"")]


@dataclass
class Counted:
    """PublishEvents."""

    records: Counter[str] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)
    refusals: Counter[str] = field(default_factory=Counter)
    rebuilds: Counter[str] = field(default_factory=Counter)
    counts: dict[str, int] = field(default_factory=dict)

    def confirmed(
        self, topic: str, records: int, size: int, waits: Iterable[tuple[float, int]], age: float | None
    ) -> None:
        assert size > 0
        assert age is None or age >= 0
        assert sum(count for _, count in waits) == records
        self.records[topic] += records

    def failed(self, topic: str, error: str) -> None:
        assert topic
        self.failures[error] += 1

    def refused(self, topic: str, error: str) -> None:
        assert topic
        self.refusals[error] += 1

    def rebuilt(self, topic: str, error: str) -> None:
        assert topic
        self.rebuilds[error] += 1

    def bisected(self, topic: str) -> None:
        assert topic

    def partitions(self, topic: str, count: int) -> None:
        self.counts[topic] = count


class Real:
    """Puts numbered records on topics of one tenant and keeps what it put."""

    def __init__(self, bootstrap: str, tenant: str, *, partitions: int = 3, **options: Any) -> None:
        self.topic = f"{tenant}.AirQualityObserved.v1"
        self.letters = f"{tenant}.dead-letter.v1"
        self.options = KafkaOptions(
            bootstrap.split(","), **{"create_topics": CreateTopics(partitions), "request_timeout": 10.0, **options}
        )
        self.events = Counted()
        self.ledger = Ledger()
        self.lane: Lane[None] = Lane(None, 1 << 30, ledger=self.ledger)
        self.destinations = [Destination(self.topic, f"{tenant}:device-{number}".encode()) for number in range(40)]
        self.records: deque[Record] = deque()
        self.clock = Clock()
        self.publisher = Publisher(self.options, self._letter, self.events, clock=self.clock)

    async def start(self) -> None:
        await self.publisher.start([self.topic, self.letters])

    def put(self, count: int, *, size: int = 200, timestamp: int | None = None) -> list[Record]:
        """Put `count` records; their values are their numbers and then dots."""
        now = int(time.time() * 1000) if timestamp is None else timestamp
        first = len(self.records)
        batch = [
            Record.make(
                self.destinations[number % len(self.destinations)],
                b"%d" % number + b"." * size,
                encode_headers(HEADERS),
                now,
                Message("city/aq", b"%d" % number, now),
            )
            for number in range(first, first + count)
        ]
        self.records.extend(batch)
        self.publisher.put(Batch(self.lane.receive(count, None), batch))
        return batch

    async def drain(self, seconds: float = 20.0) -> None:
        await self.publisher.drain(time.monotonic() + seconds)
        assert not self.publisher.pending()

    async def close(self, seconds: float = 2.0) -> None:
        await self.publisher.close(time.monotonic() + seconds)

    def conserved(self, *, dead: int = 0) -> None:
        assert self.ledger.conserved()
        assert not self.ledger.in_flight()
        assert self.ledger.fates[Fate.DEAD_LETTERED] == dead
        assert self.ledger.fates[Fate.PUBLISHED] == len(self.records) - dead

    def complete(self, consumed: Sequence[Consumed], without: Sequence[Record] = ()) -> None:
        """Nothing lost, nothing twice, nothing changed, in order per device."""
        got = {record.value: record for record in consumed}
        assert len(got) == len(consumed) == len(self.records) - len(without)
        for record in self.records:
            if record in without:
                continue
            read = got[record.value]
            assert (read.key, read.timestamp) == (record.destination.key, record.timestamp)
            assert list(read.headers) == HEADERS
        for key in {record.key for record in consumed}:
            numbers = [int((record.value or b"").rstrip(b".")) for record in consumed if record.key == key]
            assert numbers == sorted(numbers)

    def _letter(self, record: Record, reason: Reason, detail: str) -> Record | None:
        assert record.message is not None
        headers = encode_headers([("ce_reason", reason.value.encode()), ("ce_detail", detail.encode())])
        where = Destination(self.letters, record.destination.key)
        return Record.make(where, record.message.payload, headers, int(time.time() * 1000), None)


@asynccontextmanager
async def publishing(real: Real) -> AsyncIterator[Real]:
    """Start, and close when the test is done, whatever became of it."""
    await real.start()
    try:
        yield real
    finally:
        await real.close()
