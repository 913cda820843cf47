"""The simulated city: every device speaks once a second, a few of them are broken."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field
from time import monotonic, time
from typing import Final, Protocol

from pipeline.demo.faults import FAULTS, Fault, sound
from pipeline.demo.kinds import KINDS, Device


class Publisher(Protocol):
    """Where the city's messages go."""

    def publish(self, topic: str, payload: bytes) -> None:
        """Send one."""


INTERVAL: Final = 1.0
"""Seconds between two messages of a device."""

_SLICE_SECONDS: Final = 0.02


@dataclass(slots=True)
class Citizen:
    """A device in the city's round. said: how many messages it has sent."""

    device: Device
    fault: Fault | None = None
    said: int = field(default=0)

    @property
    def silent(self) -> bool:
        """Whether it says nothing any more."""
        after = None if self.fault is None else self.fault.silent_after
        return after is not None and self.said >= after

    def speak(self, now: int, to: Publisher) -> None:
        """Send one message."""
        reading = self.device.kind.reading(self.device, now)
        if self.fault is None:
            to.publish(self.device.topic, sound(reading))
        else:
            to.publish(self.fault.topic or self.device.topic, self.fault.spoil(reading))
        self.said += 1


class City:
    """All devices, in one round that takes `INTERVAL`."""

    def __init__(self) -> None:
        self.citizens = [Citizen(Device(kind, number)) for kind in KINDS for number in range(1, kind.devices + 1)]
        for fault in FAULTS:
            next(each for each in self.citizens if each.device.kind.name == fault.kind and not each.fault).fault = fault
        random.Random(0).shuffle(self.citizens)  # noqa: S311 - a simulation, the same each time

    @property
    def silent(self) -> int:
        """How many devices have fallen silent."""
        return sum(each.silent for each in self.citizens)

    async def live(self, to: Publisher, stop: asyncio.Event) -> None:
        """Speak until the stop; what is late is caught up with."""
        started, turns = monotonic(), 0
        while not stop.is_set():
            due = int((monotonic() - started) / INTERVAL * len(self.citizens))
            now = round(time() * 1000)
            for turn in range(turns, due):
                citizen = self.citizens[turn % len(self.citizens)]
                if not citizen.silent:
                    citizen.speak(now, to)
            turns = due
            await asyncio.sleep(_SLICE_SECONDS)
