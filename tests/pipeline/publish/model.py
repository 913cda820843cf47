"""A model of a Kafka cluster for the publisher's tests: logs, producer state, and answers that a test scripts."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Collection, Coroutine, Iterable
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

import pytest
from aiokafka.record.memory_records import MemoryRecords

from pipeline.core.clock import Clock
from pipeline.core.delivery import Batch, Fate, Lane, Ledger, Message
from pipeline.core.errors import Reason
from pipeline.core.record import Destination, Record, encode_headers
from pipeline.publish import KafkaOptions, Publisher, sender
from pipeline.publish.cluster import Cluster, LinkError, Produced
from pipeline.publish.error_codes import CODES, Action

TOPIC = "t.AirQualityObserved.v1"
LETTERS = "t.dead-letter.v1"
DESCRIBE_QUORUM = 55
REMEMBERED = 5
"""Batches that a broker remembers of each producer (ProducerStateEntry.NUM_BATCHES_TO_RETAIN)."""

Step = int | str
"""An error code for one batch; "stored:7" stores it and answers 7; "lost" and "stored:lost" break the connection."""


@dataclass(frozen=True)
class Stored:
    key: bytes
    value: bytes
    headers: tuple[tuple[str, bytes], ...]
    timestamp: int


def read_batch(data: bytes) -> tuple[Any, list[Stored]]:
    """Read with aiokafka's own reader; the checksum must hold."""
    records = MemoryRecords(data)
    batch = records.next_batch()
    assert batch is not None
    assert batch.validate_crc()
    assert records.next_batch() is None
    return batch, [Stored(each.key, each.value, tuple(each.headers), each.timestamp) for each in batch]


class ModelCluster(Cluster):
    """One broker a node. Checks what a broker checks: sequences, sizes, timestamps. Kills nothing, forgets nothing."""

    def __init__(self, options: KafkaOptions, partitions: int = 2, nodes: int = 2) -> None:
        super().__init__(options)
        self.counts = {TOPIC: partitions, LETTERS: 1}
        self.nodes = nodes
        self.logs: dict[tuple[str, int], list[Stored]] = {}
        self.producers: dict[tuple[int, str, int], deque[tuple[int, int]]] = {}
        self.script: deque[Step] = deque()
        self.sent: list[list[tuple[str, int, bytes, bytes]]] = []
        self.limit = 1_048_588
        self.refused_values: set[bytes] = set()
        self.latest = 1 << 60
        self.time_told = -1  # with each answer, as for a topic of LogAppendTime
        self.next_id = 100
        self.away: set[str] = set()
        self.flying = 0

    async def refresh(self) -> None:
        self.partitions.update({topic: count for topic, count in self.counts.items() if topic not in self.away})
        self.codes = {topic: 3 if topic in self.away else 0 for topic in self.counts}

    def leader(self, topic: str, partition: int) -> int | None:
        del topic
        return partition % self.nodes

    async def ask(self, request: Any, node: int | None = None) -> Any:
        @dataclass
        class Configs:
            resources: list[Any]

        del node
        if request.API_KEY == DESCRIBE_QUORUM:
            raise LinkError("The model tells no time.")
        return Configs([(0, "", 2, topic, [("max.message.bytes", str(self.limit))]) for topic in self.counts])

    async def new_producer(self) -> tuple[int, int]:
        self.next_id += 1
        return self.next_id, 0

    async def produce(self, node: int, batches: Collection[Any], sent: Callable[[], None]) -> Produced:
        self.sent.append(list(batches))
        sent()
        answers = []
        for topic, partition, head, body in batches:
            assert partition % self.nodes == node
            step = self.script.popleft() if self.script else "stored:0"
            stored, _, rest = step.rpartition(":") if isinstance(step, str) else ("", "", step)
            there = topic not in self.away and partition < self.counts[topic]
            code = 0 if not stored else self._store(topic, partition, head + body) if there else 3
            if rest == "lost":
                raise LinkError("The connection broke.", uncertain=True)
            answers.append((topic, partition, code or int(rest)))
        return Produced(answers, 0.0, self.time_told)

    def values(self, topic: str = TOPIC) -> list[bytes]:
        return [each.value for (name, _), log in sorted(self.logs.items()) if name == topic for each in log]

    def made_anew(self, topic: str, partitions: int) -> None:
        """Delete a topic and make it again: its records and what is known of its producers are gone."""
        self.away.discard(topic)
        self.counts[topic] = partitions
        self.logs = {place: log for place, log in self.logs.items() if place[0] != topic}
        self.producers = {key: known for key, known in self.producers.items() if key[1] != topic}

    def _store(self, topic: str, partition: int, data: bytes) -> int:
        batch, records = read_batch(data)
        if len(data) > self.limit:
            return 10
        if any(each.value in self.refused_values for each in records):
            return 87
        if any(each.timestamp > self.latest for each in records):
            return 32
        first, last = batch.base_sequence, batch.base_sequence + len(records) - 1
        known = self.producers.setdefault((batch.producer_id, topic, partition), deque(maxlen=REMEMBERED))
        if batch.producer_id >= 0:
            if (first, last) in known:
                return 0
            if first != (known[-1][1] + 1 if known else 0):
                return 45
            known.append((first, last))
        self.logs.setdefault((topic, partition), []).extend(records)
        return 0


