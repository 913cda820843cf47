"""ChirpStack v3 (also called LoRa Server): its three marshalers, told apart message by message (chirpstack-api 3.12).

`json_v3` writes EUIs in hex, has no DevAddr and no time of its own. `json` is protobuf's JSON with all defaults: EUIs,
addresses and ids are Base64, and what the codec made is a text of JSON. `protobuf` holds the same in bytes.
"""

from __future__ import annotations

from binascii import a2b_base64
from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import Any

from connectors.network_servers.chirpstack import application_event, battery, tags
from connectors.network_servers.reading import (
    address,
    base64,
    clock,
    counter,
    gateway,
    member,
    number,
    objects,
    place,
    port,
    public,
    text,
    time,
)
from pipeline.dialect import Dialect, Event, EventKind, Reader, Said
from pipeline.errors import PayloadError
from pipeline.json_guard import document
from pipeline.uplink import Aside, Fields, Names, Reception, Uplink, eui

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

_TELLING = {
    "acknowledged": "ack",
    "error": "error",
    "margin": "status",
    "batteryLevel": "status",
    "integrationName": "integration",
    "data": "up",
    "fPort": "up",
    "location": "location",
    "devAddr": "join",
    "fCnt": "txack",
    "object": "integration",
}
"""Keys that only one event has, or none above it here: they tell the event where the topic's last level does not."""

_EUI_BYTES, _ADDRESS_BYTES = 8, 4


def _reader(topic: str) -> Reader:
    level = topic.rpartition("/")[2]
    return _telling(level if level in KINDS else None)


@cache
def _telling(told: str | None) -> Reader:
    """Return the one reader of a kind of event, or of all kinds: there are as many topics as devices."""

    def read(payload: bytes, received_at: int) -> tuple[Said]:
        if payload[:1] == b"{":
            message = document(payload)
            return (_said(told or _kind(message), message, received_at),)
        if told is None:
            sentence = "Expected JSON, or a topic that ends in up, join, status, ...: it tells what protobuf holds."
            raise PayloadError(sentence)
        return (_protobuf(told)(payload, received_at),)

    return read


@cache
def _protobuf(kind: str) -> Callable[[bytes, int], Said]:
    """Import the messages when the first one comes."""
    from connectors.network_servers.proto import chirpstack_v3  # noqa: PLC0415

    return chirpstack_v3.reader(kind)


def _kind(message: Mapping[str, Any]) -> str:
    for key, kind in _TELLING.items():
        if key in message:
            return kind
    raise PayloadError(
        f"Expected an event of ChirpStack v3, got an object with {', '.join(message)[:80] or 'nothing'}."
    )


def _said(kind: str, message: Mapping[str, Any], received_at: int) -> Said:
    return _uplink(message, received_at) if kind == "up" else event(KINDS[kind], message)


def _uplink(message: Mapping[str, Any], received_at: int) -> Said:
    get = message.get
    f_port = port(get("fPort"))
    if not f_port:
        return event("mac", message)
    return Uplink(
        base64(get("data"), "data"),
        f_port,
        decoded(get("objectJSON")) or _fields(get("object")),
        received_at,
        _eui(get("devEUI")),
        _time(message),
        address(_hex(get("devAddr"), _ADDRESS_BYTES)),
        counter(get("fCnt")) or 0,
        message,
        _ASIDE,
    )


def decoded(value: object) -> Fields | None:
    """Return what the codec made of the payload, which is written as a text of JSON; an empty one is none.

    Raises:
        PayloadError: the text is no JSON.
    """
    if not isinstance(value, str) or value[:1] != "{":
        return None
    return _fields(document(value.encode()))


def _fields(value: object) -> Fields | None:
    return value if isinstance(value, dict) and value else None


def event(kind: EventKind, message: Mapping[str, Any]) -> Event:
    """Return what a message says that is no uplink.

    Raises:
        PayloadError: it names no device, or its time is none.
    """
    where = message.get("location") if kind == "location" else None
    return Event(
        kind,
        device=_eui(message.get("devEUI")),
        gateway=gateway(_hex(message.get("gatewayID"), _EUI_BYTES)),
        time=_time(message),
        details=public(message),
        state=battery(message) if kind == "status" else {},
        location=_place(where),
        names=partial(_names, message),
    )


def _eui(value: object) -> str:
    return eui(_hex(value, _EUI_BYTES))


def _hex(value: object, length: int) -> object:
    """Return the hex digits of `length` bytes in Base64, which ends in `=` where hex never does; all else as it is."""
    if not isinstance(value, str) or not value.endswith("="):
        return value
    try:
        whole = a2b_base64(value, strict_mode=True)
    except ValueError:
        return value
    return whole.hex() if len(whole) == length else value


def _time(message: Mapping[str, Any]) -> int | None:
    """Return the server's time; releases before 3.15 tell none, but their gateways with GPS do."""
    published = time(message.get("publishedAt"), "publishedAt")
    if published is not None:
        return published
    return next((at for each in objects(message.get("rxInfo")) if (at := clock(each.get("time")))), None)


def _names(message: Mapping[str, Any]) -> Names:
    return Names(
        name=text(message.get("deviceName")),
        profile=text(message.get("deviceProfileName")),
        application=text(message.get("applicationName")),
        tags=tags(message.get("tags")),
    )


def _receptions(message: Mapping[str, Any]) -> tuple[Reception, ...]:
    modulation = member(message.get("txInfo"), "modulation")
    lora = modulation is None or modulation == "LORA"  # json_v3 does not tell
    return tuple(
        Reception(
            name,
            rssi=number(info.get("rssi", 0)),
            snr=number(info.get("loRaSNR", 0)) if lora else None,
            time=clock(info.get("time")),
            location=_place(info.get("location")),
        )
        for info in objects(message.get("rxInfo"))
        if (name := gateway(_hex(info.get("gatewayID"), _EUI_BYTES)))
    )


def _place(value: object) -> tuple[float, ...] | None:
    """Return a place; a gateway without one has zeros."""
    if not isinstance(value, dict):
        return None
    return place(value.get("longitude", 0), value.get("latitude", 0), value.get("altitude") or None)


def _recognises(topic: str, payload: bytes, message: Mapping[str, Any] | None) -> bool:
    if message is None:
        return application_event(topic, payload, str.isdecimal)
    return "devEUI" in message and "applicationID" in message and not _of_milesight(message)


def _of_milesight(message: Mapping[str, Any]) -> bool:
    """Say whether it is a Milesight gateway's own server, which speaks much like this one."""
    heard = any("mac" in each for each in objects(message.get("rxInfo")))
    return heard or "gatewaySN" in message or isinstance(member(message.get("txInfo"), "dataRate"), dict)


_ASIDE = Aside(_receptions, _names)
dialect = Dialect("chirpstack_v3", _reader, _recognises)
