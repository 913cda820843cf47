"""One device of the demo's city, and the kinds that there are of them."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

Reading = dict[str, Any]
NetworkName = Literal["chirpstack_json", "chirpstack_protobuf", "the_things_stack", "gateways"]
"""How a LoRaWAN device reaches Headrace: through a network server, or straight from gateways."""

_LONGITUDE, _LATITUDE = 3.7174, 51.0543


@dataclass(slots=True)
class Device:
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
    reading: Callable[[Device, int], Reading | bytes]
    network: NetworkName | None = None
    port: int = 1
    connector: str | None = None
