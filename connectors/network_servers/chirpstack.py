"""ChirpStack v4: the MQTT integration's JSON and protobuf, told apart message by message (chirpstack-api 4.20).

JSON here is proto3's: what is absent is 0, false or empty, as FCnt 0 or the RSSI of 0 dBm. The topic is a template of
the server's configuration, so that the device is always the message's own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from connectors.network_servers import chirpstack_json
from connectors.network_servers.chirpstack_event import (
    KINDS,
    application_event,
    event,
    names,
    position,
    still_encrypted,
)
from connectors.network_servers.reading import (
    address,
    base64,
    clock,
    counter,
    gateway,
    mapping,
    member,
    number,
    objects,
    port,
    time,
)
from pipeline.core.errors import PayloadError
from pipeline.core.strict_json import document
from pipeline.sdk.dialect import Dialect, Reader, Said
from pipeline.sdk.uplink import LazyDetails, Reception, Uplink, eui

_TELLING = {
    "downlinkId": "txack",
    "acknowledged": "ack",
    "queueItemId": "ack",
    "level": "log",
    "code": "log",
    "description": "log",
    "margin": "status",
    "batteryLevel": "status",
    "externalPowerSource": "status",
    "batteryLevelUnavailable": "status",
    "integrationName": "integration",
    "eventType": "integration",
    "rxInfo": "up",
    "txInfo": "up",
    "fPort": "up",
    "data": "up",
    "location": "location",
    "devAddr": "join",
}
"""Keys that only one event has, or none above it here: they tell the event where the topic's last level does not."""

_UUID_LENGTH = 36


def _reader(topic: str) -> Reader:
    kind = topic.rpartition("/")[2]
    return _of_kind(kind) if kind in KINDS else _by_keys


@cache
def _of_kind(kind: str) -> Reader:
    """Return the one reader of a kind of event: there are as many topics as devices."""

    def read(payload: bytes, received_at: int) -> tuple[Said]:
        if payload[:1] == b"{":
            return (_said(kind, document(payload), received_at),)
        return (_protobuf(kind)(payload, received_at),)

    def read_up(payload: bytes, received_at: int) -> tuple[Said]:
        if payload[:1] == b"{":
            uplink = chirpstack_json.uplink(payload, received_at, _UNPARSED)
            return (_uplink(document(payload), received_at) if uplink is None else uplink,)
        return (_protobuf(kind)(payload, received_at),)

    return read_up if kind == "up" else read


@cache
def _protobuf(kind: str) -> Callable[[bytes, int], Said]:
    """Import the messages when the first one comes: they cost 30 ms, and most servers speak JSON."""
    from connectors.network_servers.proto import chirpstack  # noqa: PLC0415

    return chirpstack.reader(kind)


def _by_keys(payload: bytes, received_at: int) -> tuple[Said]:
    if payload[:1] != b"{":
        raise PayloadError(
            "Expected JSON, or a topic that ends in up, join, status, ...: it tells what protobuf holds."
        )
    message = document(payload)
    for key, kind in _TELLING.items():
        if key in message:
            return (_said(kind, message, received_at),)
    raise PayloadError(f"Expected an event of ChirpStack, got an object with {', '.join(message)[:80] or 'nothing'}.")


def _said(kind: str, message: Mapping[str, Any], received_at: int) -> Said:
    return _uplink(message, received_at) if kind == "up" else event(KINDS[kind], message)


def _uplink(message: Mapping[str, Any], received_at: int) -> Said:
    get = message.get
    info = get("deviceInfo")
    f_port = port(get("fPort"))
    if not f_port:
        return event("mac", message)
    if get("joinServerContext"):
        raise still_encrypted()
    fields = get("object")
    return Uplink(
        base64(get("data"), "data"),
        f_port,
        mapping(fields, "object") if fields else None,
        received_at,
        eui(member(info, "devEui")),
        time(get("time"), "time"),
        address(get("devAddr")),
        counter(get("fCnt")) or 0,
        message,
        _ASIDE,
    )


def _receptions(message: Mapping[str, Any]) -> tuple[Reception, ...]:
    """Return how each gateway heard the uplink; one with two antennas is there twice."""
    lora = member(member(message.get("txInfo"), "modulation"), "lora") is not None
    return tuple(
        _reception(info, lora=lora) for info in objects(message.get("rxInfo")) if gateway(info.get("gatewayId"))
    )


def _reception(info: Mapping[str, Any], *, lora: bool) -> Reception:
    # FSK and LR-FHSS have no SNR, and leave it out as LoRa does one of 0.
    return Reception(
        gateway(info.get("gatewayId")) or "",
        rssi=number(info.get("rssi", 0)),
        snr=number(info.get("snr", 0)) if lora else None,
        time=clock(info.get("gwTime")),
        location=position(info.get("location")),
    )


def _recognises(topic: str, payload: bytes, message: Mapping[str, Any] | None) -> bool:
    if message is not None:
        return isinstance(member(message.get("deviceInfo"), "devEui"), str)
    return application_event(topic, payload, lambda application: len(application) == _UUID_LENGTH)


_ASIDE = LazyDetails(_receptions, lambda message: names(message.get("deviceInfo")))
_UNPARSED = chirpstack_json.unparsed(_ASIDE)
dialect = Dialect("chirpstack", _reader, _recognises)
