"""Where records enter the publisher: each to its partition's slot, beside the delivery that it owes.

The hot loop looks up a slot by the `Destination` object itself, appends, and adds up sizes. All else (a new run, a full
chunk, a dead letter, a record that is too large) takes the slower `place`.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from time import monotonic
from typing import Final

from pipeline.core.delivery import Batch, Delivery, Fate, Message
from pipeline.core.errors import DeliveryError, Reason
from pipeline.core.record import Destination, Record, shortened
from pipeline.publish.batch import NO_PRODUCER, OVERHEAD, RECORD_OVERHEAD, partition_of
from pipeline.publish.error_codes import TOO_LARGE, name_of, reason_of

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

        Args:
            at: Gives that in milliseconds since 1970 UTC for a moment of the monotonic clock, or None if it is unknown.
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


class PartitionQueue:
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


DeadLetter = Callable[[Record, Reason, str], Record | None]
"""Makes the dead letter of a record that Kafka cannot take; None when there is no topic for it."""

MAX_VALUE: Final = 65_536
"""Bytes of an entity: CloudEvents 1.0, "Size Limits": consumers should accept at least 64 KB."""

HELD: Final = 200
"""Bytes of memory that a record takes beside its value and headers: the objects of Python that hold them."""

_REMEMBERED: Final = 200_000
_REMEMBERED_BYTES: Final = 16 * 1024**2  # of keys, which a device's name can make two kilobytes long
_MARGIN: Final = 64
_SIZES: Final = 64  # bytes, at most, of the headers that say how much of a value was cut


class _Cache(dict[Destination, PartitionQueue]):
    """Destination -> slot; what is not known yet is found by the intake."""

    def __init__(self, find: Callable[[Destination], PartitionQueue]) -> None:
        super().__init__()
        self._find = find
        self._bytes = 0

    def __missing__(self, destination: Destination) -> PartitionQueue:
        slot = self._find(destination)
        if destination.lasting:
            if len(self) >= _REMEMBERED or self._bytes >= _REMEMBERED_BYTES:
                self.clear()
                self._bytes = 0
            self[destination] = slot
            self._bytes += destination.size
        return slot


class Accumulator:
    """All slots, and the way into them. `opened` and `full` are told of slots that have something to send."""

    def __init__(self, chunk_bytes: int, dead_letter: DeadLetter) -> None:
        self.slots: dict[tuple[str, int], PartitionQueue] = {}
        self.limits: dict[str, int] = {}  # topic -> max.message.bytes
        self.opened: Callable[[PartitionQueue], None] = _ignore
        self.full: Callable[[], None] = _nothing
        self.dead: Callable[[Record], object] = _unseen
        self._chunk_bytes = chunk_bytes
        self._partitions: dict[str, int] = {}  # topic -> how many, for all records until `regroup`
        self._dead_letter = dead_letter
        self._lettered: Message | None = None  # whose dead letter was made last
        self._cache = _Cache(self._find)

    def put(self, batch: Batch[Record]) -> None:
        """Take a batch's records; each owes its fate to the batch's delivery.

        Raises:
            DeliveryError: a record's topic was not named at the start.
        """
        slots = self._cache
        delivery = batch.delivery
        made = HELD * len(batch.items)
        for record in batch.items:
            destination, body, value_size, _, message = record
            slot = slots[destination]
            length = len(body)
            made += length
            size = slot.size + length + slot.each
            if slot.delivery is not delivery or size > slot.limit or value_size > MAX_VALUE or message is None:
                self._place(slot, record, delivery)
            else:
                slot.size = size
                slot.records.append(record)
        delivery.weigh(made)  # here, where all records of all feeds come by, whatever made them

    def place(self, record: Record, delivery: Delivery) -> None:
        """Take one record."""
        self._place(self._cache[record[0]], record, delivery)

    def learn(self, limits: Mapping[str, int], partitions: Mapping[str, int]) -> None:
        """Take note of how large a batch each topic takes, and of the partitions of those that are new."""
        self.limits.update(limits)
        self._partitions = {**partitions, **self._partitions}
        for slot in self.slots.values():
            slot.limit = self._chunk_limit(slot.topic)

    def regroup(self, topic: str, partitions: int, left: Sequence[Chunk]) -> None:
        """Follow a topic that has another number of partitions.

        Args:
            topic: Its name.
            partitions: How many it has now.
            left: What waited in its slots; it goes to the partitions of now, before all that comes later.
        """
        self._partitions[topic] = partitions
        self._cache.clear()
        for gone in [place for place in self.slots if place[0] == topic and place[1] >= partitions]:
            del self.slots[gone]
        for chunk in left:
            for record, delivery in chunk.owed():
                self._place(self._cache[record.destination], record, delivery)

    def refuse(self, slot: PartitionQueue, chunk: Chunk, code: int) -> bool:
        """Find another way for the one record that Kafka refused with `code`; say whether there was one."""
        [record], [(delivery, _, _)] = chunk.records, chunk.runs
        if record.message is not None:
            detail = f"Kafka refused the record: {name_of(code)}."
            found = self._refused(record, delivery, reason_of(code), detail)
            if found:
                slot.done()
            return found
        if not record.value_size:
            return False
        kept = record.value_size // 2 if code in TOO_LARGE else 0
        repaired = shortened(record, kept, name_of(code))
        slot.done()
        slot.pieces.appendleft(Chunk([repaired], [(delivery, Fate.DEAD_LETTERED, 0)], chunk.size))
        return True

    def _place(self, slot: PartitionQueue, record: Record, delivery: Delivery) -> None:
        # By its own key: another device's longer one must not make a record too large that Kafka would take.
        alone = len(record.body) + record.destination.size + RECORD_OVERHEAD
        too_long = record.value_size > MAX_VALUE and record.message is not None
        if (too_long or OVERHEAD + alone > self.limits[slot.topic]) and self._too_large(slot, record, delivery):
            return
        if slot.records and slot.size + alone > slot.limit:
            slot.cut()
            self.full()
        if not slot.records:
            slot.since = monotonic()
            self.opened(slot)
        fate = Fate.PUBLISHED if record.message is not None else Fate.DEAD_LETTERED
        if fate is Fate.DEAD_LETTERED:
            self.dead(record)
        if slot.delivery is not delivery or fate is Fate.DEAD_LETTERED:
            slot.runs.append((delivery, fate, len(slot.records)))
        slot.delivery = delivery if fate is Fate.PUBLISHED else None
        slot.size += alone
        slot.records.append(record)

    def _too_large(self, slot: PartitionQueue, record: Record, delivery: Delivery) -> bool:
        """Let something else go instead; False when nothing can, and Kafka must say itself that it does not fit."""
        if record.message is None:
            if record.value_size:
                self.place(self._fitting(slot, record), delivery)
            return record.value_size > 0
        limit = min(self.limits[slot.topic], MAX_VALUE)
        detail = f"The record's value has {record.value_size} bytes; topic {slot.topic} takes {limit}."
        return self._refused(record, delivery, Reason.RECORD_TOO_LARGE, detail)

    def _refused(self, record: Record, delivery: Delivery, reason: Reason, detail: str) -> bool:
        """Let the dead letter of a record's message go instead of the record; False when there is no topic for it.

        A message has one, however many of its records are refused: each would hold the whole payload again. The others
        share the message's fate, since it is settled when the letter is, too.
        """
        if record.message is self._lettered:
            delivery.seal(Fate.DEAD_LETTERED)
            return True
        letter = self._dead_letter(record, reason, detail)
        if letter is None:
            return False
        self._lettered = record.message
        delivery.weigh(HELD + len(letter.body))
        self.place(letter, delivery)
        return True

    def _fitting(self, slot: PartitionQueue, letter: Record) -> Record:
        """Cut a dead letter's value to what the topic takes."""
        others = len(letter.headers) + letter.destination.size + RECORD_OVERHEAD + OVERHEAD + _SIZES
        return shortened(letter, max(self.limits[slot.topic] - others, 0), "RECORD_TOO_LARGE")

    def _chunk_limit(self, topic: str) -> int:
        return min(self._chunk_bytes, self.limits[topic] - _MARGIN)

    def _find(self, destination: Destination) -> PartitionQueue:
        topic = destination.topic
        if topic not in self.limits or topic not in self._partitions:
            raise DeliveryError(f"A record is for topic {topic!r}, which was not named when the publisher started.")
        partition = partition_of(destination.key, self._partitions[topic])
        slot = self.slots.get((topic, partition))
        if slot is None:
            slot = self.slots[topic, partition] = PartitionQueue(topic, partition, self._chunk_limit(topic))
        if destination.lasting:
            slot.each = max(slot.each, destination.size + RECORD_OVERHEAD)
        return slot


def _ignore(_: PartitionQueue) -> None:
    pass


def _nothing() -> None:
    pass


def _unseen(_: Record) -> None:
    pass
