"""Five minutes of throughput and latency, a point a second, so that a page that is opened now has a past."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from itertools import pairwise

from pipeline.core.delivery import Fate
from pipeline.observe.metrics import LATENCY_BUCKETS, Metrics

POINTS = 300
Point = tuple[int, float, float, float, "float | None", "float | None"]
"""Time (ms since 1970); received, published and dead-lettered messages/s; latency's median and 99th percentile (s)."""


class History:
    """Compares the counters with those of the last look."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._counts = [0, 0, 0]
        self._latency = [0] * (len(LATENCY_BUCKETS) + 1)
        self._at: float | None = None
        self.points: deque[Point] = deque(maxlen=POINTS)

    def look(self, now: float, milliseconds: int) -> None:
        """Add a point. now: monotonic seconds; milliseconds: since 1970."""
        counts, latency = self._now()
        if self._at is not None and now > self._at:
            received, published, dead = (
                round((new - old) / (now - self._at), 1) for new, old in zip(counts, self._counts, strict=True)
            )
            fresh = [new - old for new, old in zip(latency, self._latency, strict=True)]
            self.points.append((milliseconds, received, published, dead, quantile(fresh, 0.5), quantile(fresh, 0.99)))
        self._at, self._counts, self._latency = now, counts, latency

    def _now(self) -> tuple[list[int], list[int]]:
        ledgers = self._metrics.ledgers.values()
        fates = (Fate.PUBLISHED, Fate.DEAD_LETTERED)
        counts = [
            sum(each.received for each in ledgers),
            *(sum(each.fates[fate] for each in ledgers) for fate in fates),
        ]
        topics = [each.latency.counts for each in self._metrics.publish.topics.values()]
        return counts, [sum(column) for column in zip(*topics, strict=True)] or [0] * len(self._latency)


def quantile(counts: Sequence[int], share: float) -> float | None:
    """Return the seconds within which a share of records was confirmed; counts: by LATENCY_BUCKETS, not cumulative.

    Between two bounds it is interpolated, as Prometheus does; beyond the last it is the last. None without a record.
    """
    wanted, running = sum(counts) * share, 0
    if not wanted:
        return None
    for count, (low, high) in zip(counts, pairwise([0.0, *LATENCY_BUCKETS]), strict=False):
        if count and running + count >= wanted:
            return round(low + (high - low) * (wanted - running) / count, 6)
        running += count
    return LATENCY_BUCKETS[-1]
