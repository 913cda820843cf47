"""Metrics of devices and gateways that are overdue; never by name, for their number is the city's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from prometheus_client.core import GaugeMetricFamily, Metric

from pipeline.devices.silence import Counts


class _Group(Protocol):
    @property
    def counts(self) -> Counts: ...


class Watched(Protocol):
    """What was found at the last look."""

    @property
    def devices(self) -> _Group:
        """The devices."""

    @property
    def gateways(self) -> _Group:
        """The gateways."""


class _None:
    counts = Counts()


class Nobody:
    """Nobody is watched."""

    devices = gateways = _None()


def collect(watched: Watched) -> Iterator[Metric]:
    """Yield the families."""
    seen = "Devices that have been heard of, and not been silent for a week where no registry has them."
    yield GaugeMetricFamily("headrace_devices_seen", seen, value=watched.devices.counts.seen)
    for what, each in (("devices", watched.devices), ("gateways", watched.gateways)):
        said = f"Overdue {what}, by how long they have been silent: at most so long, longer, or never heard."
        family = GaugeMetricFamily(f"headrace_{what}_silent", said, labels=["age"])
        for age, count in each.counts.silent.items():
            family.add_metric([age], count)
        yield family
