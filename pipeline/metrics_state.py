"""Metrics of what a worker keeps beyond a message: on the disk, over a restart."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric


class Keeps(Protocol):
    """What outlives the process: pipeline/store.py."""

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


def collect(store: Keeps) -> Iterator[Metric]:
    """Yield the families."""
    failing = "1 while the state folder cannot be written: what is learned does not outlive the process."
    yield GaugeMetricFamily("headrace_state_failing", failing, value=float(bool(store.trouble)))
    yield CounterMetricFamily("headrace_state_write_failures", "Writes of state that failed.", value=store.failures)
