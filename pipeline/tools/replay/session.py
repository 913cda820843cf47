"""One replay: the dead-letter topic up to its present end, through the stages, into Kafka."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, fields
from hashlib import sha256
from time import monotonic
from typing import Any

from pipeline.build import options as wiring
from pipeline.config.root import Config
from pipeline.core import times
from pipeline.core.budgets import LEAVE_SECONDS
from pipeline.core.delivery import INVALID_TOPIC, Batch, Delivery, Fate, Message, PassThrough, Stage
from pipeline.core.errors import Reason
from pipeline.core.record import DEVICE, DEVICE_MODEL, KEPT, Record, decode_headers
from pipeline.encode.dead_letter import TYPE, DeadLetters
from pipeline.publish import Publisher
from pipeline.publish.consumer import StoredRecord, TopicReader
from pipeline.tools.dry_run import DryRunPublisher, NullEvents
from pipeline.tools.replay.offsets import Replayed


@dataclass(frozen=True, slots=True)
class Letter:
    """One dead letter.

    Attributes:
        reason: As it was written.
        message: None where `lost` says why the message cannot be made again.
    """

    partition: int
    offset: int
    feed: str
    reason: str
    message: Message | None
    lost: str = ""


def letter_of(record: StoredRecord) -> Letter:
    """Read a record of the dead-letter topic.

    The message gets its first arrival again, so that a reading without a time of its own keeps its `ce_id`.
    """
    headers = {name: value.decode(errors="replace") for name, value in record.headers}
    feed, reason = headers.get("ce_feed", ""), headers.get("ce_reason", "")
    message, lost = _message(record, headers)
    return Letter(record.partition, record.offset, feed, reason, message, lost)


def _message(record: StoredRecord, headers: dict[str, str]) -> tuple[Message | None, str]:
    if headers.get("ce_type") != TYPE:
        return None, "is no dead letter of Headrace"
    if headers.get("ce_reason") == Reason.PACKET_INVALID.value:
        return None, "a packet that broke MQTT's rules holds no payload"
    topic, payload = headers.get("ce_sourcetopic", ""), record.value or b""
    if headers.get(KEPT, "0") != "0":
        return None, "of the payload only the start was kept, and what is cut is never decoded"
    if topic.startswith(INVALID_TOPIC):
        return None, "MQTT does not allow its topic, so that no route can take it"
    arrival = times.parse(headers.get("ce_time", ""), "iso")
    # The id holds a digest of both as they came: a payload not kept and a topic cut or escaped show in it.
    digest = sha256(topic.encode() + b"\0" + payload).hexdigest()[:16]
    if arrival is None or headers.get("ce_id", "").rpartition(":")[2] != digest:
        return None, "its payload or topic was not kept as it came (`dead_letters.payload`)"
    return Message(topic, payload, arrival), ""


@dataclass(slots=True)
class ReplayReport:
    """The counts of one replay.

    Attributes:
        seen: Dead letters looked at.
        passed_over: Dead letters of another reason, or older ones.
        before: Dead letters done by an earlier replay.
        dismissed: Dead letters counted as done without a trial.
        filtered: Messages dropped as a route says.
        again: Messages that failed again, by the present reason.
        samples: The first sentence of each present reason.
        unusable: Dead letters that cannot be replayed, by the cause.
        unconfirmed: Messages that Kafka has not confirmed in time.
    """

    topic: str
    dry_run: bool
    seen: int = 0
    passed_over: int = 0
    before: int = 0
    dismissed: int = 0
    published: int = 0
    filtered: int = 0
    again: Counter[str] = field(default_factory=Counter)
    samples: dict[str, str] = field(default_factory=dict)
    unusable: Counter[str] = field(default_factory=Counter)
    unconfirmed: int = 0

    @property
    def tried(self) -> int:
        """How many have gone through the stages."""
        return self.published + self.filtered + self.again.total() + self.unconfirmed

    @property
    def clean(self) -> bool:
        """Say whether everything that was meant came out."""
        return not self.again and not self.unusable and not self.unconfirmed


def plain(report: ReplayReport) -> dict[str, Any]:
    """Return the report as JSON takes it; `asdict` of Python 3.11 makes tuples of a Counter's keys."""
    values = {each.name: getattr(report, each.name) for each in fields(report)}
    return {name: dict(value) if isinstance(value, dict) else value for name, value in values.items()}


def text(report: ReplayReport) -> str:
    """Write the report for a person."""
    return "\n".join(_lines(report))


