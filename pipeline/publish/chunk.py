"""Chunks: the records of one partition that travel together, and the place where they wait.

A slot is one partition's queue: one open list that `put` appends to, closed chunks behind it, and at most one batch on
the wire, so that a refused batch never takes sequence numbers from one that follows.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterator
from typing import Final

from pipeline.core.delivery import Delivery, Fate
from pipeline.core.record import Record
from pipeline.publish.batch import NO_PRODUCER, OVERHEAD

Run = tuple[Delivery, Fate, int]
"""Records from this index on, up to the next run, owe this fate to this delivery."""

SEQUENCES: Final = 0x7FFFFFFF
"""Sequence numbers wrap to 0 behind 2^31 - 1 (DefaultRecordBatch.incrementSequence)."""


NO_TIMESTAMP: Final = -1
"""Kafka takes a record without a time always, and keeps it by the age of its file."""


class Chunk:
    """Records of one partition, their deliveries in runs, and, once they were sent, the batch's bytes."""

    __slots__ = ("body", "corrupt", "head", "records", "runs", "size", "times_refused", "uncertain")

    def __init__(self, records: list[Record], runs: list[Run], size: int) -> None:
        self.records = records
        self.runs = runs
        self.size = size  # bytes at most, before compression
        self.head = b""
        self.body = b""
        self.times_refused = 0  # how often Kafka found that a clock is wrong
        self.corrupt = 0  # how often Kafka found these bytes damaged
        self.uncertain = False  # sent at least once without an answer: Kafka may have stored it

    def forget(self) -> None:
        """Drop the encoded bytes: they hold a producer id that is no longer ours."""
        self.head = self.body = b""
        self.uncertain = False

    def owed(self) -> Iterator[tuple[Record, Delivery]]:
        """Yield every record with the delivery that it owes its fate to."""
        ends = [start for _, _, start in self.runs[1:]]
        ends.append(len(self.records))
        for (delivery, _, start), end in zip(self.runs, ends, strict=True):
            yield from ((record, delivery) for record in self.records[start:end])

    def retime(self, at: Callable[[float], int | None]) -> None:
        """Let every record have the time at which its message was received, or none.

        at: gives that in milliseconds since 1970 UTC for a moment of the monotonic clock, or None if it is unknown.
        """
        ends = [start for _, _, start in self.runs[1:]]
        ends.append(len(self.records))
        for (delivery, _, start), end in zip(self.runs, ends, strict=True):
            told = at(delivery.received_at)
            stamp = NO_TIMESTAMP if told is None else told
            self.records[start:end] = [record._replace(timestamp=stamp) for record in self.records[start:end]]

    def seal(self) -> None:
        """Give every record's message its fate, in the order of the records."""
        ends = [start for _, _, start in self.runs[1:]]
        ends.append(len(self.records))
        for (delivery, fate, start), end in zip(self.runs, ends, strict=True):
            delivery.seal(fate, end - start)

    def halves(self) -> tuple[Chunk, Chunk]:
        """Split in two, in order; at least two records."""
        middle = len(self.records) // 2
        first = bisect_right(self.runs, middle, key=lambda run: run[2])
        left = self.runs[:first] if self.runs[first - 1][2] < middle else self.runs[: first - 1]
        delivery, fate, _ = self.runs[first - 1]
        right = [(delivery, fate, 0), *((later, its, start - middle) for later, its, start in self.runs[first:])]
        half = self.size // 2  # near enough: it only bounds a request
        return Chunk(self.records[:middle], left, half), Chunk(self.records[middle:], right, half)

    def age(self, now: float) -> float | None:
        """Seconds from the observation of one record to `now` (since 1970 UTC); None for a dead letter."""
        record = self.records[-1]
        observed = None if record.message is None else record.time
        return None if observed is None else max(0.0, now - observed)

    def waits(self, now: float) -> list[tuple[float, int]]:
        """How long records have waited since their messages were received, in seconds, and how many so long."""
        ends = [start for _, _, start in self.runs[1:]]
        ends.append(len(self.records))
        return [
            (now - delivery.received_at, end - start) for (delivery, _, start), end in zip(self.runs, ends, strict=True)
        ]


class Slot:
    """One partition's records on their way."""

    __slots__ = (
        "attempts",
        "delivery",
        "each",
        "flying",
        "leader",
        "limit",
        "not_before",
        "partition",
        "pieces",
        "producer",
        "records",
        "runs",
        "sequence",
        "since",
        "size",
        "topic",
        "trouble",
        "wire",
    )

    def __init__(self, topic: str, partition: int, limit: int) -> None:
        self.topic = topic
        self.partition = partition
        self.limit = limit  # bytes of one batch before compression
        self.each = 0  # bytes a record beside value and headers: the longest lasting key seen, and the encoding
        self.leader: int | None = None
        self.records: list[Record] = []
        self.runs: list[Run] = []
        self.size = OVERHEAD
        self.since = 0.0
        self.delivery: Delivery | None = None  # the open run's, if it is a run of PUBLISHED
        self.pieces: deque[Chunk] = deque()
        self.wire: Chunk | None = None
        self.flying = False
        self.attempts = 0
        self.not_before = 0.0
        self.producer = NO_PRODUCER
        self.sequence = -1
        self.trouble = ""

    def cut(self) -> None:
        """Close the open list: its records travel as one chunk."""
        if self.records:
            self.pieces.append(Chunk(self.records, self.runs, self.size))
        self.records = []
        self.runs = []
        self.size = OVERHEAD
        self.delivery = None

    def take(self) -> Chunk:
        """Give what goes next; the same chunk until `done`."""
        if self.wire is None:
            if not self.pieces:
                self.cut()
            self.wire = self.pieces.popleft()
        return self.wire

    def done(self) -> None:
        """Let go of the chunk that `take` gave: it was confirmed, or was taken apart."""
        self.wire = None
        self.attempts = 0
        self.not_before = 0.0
        self.trouble = ""

    def clear(self, *, wire: bool) -> list[Chunk]:
        """Give up all that is here, in order; what was sent only if `wire` says so."""
        self.cut()
        left = [*([self.wire] if wire and self.wire is not None else []), *self.pieces]
        self.pieces.clear()
        if wire:
            self.done()
        return left

    def waiting(self) -> int:
        """Count the records that are open or in closed chunks."""
        return len(self.records) + sum(len(chunk.records) for chunk in self.pieces)

    def sent(self) -> int:
        """Count the records whose batch was sent and not confirmed."""
        return len(self.wire.records) if self.wire is not None else 0

    def idle(self) -> bool:
        """Say whether nothing is here."""
        return self.wire is None and not self.pieces and not self.records

    def due(self, linger: float) -> float:
        """When the next chunk may go (monotonic seconds)."""
        if self.wire is not None or self.pieces:
            return self.not_before
        return max(self.since + linger, self.not_before)

    def oldest(self) -> float | None:
        """When the oldest record here was received (monotonic seconds), or None."""
        chunk = self.wire or (self.pieces[0] if self.pieces else None)
        runs = chunk.runs if chunk is not None else self.runs
        return min(run[0].received_at for run in runs) if runs else None
