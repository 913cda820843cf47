"""What `explain` says of one message: plain values, in the order of the hops, ready to be JSON."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Field:
    """One value of the payload. used_by: what takes it, or None."""

    path: str
    value: Any
    used_by: str | None


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute of the plan. change: the value on its way. verdict: `fits`, or what is wrong with it."""

    name: str
    field: str
    change: str
    verdict: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Partition:
    """Where the key leads. number is None where nobody has said how many partitions there are."""

    number: int | None
    count: int | None


@dataclass(frozen=True, slots=True)
class Published:
    """A record. value: the entity or the device event, decoded."""

    topic: str
    key: str
    partition: Partition
    timestamp: str
    size: int
    headers: dict[str, str]
    value: Any


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """What the message becomes instead. fix: what the reason means, and how to mend it."""

    topic: str
    key: str
    stage: str
    reason: str
    detail: str
    fix: str
    headers: dict[str, str]


@dataclass(frozen=True, slots=True)
class Gateway:
    """How one gateway heard a transmission. rssi: dBm. snr: dB."""

    name: str
    rssi: float | None
    snr: float | None


@dataclass(frozen=True, slots=True)
class Transmission:
    """An uplink. payload: in hex digits. decoded: by the network server. names: what that calls the device.

    raw: whether it came straight from gateways.
    """

    device: str
    dev_addr: str | None
    f_cnt: int | None
    port: int | None
    time: str | None
    payload: str
    decoded: Any
    gateways: list[Gateway]
    names: dict[str, Any]
    raw: bool


@dataclass(frozen=True, slots=True)
class RawFrame:
    """A frame straight from a gateway. phy_payload: in hex digits. frequency: Hz. says: what anybody can read."""

    phy_payload: str
    frequency: int
    data_rate: str
    crc_ok: bool | None
    says: str
    gateway: Gateway


@dataclass(frozen=True, slots=True)
class Happening:
    """What the network tells beside uplinks. state: what of it goes into the Device entity."""

    kind: str
    device: str | None
    gateway: str | None
    time: str | None
    state: dict[str, Any]


@dataclass(slots=True)
class Network:
    """What a LoRaWAN network server or gateways say with the message. dialect: None where none recognises it.

    recognised: whether by its shape; else the feed names the dialect. verdicts: what became of raw frames.
    """

    dialect: str | None
    recognised: bool
    uplinks: list[Transmission] = field(default_factory=list)
    frames: list[RawFrame] = field(default_factory=list)
    verdicts: list[str] = field(default_factory=list)
    events: list[Happening] = field(default_factory=list)


@dataclass(slots=True)
class Explanation:
    """One message, hop by hop; what a hop has not been asked is None.

    subscription: the feed's filter that brings it, None where none does. route: its pattern. position: which of how
    many routes. network: on a feed with a dialect, which has no routes. chosen: who names the connector there.
    outcome: published, dead-lettered, filtered or deduplicated.
    """

    topic: str
    size: int
    arrival: str
    feed: str
    subscription: str | None
    route: str | None = None
    position: str = ""
    network: Network | None = None
    connector: str | None = None
    chosen: str = ""
    model: str | None = None
    decoder: str = ""
    fields: list[Field] = field(default_factory=list)
    device: str = ""
    time: str = ""
    location: str = ""
    attributes: list[Attribute] = field(default_factory=list)
    records: list[Published] = field(default_factory=list)
    dead_letter: DeadLetter | None = None
    outcome: str = "filtered"
    notes: list[str] = field(default_factory=list)
