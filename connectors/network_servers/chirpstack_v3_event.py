"""What ChirpStack v3 says in each of its marshalers alike: events beside uplinks, and how it writes its words."""

from __future__ import annotations

from binascii import a2b_base64
from collections.abc import Mapping
from functools import partial
from typing import Any

from connectors.network_servers.chirpstack_event import battery, position, tags
from connectors.network_servers.reading import clock, gateway, objects, public, text, time
from pipeline.core.strict_json import document
from pipeline.sdk.connector import Fields
from pipeline.sdk.dialect import Event, EventKind
from pipeline.sdk.uplink import Names, eui

KINDS: dict[str, EventKind] = {
    "up": "mac",
    "join": "join",
    "status": "status",
    "ack": "ack",
    "txack": "tx_ack",
    "error": "log",
    "location": "location",
    "integration": "integration",
}
"""The events of ChirpStack v3, by the last level of their topic; an `up` without application data is `mac`."""


EUI_BYTES = 8


def decoded(value: object) -> Fields | None:
    """Return what the codec made of the payload, which is written as a text of JSON; an empty one is none.

    Raises:
        PayloadError: the text is no JSON.
    """
    if not isinstance(value, str) or value[:1] != "{":
        return None
    return fields(document(value.encode()))


def fields(value: object) -> Fields | None:
    """Return what a codec made of a payload; nothing of what is no object, or empty."""
    return value if isinstance(value, dict) and value else None


def event(kind: EventKind, message: Mapping[str, Any]) -> Event:
    """Return what a message says that is no uplink.

    Raises:
        PayloadError: it names no device, or its time is none.
    """
    where = message.get("location") if kind == "location" else None
    return Event(
        kind,
        device=device(message.get("devEUI")),
        gateway=gateway(hexed(message.get("gatewayID"), EUI_BYTES)),
        time=moment(message),
        details=public(message),
        state=battery(message) if kind == "status" else {},
        location=position(where),
        names=partial(names, message),
    )


def device(value: object) -> str:
    """Return a DevEUI; raises PayloadError where there is none."""
    return eui(hexed(value, EUI_BYTES))


def hexed(value: object, length: int) -> object:
    """Return the hex digits of `length` bytes in Base64, which ends in `=` where hex never does; all else as it is."""
    if not isinstance(value, str) or not value.endswith("="):
        return value
    try:
        whole = a2b_base64(value, strict_mode=True)
    except ValueError:
        return value
    return whole.hex() if len(whole) == length else value


def moment(message: Mapping[str, Any]) -> int | None:
    """Return the server's time; releases before 3.15 tell none, but their gateways with GPS do."""
    published = time(message.get("publishedAt"), "publishedAt")
    if published is not None:
        return published
    return next((at for each in objects(message.get("rxInfo")) if (at := clock(each.get("time")))), None)


def names(message: Mapping[str, Any]) -> Names:
    """Return what ChirpStack calls the device of a message."""
    return Names(
        name=text(message.get("deviceName")),
        profile=text(message.get("deviceProfileName")),
        application=text(message.get("applicationName")),
        tags=tags(message.get("tags")),
    )
