"""`silent_devices:` in the configuration: when a device is missed."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from pipeline.config.values import INTERVALS, Duration, Section, durations

Interval = Annotated[Duration, durations(*INTERVALS)]


class SilentDevices(Section):
    """When a device or gateway that does not speak is overdue. What is not set is learned from those that do."""

    after: float = Field(default=3.0, ge=1.5, le=1000, examples=[3])
    """How many of its intervals one may be silent."""
    interval: Interval = Field(default=3600.0, examples=["1h"])
    """The interval of those of which nothing is set, and too little was heard to learn it."""
    intervals: dict[str, Interval] = Field(default={}, examples=[{"acme/th-1": "10min", "NoiseLevelObserved": "5min"}])
    """The intervals of devices by connector or model; `interval` in the device registry goes before them."""
    events: bool = Field(default=False, examples=[True])
    """Whether who falls silent, and who is back, is told in `<tenant>.device-events.v1`, too."""
