"""Dialects: how a network server or a gateway bridge wraps what devices send; message -> uplinks, frames, events.

A dialect is plain data, found in `connectors/network_servers/` as a module's `dialect`. It is pure: no I/O, no clock,
no globals. What it makes goes to the engine: an `Uplink` to its device's connector, a `Frame` to deduplication, its MIC
and its keys, an `Event` to `<tenant>.device-events.v1`. Nothing that a server says is dropped.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from msgspec import Struct

from pipeline.sdk.uplink import Names, Reception, Uplink

EventKind = Literal[
    "join",
    "status",
    "ack",
    "tx_ack",
    "log",
    "location",
    "integration",
    "downlink_queued",
    "downlink_sent",
    "downlink_failed",
    "service",
    "mac",  # an uplink without application data: FPort 0, or none
    "gateway_stats",
    "gateway_state",
    "gateway_ack",
    "gateway_exec",
    "gateway_raw",
    "gateway_mesh",
]
"""What happens to devices and gateways beside uplinks; the closed list shared by records and documentation."""


class Frame(Struct, gc=False):
    """A raw LoRaWAN frame (PHYPayload), as one gateway heard it.

    Attributes:
        frequency: Hz.
        data_rate: `SF7BW125` (LoRa), `50000` (FSK, bit/s) or what tells others apart.
        crc_ok: None where the gateway did not check. Copies of one transmission agree in phy_payload, frequency and
            data_rate.
    """

    phy_payload: bytes
    frequency: int
    data_rate: str
    reception: Reception
    crc_ok: bool | None = None


@dataclass(slots=True)
class Event:
    """What happened to a device or a gateway, beside an uplink.

    Attributes:
        device: The DevEUI in 16 lower-case hex digits.
        gateway: Its EUI or the server's name; one of them at least, unless the message names none.
        time: Milliseconds since 1970 UTC, None for arrival.
        details: The message as its server tells it, JSON values in the server's own words.
        state: Attributes of the Device entity that the event tells, in the model's canonical units (`batteryLevel` 0 to
            1, `rssi` dBm, `deviceState`).
        location: Of the device or gateway: longitude, latitude (, altitude in metres).
        packets: How many a gateway has received since it last said so, and how many of them with a right checksum.
        verified: False where nothing proves its origin: a join request without the root key, or a datagram.
        id: What tells it from others of its kind and device, the same when it comes again; None where only its time and
            its words do.
    """

    kind: EventKind
    device: str | None = None
    gateway: str | None = None
    time: int | None = None
    details: Mapping[str, Any] = field(default_factory=dict)
    state: Mapping[str, Any] = field(default_factory=dict)
    location: tuple[float, ...] | None = None
    names: Callable[[], Names] = Names
    packets: tuple[int, int] | None = None
    id: str | None = None
    verified: bool = True


Said = Uplink | Frame | Event
"""What a message can say."""

Reader = Callable[[bytes, int], Sequence[Said]]
"""Payload and arrival (milliseconds since 1970 UTC) to what the message says, usually one; raises PayloadError only."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """One network server's or gateway bridge's way of speaking.

    Attributes:
        name: What a configuration calls it (`dialect: chirpstack`).
        reader: Chosen by topic, once a topic, so that what follows from the topic is not asked per message; it never
            raises.
        recognises: For `dialect: auto`; it gets the topic, the payload, and the payload's JSON object or None, and says
            whether the message is of this dialect; at most one dialect says yes to a message.
        raw: Whether it brings frames straight from gateways.
    """

    name: str
    reader: Callable[[str], Reader]
    recognises: Callable[[str, bytes, Mapping[str, Any] | None], bool]
    raw: bool = False
