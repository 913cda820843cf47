"""Metrics of what a worker keeps beyond a message: on the disk over a restart, and of names in memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

_KNOWN = "Names that are remembered, and were asked for of late."
_FORGOTTEN = "Names forgotten because there were too many; of `seen`, also devices whose silence is noticed no more."


class Keeps(Protocol):
    """What outlives the process: pipeline/state/store.py."""

    @property
    def trouble(self) -> str:
        """Why it does not now; empty while it does."""

    @property
    def failures(self) -> int:
        """How many writes have failed."""


class Nothing:
    """Keeps nothing, and is meant to."""

    trouble = ""
    failures = 0


class Places(Protocol):
    """What is remembered by name: a `Room` (core/recent.py), or the devices expected to speak (devices/silence.py)."""

    kind: str
    places: int
    forgotten: int

    @property
    def young(self) -> int:
        """How many are remembered, of those asked for of late."""


def collect(store: Keeps, remembered: Iterable[Places]) -> Iterator[Metric]:
    """Yield the families."""
    known = GaugeMetricFamily("headrace_remembered_names", _KNOWN, labels=["what"])
    places = GaugeMetricFamily("headrace_remembered_limit", "How many are always remembered.", labels=["what"])
    forgotten = CounterMetricFamily("headrace_forgotten_names", _FORGOTTEN, labels=["what"])
    for each in remembered:
        known.add_metric([each.kind], each.young)
        places.add_metric([each.kind], each.places)
        forgotten.add_metric([each.kind], each.forgotten)
    yield from (known, places, forgotten)
    failing = "1 while the state folder cannot be written: what is learned does not outlive the process."
    yield GaugeMetricFamily("headrace_state_failing", failing, value=float(bool(store.trouble)))
    yield CounterMetricFamily("headrace_state_write_failures", "Writes of state that failed.", value=store.failures)