def _lines(report: ReplayReport) -> Iterator[str]:
    yield f"{report.topic}: {_count(report.seen, 'dead letter')} looked at"
    verb = "would come out" if report.dry_run else "came out"
    if report.dismissed:
        yield f"    {report.dismissed} {'would be ' if report.dry_run else ''}dismissed: no later replay tries them"
    else:
        yield f"    {report.published} {verb} as records"
    if report.filtered:
        yield f"    {report.filtered} filtered, as their route says"
    if report.again:
        yield f"    {report.again.total()} failed again"
    for reason, count in report.again.most_common():
        yield f"        {count} {reason}: {report.samples.get(reason, '')}"
        yield f"            {_meaning(reason)}"
    for why, count in report.unusable.most_common():
        yield f"    {count} cannot be replayed: {why}"
    if report.unconfirmed:
        yield f"    {report.unconfirmed} not confirmed by Kafka in time: the next replay takes them again"
    if report.before:
        yield f"    {report.before} replayed or dismissed before (--again takes them too)"
    if report.passed_over:
        yield f"    {report.passed_over} not asked for"
    if report.dry_run:
        yield "    nothing was written (--dry-run)"


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _meaning(reason: str) -> str:
    known = Reason.__members__.get(reason.upper())
    return "" if known is None else known.explanation


_MOST_PENDING = 5000
_COUNTED = "The frame counter went back. Only `frames: {reset: accept}` of the feed takes such a frame."
_NO_FEED = "their feed is no longer in the configuration"


class Attempts:
    """Takes letters and counts what became of them; `done` is called for each that need not be tried again.

    What route, decode and normalise refuse again is not written a second time: it is in the topic already.
    """

    def __init__(
        self,
        config: Config,
        publisher: Stage[Record],
        letters: DeadLetters,
        report: ReplayReport,
        done: Callable[..., None],
    ) -> None:
        self.pending = 0
        self._settled = asyncio.Event()
        self._report = report
        self._done = done
        topics = wiring.topics(config)
        self._gate = _Gate(publisher, frozenset(topics[model] for model in (DEVICE, DEVICE_MODEL) if model in topics))
        self._resets = {name for name, feed in config.feeds.items() if feed.frames and feed.frames.reset == "accept"}
        self._routers: Mapping[str, Stage[Message]] = {
            name: wiring.router(config, name, publisher=self._gate, letters=letters, events=NullEvents())
            for name in config.feeds
        }

    def put(self, letter: Letter) -> None:
        """Take one letter."""
        router = self._routers.get(letter.feed)
        if letter.message is None or router is None:
            self._report.unusable[letter.lost or _NO_FEED] += 1
            return
        if letter.reason == Reason.F_CNT_INVALID.value and letter.feed not in self._resets:
            self.refused(Reason.F_CNT_INVALID, _COUNTED)
            return
        self.pending += 1
        verdict: list[tuple[str, str]] = []

        def settled(delivery: Delivery) -> None:
            self._settle(letter, max(fate for fate in Fate if delivery.fates[fate]), verdict)

        self._gate.verdict = verdict
        router.put(Batch(Delivery(1, [0] * len(Fate), settled, monotonic()), [letter.message]))

    async def passed_on(self, feed: str) -> None:
        """Let a feed's stages pass on what they keep, so that what they say of it is said of the letter just taken."""
        router = self._routers.get(feed)
        if router is not None and router.pending():
            await router.drain(monotonic())

    async def room(self) -> None:
        """Wait while too many letters have no fate yet."""
        while self.pending >= _MOST_PENDING:
            self._settled.clear()
            await self._settled.wait()

    def refused(self, reason: Reason, detail: str) -> None:
        """Take note that Kafka refused a record; its new dead letter is in the topic, so the old one is done."""
        self._report.again[reason.value] += 1
        self._report.samples.setdefault(reason.value, detail)

    def _settle(self, letter: Letter, fate: Fate, verdict: list[tuple[str, str]]) -> None:
        self.pending -= 1
        self._settled.set()
        if verdict:
            reason, detail = verdict[0]
            self._report.again[reason] += 1
            self._report.samples.setdefault(reason, detail)
            return
        self._report.published += fate in {Fate.PUBLISHED, Fate.DEDUPLICATED}
        self._report.filtered += fate is Fate.FILTERED
        self._done(letter.partition, letter.offset)


class _Gate(PassThrough[Record]):
    """Lets records through to the publisher, and keeps dead letters back: `verdict` gets their reason and detail.

    current: the topics that hold each device's present state, which an old message must not take the place of.
    """

    def __init__(self, publisher: Stage[Record], current: frozenset[str]) -> None:
        self.verdict: list[tuple[str, str]] = []
        self._current = current
        self._publisher = publisher

    def put(self, batch: Batch[Record]) -> None:
        through: list[Record] = []
        for record in batch.items:
            if record.destination.topic in self._current:
                batch.delivery.seal(Fate.DEDUPLICATED)
            elif record.message is not None:
                through.append(record)
            else:
                headers = dict(decode_headers(record.headers))
                self.verdict.append((headers["ce_reason"].decode(), headers["ce_detail"].decode()))
                batch.delivery.seal(Fate.DEAD_LETTERED)
        if through:
            self._publisher.put(Batch(batch.delivery, through))


