"""The way from slots to Kafka: one request on the wire per broker, and what its answer means for each partition.

While a request is on the wire the rest coalesces in the slots. A request takes every partition of its broker that has
something, oldest first, up to `REQUEST_CHUNKS` chunks' worth of bytes. An unconfirmed batch is sent again as the very
same bytes under the same sequence numbers until Kafka says something final, so a lost answer makes no duplicate.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from time import monotonic
from typing import Final, Protocol

from pipeline.core.clock import CLOCK, TOLERATED
from pipeline.core.logs import Log
from pipeline.publish.accumulator import SEQUENCES, Chunk, PartitionQueue
from pipeline.publish.batch import NO_PRODUCER, encode_batch
from pipeline.publish.cluster import Batches, LinkError, Produced
from pipeline.publish.error_codes import TOO_LARGE, Action, answer_of, maybe_stored, name_of, remedy
from pipeline.publish.options import KafkaOptions

REQUEST_CHUNKS: Final = 4
"""A request holds at most this many times `chunk_bytes` (1 MiB by default), but always one batch."""

_SOON: Final = 0.1
_BUSY: Final = 1.0  # seconds between tries while Kafka is busy or away: reconnects stay at one a second
_STUBBORN: Final = 30.0  # while a person has to act
_PATIENCE: Final = 3  # tries before a person is told, or damaged bytes are taken apart
_QUIET: Final = 60.0
_NO_TOPIC: Final = 3
_NO_ANSWER: Final = 13
_TAKEN_APART: Final = frozenset({Action.REFUSED, Action.RETIME})

_LOG = Log(__name__)


class PublishEvents(Protocol):
    """Observer of the sender. Called once a chunk, never once a record."""

    def confirmed(
        self, topic: str, records: int, size: int, waits: Iterable[tuple[float, int]], age: float | None
    ) -> None:
        """Count a chunk that Kafka holds.

        Args:
            waits: Seconds since receipt, how many.
            age: Since one was observed.
        """

    def failed(self, topic: str, error: str) -> None:
        """Count a try to send a chunk that failed; another follows."""

    def refused(self, topic: str, error: str) -> None:
        """Count a record that Kafka refused for good."""

    def rebuilt(self, topic: str, error: str) -> None:
        """Count a partition's sequence given up for a new producer id."""

    def bisected(self, topic: str) -> None:
        """Count a batch that Kafka refused and that goes on in halves."""

    def partitions(self, topic: str, count: int) -> None:
        """Take note of how many partitions a topic has: at the start, and when that changes."""


class Link(Protocol):
    """What the sender asks of the cluster; tests script it."""

    @property
    def partitions(self) -> Mapping[str, int]:
        """How many partitions each topic has; one that is away keeps its number."""

    @property
    def codes(self) -> Mapping[str, int]:
        """The error code of the last look at each topic."""

    def leader(self, topic: str, partition: int) -> int | None:
        """Return the broker that leads a partition."""

    async def refresh(self) -> None:
        """Learn leaders and partitions anew."""

    async def new_producer(self) -> tuple[int, int]:
        """Get a producer id and epoch."""

    async def produce(self, node: int, batches: Batches, sent: Callable[[], None]) -> Produced:
        """Send batches and wait for the answer."""


class BrokerQueue:
    """One broker: at most one request on the wire."""

    __slots__ = ("attempts", "not_before", "task", "trouble")

    def __init__(self) -> None:
        self.task: asyncio.Task[None] | None = None
        self.attempts = 0
        self.not_before = 0.0
        self.trouble = ""


