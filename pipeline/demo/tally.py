"""The books of a demo, at any moment and at its end."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Final

from pipeline.core.delivery import Fate
from pipeline.demo.city import City
from pipeline.demo.figures import Consumer, Figures, quantile
from pipeline.demo.mqtt import MqttPublisher
from pipeline.publish.consumer import StoredRecord

_SHOWN: Final = {
    Fate.PUBLISHED: "published",
    Fate.DEAD_LETTERED: "dead-letter",
    Fate.DEDUPLICATED: "deduplicated",
    Fate.FILTERED: "filtered",
}


@dataclass(frozen=True, slots=True)
class Tally:
    """What each side has counted by itself.

    Attributes:
        sent: What the MQTT broker has confirmed to the city.
        fates: The expected fates of that, as the city knows them.
        reasons: The expected reasons of its dead letters.
        worker: The worker's figures.
        records: The records that a consumer has read, by topic.
        dead_letters: The dead letters that it has read, by reason.
        about: What it has read of devices, beside the records of messages.
        worker_exit: The worker's exit code.
    """

    sent: int
    fates: Mapping[Fate, int]
    reasons: Mapping[str, int]
    worker: Figures
    records: Mapping[str, int]
    dead_letters: Mapping[str, int]
    about: Mapping[str, int] = field(default_factory=dict)
    flagged: int = 0
    worker_exit: int = 0

    @property
    def read(self) -> int:
        """Records that the consumer has read, one for each published message."""
        return sum(self.records.values())

    @property
    def dead(self) -> int:
        """Dead letters that the consumer has read."""
        return sum(self.dead_letters.values())

    @property
    def conserved(self) -> bool:
        """Whether every message is where the city says, once, and all agree about it."""
        worker = self.worker
        return (
            self.sent == worker.received == sum(self.fates.values())
            and all(worker.fate(fate) == self.fates.get(fate, 0) for fate in Fate)
            and self.read == worker.fate(Fate.PUBLISHED)
            and self.dead_letters == self.reasons
            and self.dead == worker.fate(Fate.DEAD_LETTERED)
            and worker.conserved
            and not worker.in_flight
            and self.sent > 0
            and self.worker_exit == 0
        )

    def text(self, p50: float | None, p99: float | None) -> str:
        """Return the summary."""
        latency = f"p50 {in_ms(p50)}, p99 {in_ms(p99)}; raw frames wait for what other gateways hear"
        return "\n".join([*self._by_fate(), f"{'latency':<22} {latency}", *self._read(), *self._end()])

    def _by_fate(self) -> list[str]:
        worker = self.worker
        lines = [f"{'':<22}{'the city says':>15}{'the worker':>13}{'a consumer':>13}"]
        lines.append(f"{'messages':<22}{self.sent:>15,}{worker.received:>13,}")
        found = {Fate.PUBLISHED: f"{self.read:,}", Fate.DEAD_LETTERED: f"{self.dead:,}"}
        lines += [
            f"  {name:<20}{self.fates.get(fate, 0):>15,}{worker.fate(fate):>13,}{found.get(fate, ''):>13}".rstrip()
            for fate, name in _SHOWN.items()
        ]
        return [*lines, ""]

    def _read(self) -> list[str]:
        worker = self.worker
        by_feed = ", ".join(f"{n:,} from {feed}" for feed, n in worker.feeds.items())
        frames = ", ".join(f"{n:,} {outcome}" for outcome, n in worker.frames.items() if n)
        return [
            f"{'feeds':<22} {by_feed}",
            f"{'raw frames':<22} {frames}; {worker.gateways} gateways",
            "",
            f"a consumer read        {self.read:>9,}   records, {self.flagged:,} of them flagged in ce_quality",
            *(f"                       {n:>9,}   {topic}" for topic, n in sorted(self.records.items())),
            f"                       {sum(self.about.values()):>9,}   records about devices, beside them",
            *(f"                       {n:>9,}   {topic}" for topic, n in sorted(self.about.items())),
            f"                       {self.dead:>9,}   dead letters",
            *(f"                       {n:>9,}   {reason}" for reason, n in sorted(self.dead_letters.items())),
            "",
        ]

    def _end(self) -> list[str]:
        worker = self.worker
        copies, filtered = worker.fate(Fate.DEDUPLICATED), worker.fate(Fate.FILTERED)
        sums = f"{self.sent} sent, {worker.received} received, {self.read} records + {self.dead} dead letters read"
        sums += f", {copies} deduplicated, {filtered} filtered"
        lines = [f"Conserved: {sums}." if self.conserved else f"NOT conserved: {sums}."]
        if self.worker_exit:
            lines.append(f"The worker ended with exit code {self.worker_exit}.")
        return lines


def in_ms(seconds: float | None) -> str:
    """Write a latency."""
    return "-" if seconds is None else f"{seconds * 1000:.0f} ms"


QUIET_SECONDS: Final = 5.0
_WINDOW_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True)
class Moment:
    """The figures of now. Rates are messages a second over the last seconds, latencies seconds, None before any."""

    seconds: float
    tally: Tally
    rate_in: float
    rate_out: float
    p50: float | None
    p99: float | None
    devices: int
    entities: int
    quiet: int
    events: Mapping[str, int]
    newest: StoredRecord | None
    trouble: Sequence[str] = ()


class DemoWatch:
    """Makes moments out of the worker's figures and the consumer's counts."""

    def __init__(self, city: City, publisher: MqttPublisher, consumer: Consumer) -> None:
        self._city, self._publisher, self._consumer = city, publisher, consumer
        self.trouble: Sequence[str] = ()  # what is wrong with brokers and worker, a sentence each
        self._started = monotonic()
        self._looks: deque[tuple[float, Figures]] = deque([(self._started, Figures())])

    def learn(self, figures: Figures) -> None:
        """Take a scrape."""
        now = monotonic()
        self._looks.append((now, figures))
        while len(self._looks) > 2 and now - self._looks[1][0] > _WINDOW_SECONDS:  # noqa: PLR2004 - two make a window
            self._looks.popleft()

    def tally(self, worker_exit: int = 0) -> Tally:
        """Return the books of now."""
        consumer, books = self._consumer, self._city.books
        return Tally(
            self._publisher.confirmed,
            books.fates.copy(),
            books.reasons.copy(),
            self._looks[-1][1],
            records=dict(consumer.records),
            dead_letters=dict(consumer.dead_letters),
            about=dict(consumer.about),
            flagged=consumer.flagged,
            worker_exit=worker_exit,
        )

    def moment(self) -> Moment:
        """Return what is to be shown now."""
        (before, earlier), (at, later) = self._looks[0], self._looks[-1]
        seconds = max(at - before, 0.001)
        return Moment(
            seconds=monotonic() - self._started,
            tally=self.tally(),
            rate_in=(later.received - earlier.received) / seconds,
            rate_out=(later.settled - earlier.settled) / seconds,
            p50=quantile(later, earlier, 0.5),
            p99=quantile(later, earlier, 0.99),
            devices=len(self._city.citizens),
            entities=len(self._consumer.heard),
            quiet=self._consumer.quiet(QUIET_SECONDS),
            events=dict(self._consumer.events),
            newest=self._consumer.newest,
            trouble=tuple(self.trouble),
        )

    def latency(self, share: float) -> float | None:
        """Return a quantile over the whole run."""
        return quantile(self._looks[-1][1], None, share)