@dataclass
class Counted:
    """PublishEvents."""

    records: int = 0
    failures: list[str] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    rebuilds: list[str] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)

    def confirmed(
        self, topic: str, records: int, size: int, waits: Iterable[tuple[float, int]], age: float | None
    ) -> None:
        waited = list(waits)
        assert age is None or age >= 0
        assert topic
        assert size > 0
        assert sum(count for _, count in waited) == records
        assert all(seconds >= 0 and count > 0 for seconds, count in waited)
        self.records += records

    def failed(self, topic: str, error: str) -> None:
        assert topic
        self.failures.append(error)

    def refused(self, topic: str, error: str) -> None:
        assert topic
        self.refusals.append(error)

    def rebuilt(self, topic: str, error: str) -> None:
        assert topic
        self.rebuilds.append(error)

    def bisected(self, topic: str) -> None:
        assert topic

    def partitions(self, topic: str, count: int) -> None:
        self.counts[topic] = count


def dead_letter(record: Record, reason: Reason, detail: str) -> Record | None:
    pairs = [("ce_reason", reason.value.encode()), ("ce_detail", detail.encode()), ("was", record.value[:20])]
    headers = encode_headers(pairs)
    return Record.make(
        Destination(LETTERS, record.destination.key), record.value[:100], headers, record.timestamp, None
    )


class Bench:
    """A publisher on a model, and a lane that feeds it."""

    def __init__(self, *, partitions: int = 2, failpoint: Callable[[str], None] | None = None, **options: Any) -> None:
        self.options = KafkaOptions(["model"], **{"linger": 0.0, **options})
        self.cluster = ModelCluster(self.options, partitions)
        self.events = Counted()
        self.ledger = Ledger()
        self.acknowledged: list[int] = []
        self.lane: Lane[int] = Lane(self.acknowledged.extend, 1 << 30, ledger=self.ledger)
        self.destinations = [Destination(TOPIC, b"device-%d" % number) for number in range(8)]
        self.clock = Clock()
        self.publisher = Publisher(
            self.options,
            dead_letter,
            self.events,
            failpoint or (lambda _: None),
            self.cluster,
            clock=self.clock,
        )
        self._tokens = 0

    async def start(self) -> None:
        await self.publisher.start([TOPIC, LETTERS])

    def record(self, number: int, *, size: int = 0, timestamp: int = 1_000) -> Record:
        value = b"%d" % number + b"." * size
        message = Message("topic", value, timestamp)
        return Record.make(self.destinations[number % 8], value, encode_headers([("n", b"1")]), timestamp, message)

    def put(self, records: Iterable[Record]) -> None:
        items = list(records)
        self._tokens += 1
        self.publisher.put(Batch(self.lane.receive(len(items), self._tokens), items))

    def settled(self) -> bool:
        return self.ledger.conserved() and not self.ledger.in_flight()


CODES_OF = {answer: [code for code, (_, its) in CODES.items() if its is answer] for answer in Action}
LATER = 5.0


def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the waits between tries short."""
    for name in ("_SOON", "_BUSY", "_STUBBORN"):
        monkeypatch.setattr(sender, name, 0.0002)


def run(work: Callable[[Bench], Coroutine[Any, Any, None]], **options: Any) -> Bench:
    """Start a publisher, do the work, drain and close."""

    async def whole() -> Bench:
        bench = Bench(**options)
        await bench.start()
        await work(bench)
        await bench.publisher.drain(monotonic() + LATER)
        assert not bench.publisher.pending()
        await bench.publisher.close(monotonic() + 1)
        assert bench.publisher._sender.broken is None
        return bench

    return asyncio.run(whole())


def send(count: int, *script: Step, **options: Any) -> Bench:
    async def work(bench: Bench) -> None:
        bench.cluster.script.extend(script)
        bench.put(bench.record(number) for number in range(count))

    return run(work, **options)


def complete(bench: Bench, count: int) -> None:
    """Nothing lost, nothing twice, in order per device."""
    values = bench.cluster.values()
    assert sorted(values, key=int) == [b"%d" % number for number in range(count)]
    for log in bench.cluster.logs.values():
        for key in {each.key for each in log}:
            numbers = [int(each.value) for each in log if each.key == key]
            assert numbers == sorted(numbers)
    assert bench.settled()
    assert bench.ledger.fates[Fate.PUBLISHED] == count
    assert bench.acknowledged == sorted(bench.acknowledged)
