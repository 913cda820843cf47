"""The simulated city: every device speaks once a second, a few of them are broken."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from time import monotonic, time
from typing import Any, Final, Protocol

import orjson

from pipeline.core.delivery import Fate
from pipeline.core.errors import Reason
from pipeline.demo.devices import (
    KINDS,
    PUBLISHED,
    Books,
    CityDevice,
    ExpectedOutcome,
    NetworkName,
    Reading,
    Spoken,
    dead,
)
from pipeline.demo.lorawan import Air, ChirpStack, CityGateway, CityNode, Quirk, TheThingsStack

_TWO_HOURS: Final = 2 * 3600 * 1000


def sound(reading: Reading | bytes) -> bytes:
    """Encode a reading as it should be."""
    return reading if isinstance(reading, bytes) else orjson.dumps(reading)


@dataclass(frozen=True, slots=True)
class Fault:
    """One way to be broken.

    Attributes:
        kind: Which devices.
        outcome: What is to become of its messages.
        spoil: Makes the payload.
        topic: Instead of the device's own.
        silent_after: So many messages, and then no more.
        quirk: What is odd about the network that brings it.
    """

    name: str
    kind: str
    outcome: ExpectedOutcome
    spoil: Callable[[Any], bytes] = sound
    topic: str | None = None
    silent_after: int | None = None
    quirk: Quirk | None = None


def _changed(**values: object) -> Callable[[Reading], bytes]:
    return lambda reading: orjson.dumps({**reading, **values})


def _fast_clock(reading: Reading) -> bytes:
    return orjson.dumps({**reading, "ts": reading["ts"] + _TWO_HOURS})


def _seconds(reading: Reading) -> bytes:
    return orjson.dumps({**reading, "ts": reading["ts"] // 1000})


def _cut(reading: Reading | bytes) -> bytes:
    whole = sound(reading)
    return whole[: len(whole) * 2 // 3]


def _not_a_number(reading: Reading) -> bytes:
    return orjson.dumps({**reading, "temperature": None}).replace(b"null", b"NaN")


def _twice(reading: Reading) -> bytes:
    return orjson.dumps(reading)[:-1] + b',"laeq":99.9}'


def _in_a_list(reading: Reading) -> bytes:
    return orjson.dumps([reading])


_CLOCK: Final = ExpectedOutcome("published with the time of arrival, flagged `clock`")

FAULTS: Final = (
    Fault("a clock two hours fast", "air-station", _CLOCK, _fast_clock),
    Fault("seconds instead of milliseconds", "room", _CLOCK, _seconds),
    Fault(
        "a humidity of 6553.5 %", "weather-mast", ExpectedOutcome("published without it, flagged"), _changed(rh=6553.5)
    ),
    Fault(
        "a dead sensor head",
        "air-box",
        dead(Reason.OUT_OF_BOUNDS),
        _changed(pm={"p1": -999, "p2": -999}, env={"temp_f": "n/a"}),
    ),
    Fault("packets cut short", "air-box", dead(Reason.MALFORMED), _cut),
    Fault("NaN, which is no JSON", "air-station", dead(Reason.MALFORMED), _not_a_number),
    Fault("a key twice", "noise-meter", dead(Reason.DUPLICATE_KEY), _twice),
    Fault("a list around the reading", "room", dead(Reason.NOT_AN_OBJECT), _in_a_list),
    Fault("half a frame", "lora-mast", dead(Reason.PAYLOAD_ERROR), _cut),
    Fault("no satellite in view", "bus", dead(Reason.LOCATION_INVALID), _changed(gps={"lat": 0.0, "lon": 0.0})),
    Fault("forgot its own name", "air-station", dead(Reason.DEVICE_MISSING), _changed(device="")),
    Fault("lifts, which no route takes", "room", dead(Reason.NO_ROUTE), topic="city/lift/0001/state"),
    Fault("fell silent", "noise-meter", ExpectedOutcome("nothing: no message, no record"), silent_after=3),
    Fault("not in the registry", "cs-climate", dead(Reason.DEVICE_UNKNOWN), quirk=Quirk.UNKNOWN),
    Fault("its server has no AppSKey", "cs-room", dead(Reason.ENCRYPTED), quirk=Quirk.ENCRYPTED),
    Fault("its server's clock is fast", "tts-climate", _CLOCK, quirk=Quirk.FAST_SERVER),
    Fault("a wrong key in the registry", "raw-climate", dead(Reason.MIC_INVALID), quirk=Quirk.WRONG_KEY),
    Fault("last week's frames, replayed", "raw-room", dead(Reason.F_CNT_INVALID), quirk=Quirk.REPLAYED),
    Fault(
        "a device of another owner",
        "raw-climate",
        ExpectedOutcome("filtered: counted as foreign, not recorded", Fate.FILTERED),
        quirk=Quirk.STRANGER,
    ),
    Fault(
        "collides with another frame",
        "raw-climate",
        ExpectedOutcome("filtered: counted as crc_invalid", Fate.FILTERED),
        quirk=Quirk.COLLIDING,
    ),
    Fault(
        "asks to join, again and again",
        "raw-room",
        ExpectedOutcome("device events: a network server must answer it"),
        quirk=Quirk.JOINING,
    ),
)


class Publisher(Protocol):
    """Where the city's messages go."""

    def publish(self, topic: str, payload: bytes) -> None:
        """Send one."""


Network = ChirpStack | TheThingsStack | Air

INTERVAL: Final = 1.0
"""Seconds between two messages of a device."""

_SLICE_SECONDS: Final = 0.02


class Speaker(Protocol):
    """A device or gateway that has a turn in the city's round."""

    @property
    def silent(self) -> bool:
        """Whether it says nothing any more."""

    def say(self, now: int) -> Sequence[Spoken]:
        """Return what it says in its turn, at a time in milliseconds."""


@dataclass(slots=True)
class Citizen:
    """A device in the city's round.

    Attributes:
        turns: How many it has had.
        node: Its LoRaWAN node, if it is one.
        network: The network that brings its uplinks, if it is a LoRaWAN device.
    """

    device: CityDevice
    fault: Fault | None = None
    network: Network | None = None
    node: CityNode | None = None
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
    """All devices and gateways, in one round that takes `INTERVAL`.

    Attributes:
        books: What they have said.
    """

    def __init__(self) -> None:
        self.books = Books()
        self.gateways = (
            CityGateway("0016c001f1500812", 3.7250, 51.0537),
            CityGateway("0016c001f15009a4", 3.6980, 51.0402),
        )
        networks: Mapping[NetworkName, Network] = {
            "chirpstack_json": ChirpStack(json=True),
            "chirpstack_protobuf": ChirpStack(json=False),
            "the_things_stack": TheThingsStack(),
            "gateways": Air(self.gateways),
        }
        self.citizens = [Citizen(CityDevice(kind, number)) for kind in KINDS for number in range(1, kind.devices + 1)]
        for fault in FAULTS:
            next(each for each in self.citizens if each.device.kind.name == fault.kind and not each.fault).fault = fault
        for citizen in self.citizens:
            name = citizen.device.kind.network
            if name is not None:
                citizen.network = networks[name]
                citizen.node = CityNode(citizen.device, citizen.fault.quirk if citizen.fault else None)
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
