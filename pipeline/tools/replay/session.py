"""One replay: the dead-letter topic up to its present end, through the stages, into Kafka."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from time import monotonic

from pipeline.build import options as wiring
from pipeline.config.root import Config
from pipeline.core.delivery import Stage
from pipeline.core.errors import Reason
from pipeline.core.record import Record
from pipeline.publish import Publisher
from pipeline.publish.consumer import Reader
from pipeline.tools.dry_run import Paper
from pipeline.tools.replay.attempt import Attempts
from pipeline.tools.replay.letter import Letter, letter_of
from pipeline.tools.replay.replayed import Replayed
from pipeline.tools.replay.report import Report

_LEAVE_SECONDS = 2.0

Progress = Callable[[int, int], None]
"""Told how many of how many have been looked at."""


@dataclass(frozen=True, slots=True)
class Wanted:
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


async def replay(config: Config, wanted: Wanted, progress: Progress) -> Report:
    """Replay what is wanted and say what came of it.

    Raises:
        StartError: Kafka, a topic or the file of what was replayed is not as it should be.
    """
    letters = wiring.dead_letters(config)
    report = Report(letters.topic, wanted.dry_run)
    async with AsyncExitStack() as leave:
        reader = Reader(wiring.kafka_options(config), letters.topic)
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
    def __init__(self, config: Config, wanted: Wanted, report: Report, replayed: Replayed) -> None:
        self._config = config
        self._wanted = wanted
        self._report = report
        self._replayed = replayed
        self._letters = wiring.dead_letters(config)
        self._publisher: Publisher | None = None
        publisher: Stage[Record]
        if wanted.dry_run or wanted.dismiss:
            publisher = Paper(self._letters, self._on_paper)
        else:
            publisher = self._publisher = Publisher(wiring.kafka_options(config), self._refused, _Deaf())
        self._attempts = Attempts(config, publisher, self._letters, report, self._done)

    async def start(self, leave: AsyncExitStack) -> None:
        publisher = self._publisher
        if publisher is None:
            return
        await publisher.start(wiring.all_topics(self._config))

        async def close() -> None:
            await publisher.close(monotonic() + _LEAVE_SECONDS)

        leave.push_async_callback(close)

    async def run(self, reader: Reader, progress: Progress) -> None:
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
    """PublishEvents that nobody hears."""

    def confirmed(
        self, topic: str, records: int, size: int, waits: Iterable[tuple[float, int]], age: float | None
    ) -> None: ...
    def failed(self, topic: str, error: str) -> None: ...
    def refused(self, topic: str, error: str) -> None: ...
    def rebuilt(self, topic: str, error: str) -> None: ...
    def bisected(self, topic: str) -> None: ...
    def partitions(self, topic: str, count: int) -> None: ...
