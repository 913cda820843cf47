"""The kinds of devices in the demo's city, and what one of each says.

Most say JSON; a kind with a payload in binary returns bytes.
"""

from __future__ import annotations

import random
import struct
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from math import sin
from typing import Any, Final, Literal

from pipeline.core.delivery import Fate
from pipeline.core.errors import Reason


def elsys_ers(device: CityDevice, _now: int) -> bytes:
    """Write an ELSYS ERS CO2's items, a type and its data each: temperature, humidity, light, motion, CO2."""
    temperature, light = round(device.near(21, 1.5) * 10), round(device.near(300, 100, 0))
    return struct.pack(">BhBBBHBBBH", 1, temperature, 2, 45, 4, light, 5, 6, 6, round(device.near(700, 200, 0)))


def elsys_ers_in_hex(device: CityDevice, now: int) -> bytes:
    """Write the same as text."""
    return elsys_ers(device, now).hex().encode()


def decentlab_atm41(device: CityDevice, now: int) -> bytes:
    """Write a Decentlab DL-ATM41's seventeen words; each is a number of steps above or below 0x8000."""
    gust = device.near(6, 3, 2)
    steps = [
        *(round(device.near(300, 200, 0)), 0, 0, 0),  # solar radiation in W/m2; rain and lightning
        *(round(gust * 60), round(device.near(180, 179) * 10), round(gust * 100)),  # wind, direction, gust
        *(round(celsius(device, now) * 10), 120, 10_100, round(device.near(70, 15) * 10)),  # air: kPa, %
        *(150, 0, 0, 0, 0, 0),  # what is inside the housing, and the wind's parts
    ]
    return struct.pack(">BHH17H", 2, 858, 1, *(0x8000 + step for step in steps))


def milesight_em300(device: CityDevice, now: int) -> bytes:
    """Write a Milesight EM300-TH's channels, little-endian: battery, temperature, humidity."""
    temperature, humidity = round(celsius(device, now) * 10), round(device.near(70, 15) * 2)
    return struct.pack("<HBHhHB", 0x7501, 60 + device.number % 40, 0x6703, temperature, 0x6804, humidity)


def dragino_lht65(device: CityDevice, now: int) -> bytes:
    """Write a Dragino LHT65's eleven bytes: supply, temperature, humidity, and no probe."""
    humidity = round(device.near(70, 15) * 10)
    return struct.pack(">HhHB4s", 0xCBF6, round(celsius(device, now) * 100), humidity, 0, b"\x7f\xff\x7f\xff")


_DAY_SECONDS: Final = 86_400


def celsius(device: CityDevice, now: int) -> float:
    """Return the temperature where the device stands."""
    return device.near(11 + 6 * sin(now / 1000 % _DAY_SECONDS / _DAY_SECONDS * 6.283), 2)


def fahrenheit(device: CityDevice, now: int) -> float:
    """Return the same in degrees Fahrenheit."""
    return round(celsius(device, now) * 9 / 5 + 32, 1)


@dataclass(frozen=True, slots=True)
class ExpectedOutcome:
    """A fate, and what to say of it to a person. reason: of a dead letter."""

    text: str
    fate: Fate = Fate.PUBLISHED
    reason: Reason | None = None


PUBLISHED: Final = ExpectedOutcome("published")
COPY: Final = ExpectedOutcome("deduplicated", Fate.DEDUPLICATED)


def dead(reason: Reason) -> ExpectedOutcome:
    """Return the outcome of what cannot be used."""
    return ExpectedOutcome(f"dead letter: {reason.value}", Fate.DEAD_LETTERED, reason)


@dataclass(frozen=True, slots=True)
class Spoken:
    """A message of the city, and what is to become of it."""

    topic: str
    payload: bytes
    outcome: ExpectedOutcome = PUBLISHED

    def ending(self, outcome: ExpectedOutcome) -> Spoken:
        """Return it with another outcome."""
        return replace(self, outcome=outcome)


@dataclass(slots=True)
class Books:
    """What the city has sent, by what is to become of it."""

    fates: Counter[Fate] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)

    def note(self, spoken: Spoken) -> None:
        """Count a message."""
        self.fates[spoken.outcome.fate] += 1
        if spoken.outcome.reason is not None:
            self.reasons[spoken.outcome.reason.value] += 1


Reading = dict[str, Any]
NetworkName = Literal["chirpstack_json", "chirpstack_protobuf", "the_things_stack", "gateways"]
"""How a LoRaWAN device reaches Headrace: through a network server, or straight from gateways."""

_LONGITUDE, _LATITUDE = 3.7174, 51.0543


