"""What ChirpStack v4 says in JSON and in protobuf alike: events beside uplinks; and words that v3 shares with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from connectors.network_servers.reading import gateway, member, number, place, text, time
from pipeline.core.errors import PayloadError, Reason
from pipeline.sdk.dialect import Event, EventKind
from pipeline.sdk.uplink import Names, eui

KINDS: dict[str, EventKind] = {
    "up": "mac",
    "join": "join",
    "status": "status",
    "ack": "ack",
    "txack": "tx_ack",
    "log": "log",
    "location": "location",
    "integration": "integration",
}
"""The events of ChirpStack, by the last level of their topic; an `up` without application data is `mac`."""

_EUI_LENGTH = 16


def still_encrypted() -> PayloadError:
    """Return what refuses a payload whose AppSKey only a join server has."""
    sentence = (
        "Expected a decrypted payload, got one with a joinServerContext: ChirpStack has no AppSKey of the device."
    )
    return PayloadError(sentence, Reason.ENCRYPTED)


def event(kind: EventKind, message: Mapping[str, Any]) -> Event:
    """Return what a message says that is no uplink.

    Raises:
        PayloadError: it names no device, or its time is none.
    """
    info = message.get("deviceInfo")
    where = message.get("location") if kind == "location" else None
    return Event(
        kind,
        device=eui(member(info, "devEui")),
        gateway=gateway(message.get("gatewayId")),
        time=time(message.get("time"), "time"),
        details={key: value for key, value in message.items() if key != "joinServerContext"},  # it holds keys
        state=battery(message) if kind == "status" else {},
        location=position(where),
        names=partial(names, info),
    )


def battery(message: Mapping[str, Any]) -> dict[str, float]:
    """Return the state that a status event tells, of v3 or v4."""
    # A level of 0 is no measured one: devices on external power have it (LoRaWAN 1.0.4, clause 5.5).
    if message.get("externalPowerSource") or message.get("batteryLevelUnavailable"):
        return {}
    level = number(message.get("batteryLevel"))
    return {"batteryLevel": round(level / 100, 4)} if level is not None and 0 < level <= 100 else {}  # noqa: PLR2004


def names(info: object) -> Names:
    """Return what ChirpStack calls a device, from its `deviceInfo`."""
    return Names(
        name=text(member(info, "deviceName")),
        profile=text(member(info, "deviceProfileName")),
        application=text(member(info, "applicationName")),
        tags=tags(member(info, "tags")),
    )


def tags(value: object) -> dict[str, str]:
    """Return the device's tags; what is no text is none."""
    return {name: tag for name, tag in value.items() if isinstance(tag, str)} if isinstance(value, dict) else {}


def position(value: object) -> tuple[float, ...] | None:
    """Return where something is (longitude, latitude, altitude; degrees and metres), of v3 or v4; None: unknown."""
    # A gateway on the equator has no latitude. Of an altitude, 0 and unknown look the same: it is left out.
    if not isinstance(value, dict):
        return None
    return place(value.get("longitude", 0), value.get("latitude", 0), value.get("altitude") or None)


def application_event(topic: str, payload: bytes, belongs: Callable[[str], bool]) -> bool:
    """Say whether a message that is no JSON lies where ChirpStack publishes by default, and its application belongs."""
    levels = topic.split("/")[-6:]
    if payload[:1] == b"{" or levels[::2] != ["application", "device", "event"] or len(levels[3]) != _EUI_LENGTH:
        return False
    return belongs(levels[1])