class Sender:
    """Sends what the slots hold; tasks live in `BrokerQueue.task` and `self._tending`."""

    def __init__(
        self,
        link: Link,
        options: KafkaOptions,
        events: PublishEvents,
        failpoint: Callable[[str], None],
        refuse: Callable[[PartitionQueue, Chunk, int], bool],
    ) -> None:
        self.active: dict[PartitionQueue, None] = {}  # slots that have something, in the order of their turn
        self.linger = options.linger
        self.trouble = ""
        self.emptied = asyncio.Event()
        self.broken: BaseException | None = None
        self.broke = asyncio.Event()
        self.producer: tuple[int, int] | None = None
        self.regrouped: Callable[[str, int, Sequence[Chunk]], None] = _nowhere  # a topic has other partitions now
        self.refreshed: Callable[[], Awaitable[None]] = _no_more
        self.untimely: Callable[[], None] = _nothing  # Kafka refused a time of ours
        self.stored: Callable[[int, float], None] = _unseen  # Kafka's time of storing, and when it was sent
        self.clock = CLOCK
        self._link = link
        self._options = options
        self._events = events
        self._failpoint = failpoint
        self._refuse = refuse
        self._nodes: dict[int, BrokerQueue] = {}
        self.stale = asyncio.Event()  # set where the known state of the cluster turns out to be old
        self._renewing = asyncio.Lock()
        self._timer: asyncio.TimerHandle | None = None
        self._wake_at = float("inf")
        self._tending: asyncio.Task[None] | None = None
        self._counts: dict[str, int] = {}  # topic -> partitions that records are sent to
        self._shrinking: set[str] = set()  # topics with fewer, while something for one is on the wire
        self._away: set[str] = set()  # topics that were not there at the last look
        self._absence = ""
        self._said: dict[tuple[object, ...], float] = {}
        self._closed = False

    async def start(self) -> None:
        """Get the first producer id and begin to look after the cluster.

        Raises:
            LinkError: Kafka gave no producer id.
        """
        until = monotonic() + self._options.request_timeout
        while self._options.idempotent and self.producer is None:
            try:
                self.producer = await self._link.new_producer()
            except LinkError as problem:
                # A Kafka that has just started is still loading.
                if problem.code is None or answer_of(problem.code) is not Action.RETRY or monotonic() > until:
                    raise
                await asyncio.sleep(_SOON)
        self._tending = asyncio.create_task(self._tend())
        self._tending.add_done_callback(self._ended)

    def follow(self) -> None:
        """Take note of the topics' partitions; those of a topic that was known before are followed by `_tend`."""
        for topic, count in self._link.partitions.items():
            if self._counts.setdefault(topic, count) == count:
                self._events.partitions(topic, count)

    def opened(self, slot: PartitionQueue) -> None:
        """Take note of a slot's first record: it goes when the linger is over."""
        if slot not in self.active:
            slot.leader = self._link.leader(slot.topic, slot.partition)
            self.active[slot] = None
        self._arm(slot.since + self.linger)

    def hurry(self) -> None:
        """Look at once (after the current callback) for what may go."""
        self._arm(0.0)

    def stop(self) -> list[asyncio.Task[None]]:
        """Send no more; the tasks that were cancelled are for the caller to await."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        tasks = [node.task for node in self._nodes.values() if node.task is not None]
        tasks += [self._tending] if self._tending is not None else []
        for task in tasks:
            task.cancel()
        return tasks

    def problem(self) -> str:
        """Say in a sentence what keeps records here, or nothing."""
        leading = {slot.leader for slot in self.active}  # a broker that left the cluster is no trouble
        nodes = (node.trouble for number, node in self._nodes.items() if number in leading)
        slots = (slot.trouble for slot in self.active)
        return next((text for text in (self.trouble, self._absence, *nodes, *slots) if text), "")

    def _arm(self, when: float) -> None:
        if when >= self._wake_at or self._closed:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._wake_at = when
        self._timer = asyncio.get_running_loop().call_later(max(0.0, when - monotonic()), self.pump)

    def pump(self) -> None:
        """Send what is due, to each broker that has nothing on the wire; set the timer for the rest."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None
        self._wake_at = float("inf")
        if self._closed:
            return
        now = monotonic()
        for broker, slots in self._by_leader().items():
            node = self._nodes.setdefault(broker, BrokerQueue())
            if node.task is not None:
                continue
            due = max(node.not_before, min(slot.due(self.linger) for slot in slots))
            if due <= now:
                self._launch(broker, node, [slot for slot in slots if slot.not_before <= now])
            else:
                self._arm(due)

    def _by_leader(self) -> dict[int, list[PartitionQueue]]:
        groups: dict[int, list[PartitionQueue]] = {}
        held = self._shrinking | self._away  # a topic that comes back may have other partitions: a refresh tells first
        for slot in self.active:
            if slot.topic in held:
                continue
            if slot.leader is None:
                self.stale.set()
            elif not slot.flying:
                groups.setdefault(slot.leader, []).append(slot)
        return groups

    def _launch(self, broker: int, node: BrokerQueue, slots: list[PartitionQueue]) -> None:
        room = REQUEST_CHUNKS * self._options.chunk_bytes
        chosen: list[PartitionQueue] = []
        for slot in slots:
            chunk = slot.take()
            room -= chunk.size
            slot.flying = True
            chosen.append(slot)
            if room <= 0:
                break
        node.task = asyncio.create_task(self._exchange(broker, node, chosen))
        node.task.add_done_callback(partial(self._landed, node, chosen))

    def _landed(self, node: BrokerQueue, slots: list[PartitionQueue], task: asyncio.Task[None]) -> None:
        node.task = None
        for slot in slots:
            slot.flying = False
            self.active.pop(slot, None)  # to the end of the queue
            if not slot.idle():
                self.active[slot] = None
        self._ended(task)
        self._shrink()
        if not self.active:
            self.emptied.set()
        self.pump()

    def _ended(self, task: asyncio.Task[None]) -> None:
        """Report a task that raised, which is a bug of ours, to the publisher."""
        if not task.cancelled() and (problem := task.exception()) is not None and self.broken is None:
            self.broken = problem
            self.broke.set()

    async def _exchange(self, broker: int, node: BrokerQueue, slots: Sequence[PartitionQueue]) -> None:
        try:
            await self._identify(slots)
            batches = [self._encoded(slot) for slot in slots]
            began = monotonic()
            produced = await self._link.produce(broker, batches, partial(self._failpoint, "after_chunk_sent"))
        except LinkError as problem:
            self._unanswered(node, slots, problem)
            return
        self._failpoint("after_confirm")
        node.attempts = 0
        self.trouble = node.trouble = ""
        node.not_before = monotonic() + produced.throttle
        self.stored(produced.stored_at, began)
        codes = {(topic, partition): code for topic, partition, code in produced.answers}
        for slot in slots:
            self._judge(slot, codes.get((slot.topic, slot.partition), _NO_ANSWER))

    async def _identify(self, slots: Sequence[PartitionQueue]) -> None:
        """Give each slot that has none a producer id; a slot that got one counts its sequence from 0."""
        if not self._options.idempotent:
            return
        for slot in slots:
            if slot.producer != NO_PRODUCER:
                continue
            async with self._renewing:
                if self.producer is None:
                    self._failpoint("during_rebuild")
                    self.producer = await self._link.new_producer()
                slot.producer = self.producer
                slot.sequence = 0

    def _encoded(self, slot: PartitionQueue) -> tuple[str, int, bytes, bytes]:
        chunk = slot.take()
        if not chunk.body:
            self._time(chunk)
            chunk.head, chunk.body = encode_batch(
                chunk.records, compression=self._options.compression, producer=slot.producer, sequence=slot.sequence
            )
        return slot.topic, slot.partition, chunk.head, chunk.body

    def _time(self, chunk: Chunk) -> None:
        """Mend the times of records that a wrong clock gave them, or that are of an earlier life (a replay's)."""
        given, told = chunk.records[0].timestamp, self.clock.at(chunk.runs[0][0].received_at)
        if chunk.times_refused > 1:
            chunk.retime(_unknown)
        elif chunk.times_refused or told is None or abs(given - told) > TOLERATED * 1000:
            chunk.retime(self.clock.at)

    def _unanswered(self, node: BrokerQueue, slots: Sequence[PartitionQueue], problem: LinkError) -> None:
        node.attempts += 1
        waits = answer_of(problem.code) is Action.OPERATOR if problem.code is not None else False
        node.not_before = monotonic() + _backoff(node.attempts, _STUBBORN if waits else _BUSY)
        node.trouble = str(problem) if problem.code is None else f"{problem} {remedy(problem.code, slots[0].topic)}"
        self._say("Kafka gives no answer.", problem=node.trouble)
        self.stale.set()
        for slot in slots:
            slot.take().uncertain |= problem.uncertain
            self._events.failed(slot.topic, "NO_ANSWER")

    def _judge(self, slot: PartitionQueue, code: int) -> None:
        chunk = slot.take()
        answer = answer_of(code)
        if answer is Action.CORRUPT:
            chunk.corrupt += 1
        if answer is Action.CONFIRMED:
            self._confirm(slot, chunk)
        elif answer is Action.REBUILD and self._options.idempotent:
            self._rebuild(slot, chunk, code)
        elif answer is Action.RETIME and chunk.times_refused <= 1:
            self._retime(slot, chunk, code)
        elif answer in _TAKEN_APART or chunk.corrupt >= _PATIENCE:
            self._take_apart(slot, chunk, code)
        else:
            self._again(slot, code, _STUBBORN if answer is Action.OPERATOR else _BUSY)
            chunk.uncertain |= maybe_stored(code)

    def _confirm(self, slot: PartitionQueue, chunk: Chunk) -> None:
        records = len(chunk.records)
        if self._options.idempotent:
            slot.sequence = (slot.sequence + records) & SEQUENCES
        slot.done()
        if self._away == {slot.topic}:  # it is there, whatever the last look has said
            self._away = set()
            self._all_there()
        waits = chunk.waits(monotonic())
        age = chunk.age(self.clock.now() / 1000)
        chunk.seal()
        self._events.confirmed(slot.topic, records, len(chunk.head) + len(chunk.body), waits, age)

    def _retime(self, slot: PartitionQueue, chunk: Chunk, code: int) -> None:
        """Send the same again under another time: at first under the one that Kafka tells, and then under none."""
        chunk.times_refused += 1
        chunk.head = chunk.body = b""
        self._events.failed(slot.topic, name_of(code))
        if chunk.times_refused > 1:
            self.clock.refused()
        self.untimely()
        slot.not_before = monotonic() + (_SOON if chunk.times_refused == 1 else 0.0)

    def _rebuild(self, slot: PartitionQueue, chunk: Chunk, code: int) -> None:
        """Leave this partition's sequence; others keep theirs, since nothing is wrong with them."""
        if self.producer == slot.producer:
            self.producer = None
        slot.producer = NO_PRODUCER
        chunk.forget()
        slot.attempts += 1
        slot.not_before = monotonic() + (_backoff(slot.attempts, _BUSY) if slot.attempts > 1 else 0.0)
        self._events.rebuilt(slot.topic, name_of(code))
        self._say("Records of a partition go on with a new producer id.", topic=slot.topic, error=name_of(code))

    def _take_apart(self, slot: PartitionQueue, chunk: Chunk, code: int) -> None:
        if chunk.uncertain and self._options.idempotent:
            # A try without an answer may have been stored under these sequence numbers; numbers that are given to
            # other records afterwards would be taken for duplicates and dropped.
            self._rebuild(slot, chunk, code)
        if len(chunk.records) > 1:
            if code in TOO_LARGE:  # the topic takes less than it said, so the next chunk is cut smaller
                slot.limit = min(slot.limit, chunk.size // 2)
            self._events.bisected(slot.topic)
            left, right = chunk.halves()
            slot.done()
            slot.pieces.extendleft((right, left))
            return
        self._events.refused(slot.topic, name_of(code))
        if not self._refuse(slot, chunk, code):
            self._again(slot, code, _STUBBORN)
            _LOG.error("Kafka refused a dead letter; it is kept.", topic=slot.topic, error=name_of(code))

    def _again(self, slot: PartitionQueue, code: int, most: float) -> None:
        """Keep the chunk for another try."""
        slot.attempts += 1
        slot.not_before = monotonic() + _backoff(slot.attempts, most)
        self.stale.set()
        self._events.failed(slot.topic, name_of(code))
        if slot.attempts >= _PATIENCE:
            advice = remedy(code, slot.topic)
            slot.trouble = f"Kafka does not store records of topic {slot.topic}: {name_of(code)}. {advice}"
            self._say("Kafka does not store records.", topic=slot.topic, error=name_of(code), fix=advice)

    async def _tend(self) -> None:
        """Refresh what is known of the cluster: regularly, and when an answer shows that it is old."""
        attempts = 0
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._options.metadata_max_age):
                    await self.stale.wait()
            self.stale.clear()
            try:
                await self._link.refresh()
                await self.refreshed()
            except LinkError as problem:
                attempts += 1
                self.trouble = str(problem)
                self._say("Kafka gives no answer.", problem=self.trouble)
                self.stale.set()
            else:
                attempts = 0
                self.trouble = ""
                for slot in self.active:
                    slot.leader = self._link.leader(slot.topic, slot.partition)
                self._look_for_topics()
                self._regroup()
                self.pump()
            await asyncio.sleep(_backoff(attempts, _BUSY))

    def _look_for_topics(self) -> None:
        """Say which topics are gone, once two looks agree, and go on at once with those that are back.

        Of those alone that something waits for: one that a reload has given up may be deleted.
        """
        away = {slot.topic for slot in self.active if self._link.codes.get(slot.topic) == _NO_TOPIC}
        for slot in self.active:
            if slot.topic in self._away - away:
                slot.not_before, slot.attempts, slot.trouble = 0.0, 0, ""
        gone = ", ".join(sorted(away & self._away))
        if gone:
            advice = remedy(_NO_TOPIC, gone)
            self._absence = f"Kafka has no topic {gone} any more: its records wait here. {advice}"
            self._say("A topic is gone; its records wait.", topic=gone, fix=advice)
        if away:
            asyncio.get_running_loop().call_later(_BUSY, self.stale.set)
        else:
            self._all_there()
        self._away = away

    def _all_there(self) -> None:
        if self._absence:
            self._absence = ""
            _LOG.info("Every topic is there again.")

    def _regroup(self) -> None:
        """Follow topics whose number of partitions has changed: devices have other partitions from now on."""
        for topic, count in self._link.partitions.items():
            before = self._counts.setdefault(topic, count)
            if count == before or topic in self._shrinking:
                continue
            self._events.partitions(topic, count)
            said = {"topic": topic, "before": before, "now": count}
            _LOG.warning("A topic has another number of partitions: devices move to others.", **said)
            if count < before:  # Kafka takes no partition away: the topic was made anew
                self._shrinking.add(topic)
            else:
                self._move(topic, whole=False)
        self._shrink()

    def _shrink(self) -> None:
        """Move what waits for topics with fewer partitions, once nothing of it is on the wire: so its order stays."""
        for topic in list(self._shrinking):
            if not any(slot.flying for slot in self.active if slot.topic == topic):
                self._shrinking.discard(topic)
                self._move(topic, whole=True)

    def _move(self, topic: str, *, whole: bool) -> None:
        """Let what waits for a topic go to the partitions that it has now.

        Args:
            topic: Its name.
            whole: Also what was sent and not confirmed: to the topic that was there before, or to this one. What this
                one has may then come twice, and no other records may take its sequence numbers.
        """
        left: list[Chunk] = []
        for slot in [slot for slot in self.active if slot.topic == topic]:
            left += slot.clear(wire=whole)
            if whole:
                self.producer, slot.producer = None, NO_PRODUCER
            if slot.idle():
                del self.active[slot]
        self._counts[topic] = count = self._link.partitions[topic]
        self.regrouped(topic, count, left)

    def _say(self, message: str, **fields: object) -> None:
        """Log an event, but not the same one twice a minute."""
        now, said = monotonic(), (message, *fields.values())
        if now - self._said.get(said, -_QUIET) >= _QUIET:
            self._said = {text: when for text, when in self._said.items() if now - when < _QUIET}
            self._said[said] = now
            _LOG.warning(message, **fields)


def _backoff(attempts: int, most: float) -> float:
    """Seconds to wait before the next try: doubling, with jitter, so that many clients do not come at once."""
    return min(most, _SOON * 2.0 ** min(attempts, 10)) * random.uniform(0.5, 1.0)  # noqa: S311


def _nothing() -> None:
    pass


def _unseen(_: int, __: float) -> None:
    pass


def _unknown(_: float) -> None:
    pass


def _nowhere(_: str, __: int, ___: Sequence[Chunk]) -> None:
    pass


async def _no_more() -> None:
    pass