Progress = Callable[[int, int], None]
"""Told how many of how many have been looked at."""


@dataclass(frozen=True, slots=True)
class ReplaySelection:
    """Which dead letters, and what is to become of them.

    Attributes:
        reasons: Only these; empty for all.
        since: Only what arrived at this time or later, in milliseconds since 1970 UTC.
        again: Also those that an earlier replay has done with.
        dismiss: Count them as done without trying them.
        dry_run: Write nothing.
    """

    reasons: frozenset[str] = frozenset()
    since: int | None = None
    again: bool = False
    dismiss: bool = False
    dry_run: bool = False

    def takes(self, letter: Letter, arrival: int) -> bool:
        """Say whether a letter is asked for."""
        return (not self.reasons or letter.reason in self.reasons) and (self.since is None or arrival >= self.since)


async def replay(config: Config, wanted: ReplaySelection, progress: Progress) -> ReplayReport:
    """Replay what is wanted and say what came of it.

    Raises:
        StartError: Kafka, a topic or the file of what was replayed is not as it should be.
    """
    letters = wiring.dead_letters(config)
    report = ReplayReport(letters.topic, wanted.dry_run)
    async with AsyncExitStack() as leave:
        reader = TopicReader(wiring.kafka_options(config), letters.topic)
        leave.push_async_callback(reader.close)
        await reader.open(beginning=True)
        replayed = Replayed(wiring.state_folder(config), letters.topic)
        leave.callback(replayed.close)
        replayed.open(reader.begins, reader.ends)
        session = _Session(config, wanted, report, replayed)
        await session.start(leave)
        if not wanted.dry_run:
            leave.callback(replayed.save)  # whatever happens, what is done is remembered
        await session.run(reader, progress)
    return report


class _Session:
    def __init__(self, config: Config, wanted: ReplaySelection, report: ReplayReport, replayed: Replayed) -> None:
        self._config = config
        self._wanted = wanted
        self._report = report
        self._replayed = replayed
        self._letters = wiring.dead_letters(config)
        self._publisher: Publisher | None = None
        publisher: Stage[Record]
        if wanted.dry_run or wanted.dismiss:
            publisher = DryRunPublisher(self._letters, self._on_paper)
        else:
            publisher = self._publisher = Publisher(wiring.kafka_options(config), self._refused, _Deaf())
        self._attempts = Attempts(config, publisher, self._letters, report, self._done)

    async def start(self, leave: AsyncExitStack) -> None:
        publisher = self._publisher
        if publisher is None:
            return
        await publisher.start(wiring.all_topics(self._config))

        async def close() -> None:
            await publisher.close(monotonic() + LEAVE_SECONDS)

        leave.push_async_callback(close)

    async def run(self, reader: TopicReader, progress: Progress) -> None:
        total = sum(reader.ends[number] - reader.begins[number] for number in reader.ends)
        while not await reader.at_end():
            for record in await reader.fetch():
                if record.offset < reader.ends[record.partition]:
                    letter = letter_of(record)
                    self._judge(letter, record.timestamp)
                    await self._attempts.passed_on(letter.feed)
                    await self._attempts.room()
            progress(self._report.seen, total)
            if not self._wanted.dry_run:
                self._replayed.save()
        if self._publisher is not None:
            await self._publisher.drain(monotonic() + self._config.drain_timeout)
        self._report.unconfirmed = self._attempts.pending

    def _judge(self, letter: Letter, timestamp: int) -> None:
        self._report.seen += 1
        arrival = timestamp if letter.message is None else letter.message.arrival
        if not self._wanted.takes(letter, arrival):
            self._report.passed_over += 1
        elif (letter.partition, letter.offset) in self._replayed and not self._wanted.again:
            self._report.before += 1
        elif self._wanted.dismiss:
            self._report.dismissed += 1
            self._done(letter.partition, letter.offset)
        else:
            self._attempts.put(letter)

    def _done(self, partition: int, offset: int) -> None:
        if not self._wanted.dry_run:
            self._replayed.add(partition, offset)

    def _refused(self, record: Record, reason: Reason, detail: str) -> Record | None:
        self._attempts.refused(reason, detail)
        return self._letters.refused(record, reason, detail)

    def _on_paper(self, record: Record) -> None:
        if record.message is None:
            self._attempts.refused(Reason.RECORD_TOO_LARGE, "The record is too large for Kafka.")


class _Deaf:
    """PublishEvents that are dropped."""

    def confirmed(
        self, topic: str, records: int, size: int, waits: Iterable[tuple[float, int]], age: float | None
    ) -> None: ...
    def failed(self, topic: str, error: str) -> None: ...
    def refused(self, topic: str, error: str) -> None: ...
    def rebuilt(self, topic: str, error: str) -> None: ...
    def bisected(self, topic: str) -> None: ...
    def partitions(self, topic: str, count: int) -> None: ...
