"""The simulated city: every device speaks once a second, a few of them are broken."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from time import monotonic, time
from typing import Final, Protocol

from pipeline.demo.device import Device, NetworkName
from pipeline.demo.faults import FAULTS, Fault, sound
from pipeline.demo.gateways import Air, Gateway
from pipeline.demo.kinds import KINDS
from pipeline.demo.network_servers import ChirpStack, TheThingsStack
from pipeline.demo.node import Node
from pipeline.demo.outcome import PUBLISHED, Books, Spoken


class Publisher(Protocol):
    """Where the city's messages go."""

    def publish(self, topic: str, payload: bytes) -> None:
        """Send one."""


Network = ChirpStack | TheThingsStack | Air

INTERVAL: Final = 1.0
"""Seconds between two messages of a device."""

_SLICE_SECONDS: Final = 0.02


class Speaker(Protocol):
    """Whoever has a turn in the city's round."""

    @property
    def silent(self) -> bool:
        """Whether it says nothing any more."""

    def say(self, now: int) -> Sequence[Spoken]:
        """Return what it says in its turn, at a time in milliseconds."""


@dataclass(slots=True)
class Citizen:
    """A device in the city's round. turns: how many it has had. node, network: of LoRaWAN devices."""

    device: Device
    fault: Fault | None = None
    network: Network | None = None
    node: Node | None = None
    turns: int = field(default=0)

    @property
    def silent(self) -> bool:
        """Whether it says nothing any more."""
        after = None if self.fault is None else self.fault.silent_after
        return after is not None and self.turns >= after

    def say(self, now: int) -> Sequence[Spoken]:
        """Return what the device, or its network, says in one turn."""
        self.turns += 1
        reading = self.device.kind.reading(self.device, now)
        fault = self.fault
        payload = sound(reading) if fault is None else fault.spoil(reading)
        outcome = PUBLISHED if fault is None else fault.outcome
        if self.network is None or self.node is None:
            topic = self.device.topic if fault is None or fault.topic is None else fault.topic
            return [Spoken(topic, payload, outcome)]
        said = list(self.network.say(self.node, payload, now, outcome))
        self.node.turn += 1
        return said


class City:
    """All devices and gateways, in one round that takes `INTERVAL`. books: what they have said."""

    def __init__(self) -> None:
        self.books = Books()
        self.gateways = (Gateway("0016c001f1500812", 3.7250, 51.0537), Gateway("0016c001f15009a4", 3.6980, 51.0402))
        networks: Mapping[NetworkName, Network] = {
            "chirpstack_json": ChirpStack(json=True),
            "chirpstack_protobuf": ChirpStack(json=False),
            "the_things_stack": TheThingsStack(),
            "gateways": Air(self.gateways),
        }
        self.citizens = [Citizen(Device(kind, number)) for kind in KINDS for number in range(1, kind.devices + 1)]
        for fault in FAULTS:
            next(each for each in self.citizens if each.device.kind.name == fault.kind and not each.fault).fault = fault
        for citizen in self.citizens:
            name = citizen.device.kind.network
            if name is not None:
                citizen.network = networks[name]
                citizen.node = Node(citizen.device, citizen.fault.quirk if citizen.fault else None)
        random.Random(0).shuffle(self.citizens)  # noqa: S311 - a simulation, the same each time

    @property
    def silent(self) -> int:
        """How many devices have fallen silent."""
        return sum(each.silent for each in self.citizens)

    @property
    def speakers(self) -> Sequence[Speaker]:
        """Everybody, in the order of the round."""
        return [*self.gateways, *self.citizens]

    def turn(self, speaker: Speaker, now: int, to: Publisher) -> None:
        """Let one of them speak, and write it down."""
        for spoken in speaker.say(now):
            to.publish(spoken.topic, spoken.payload)
            self.books.note(spoken)

    async def live(self, to: Publisher, stop: asyncio.Event) -> None:
        """Speak until the stop; what is late is caught up with."""
        speakers = self.speakers
        started, turns = monotonic(), 0
        while not stop.is_set():
            due = int((monotonic() - started) / INTERVAL * len(speakers))
            now = round(time() * 1000)
            for turn in range(turns, due):
                speaker = speakers[turn % len(speakers)]
                if not speaker.silent:
                    self.turn(speaker, now, to)
            turns = due
            await asyncio.sleep(_SLICE_SECONDS)
