"""One look at the running demo: what a view shows."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Final

from pipeline.demo.city import City
from pipeline.demo.consumer import Consumer
from pipeline.demo.mqtt import MqttPublisher
from pipeline.demo.scrape import Figures, quantile
from pipeline.demo.tally import Tally
from pipeline.publish.consumer import StoredRecord

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


class Watch:
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