@dataclass(slots=True)
class CityDevice:
    """One device: its name, its place, and the chance that makes it differ from its neighbours."""

    kind: Kind
    number: int
    chance: random.Random = field(init=False)
    longitude: float = field(init=False)
    latitude: float = field(init=False)

    def __post_init__(self) -> None:
        self.chance = random.Random(self.name)  # noqa: S311 - a simulation, the same each time
        self.longitude = round(_LONGITUDE + self.chance.uniform(-0.06, 0.06), 5)
        self.latitude = round(_LATITUDE + self.chance.uniform(-0.03, 0.03), 5)

    @property
    def name(self) -> str:
        """Its name, as it stands in topics and payloads."""
        return f"{self.kind.name}-{self.number:04d}"

    @property
    def topic(self) -> str:
        """Where it publishes."""
        return f"city/{self.kind.name}/{self.name}"

    def near(self, middle: float, swing: float, digits: int = 1) -> float:
        """Return a value around the middle that wanders."""
        return round(middle + self.chance.uniform(-swing, swing), digits)

    def move(self) -> None:
        """Go a few metres."""
        self.longitude = round(self.longitude + self.chance.uniform(-0.0004, 0.0004), 5)
        self.latitude = round(self.latitude + self.chance.uniform(-0.0002, 0.0002), 5)


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of device. reading: what a device says at a time in milliseconds.

    network: of LoRaWAN devices, which have a port (FPort) and a vendor's connector.
    """

    name: str
    devices: int
    reading: Callable[[CityDevice, int], Reading | bytes]
    network: NetworkName | None = None
    port: int = 1
    connector: str | None = None


def iso(now: int) -> str:
    """Write a time as most devices and servers do."""
    return datetime.fromtimestamp(now / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _place(device: CityDevice) -> Reading:
    return {"lat": device.latitude, "lon": device.longitude}


def _air_station(device: CityDevice, now: int) -> Reading:
    return {
        "device": device.name,
        "ts": now,
        **_place(device),
        "temperature": celsius(device, now),
        "humidity": device.near(70, 15),
        "no2": device.near(24, 12),
        "o3": device.near(45, 20),
        "pm10": device.near(18, 8),
        "pm25": device.near(9, 4),
    }


def _air_box(device: CityDevice, now: int) -> Reading:
    return {
        "id": device.name,
        "time": iso(now),
        "pos": _place(device),
        "pm": {"p1": device.near(20, 10, 2), "p2": device.near(10, 5, 2)},
        "env": {"temp_f": fahrenheit(device, now)},
    }


def _weather_mast(device: CityDevice, now: int) -> Reading:
    return {
        "station": device.name,
        "epoch": now // 1000,
        **_place(device),
        "temp_f": fahrenheit(device, now),
        "rh": device.near(70, 15),
        "pressure": device.near(29.9, 0.3, 2),
        "wind": device.near(9, 6),
        "wind_from": device.near(180, 179, 0),
        "rain": max(0.0, device.near(-0.5, 1)),
    }


def _noise_meter(device: CityDevice, now: int) -> Reading:
    level = device.near(58, 9)
    return {"t": iso(now), **_place(device), "laeq": level, "lamax": round(level + abs(device.near(0, 12)), 1)}


def _room(device: CityDevice, now: int) -> Reading:
    people = device.chance.randrange(0, 12)
    return {
        "ts": now,
        "temp": device.near(21, 1.5),
        "hum": device.near(45, 8),
        "co2": 420 + 60 * people,
        "lux": device.near(350, 150, 0),
        "people": people,
    }


def _bus(device: CityDevice, now: int) -> Reading:
    device.move()
    gps = {**_place(device), "alt": device.near(9, 2)}
    return {"vehicle": device.name, "ts": now, "gps": gps, "no2": device.near(38, 18), "pm25": device.near(14, 6)}


KINDS: Final = (
    Kind("air-station", 80, _air_station),
    Kind("air-box", 80, _air_box),
    Kind("weather-mast", 40, _weather_mast),
    Kind("noise-meter", 60, _noise_meter),
    Kind("room", 60, _room),
    Kind("bus", 20, _bus),
    Kind("lora-room", 20, elsys_ers_in_hex),
    Kind("lora-mast", 20, decentlab_atm41),
    Kind("cs-climate", 16, milesight_em300, "chirpstack_json", 85, "milesight/em300-th"),
    Kind("cs-room", 16, elsys_ers, "chirpstack_protobuf", 5, "elsys/ers-co2"),
    Kind("tts-climate", 16, dragino_lht65, "the_things_stack", 2, "dragino/lht65"),
    Kind("raw-climate", 16, milesight_em300, "gateways", 85, "milesight/em300-th"),
    Kind("raw-room", 16, elsys_ers, "gateways", 5, "elsys/ers-co2"),
)
