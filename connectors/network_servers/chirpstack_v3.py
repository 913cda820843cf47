"""ChirpStack v3 (also called LoRa Server): its three marshalers, told apart message by message (chirpstack-api 3.12).

`json_v3` writes EUIs in hex, has no DevAddr and no time of its own. `json` is protobuf's JSON with all defaults: EUIs,
addresses and ids are Base64, and what the codec made is a text of JSON. `protobuf` holds the same in bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from connectors.network_servers.chirpstack_event import application_event, position
from connectors.network_servers.chirpstack_v3_event import (
    EUI_BYTES,
    KINDS,
    decoded,
    device,
    event,
    fields,
    hexed,
    moment,
    names,
)
from connectors.network_servers.reading import (
    address,
    base64,
    clock,
    counter,
    gateway,
    member,
    number,
    objects,
    port,
)
from pipeline.core.errors import PayloadError
from pipeline.core.strict_json import document
from pipeline.sdk.dialect import Dialect, Reader, Said
from pipeline.sdk.uplink import LazyDetails, Reception, Uplink

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

_ADDRESS_BYTES = 4


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
        decoded(get("objectJSON")) or fields(get("object")),
        received_at,
        device(get("devEUI")),
        moment(message),
        address(hexed(get("devAddr"), _ADDRESS_BYTES)),
        counter(get("fCnt")) or 0,
        message,
        _ASIDE,
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
            location=position(info.get("location")),
        )
        for info in objects(message.get("rxInfo"))
        if (name := gateway(hexed(info.get("gatewayID"), EUI_BYTES)))
    )


def _recognises(topic: str, payload: bytes, message: Mapping[str, Any] | None) -> bool:
    if message is None:
        return application_event(topic, payload, str.isdecimal)
    return "devEUI" in message and "applicationID" in message and not _of_milesight(message)


def _of_milesight(message: Mapping[str, Any]) -> bool:
    """Say whether it is a Milesight gateway's own server, which speaks much like this one."""
    heard = any("mac" in each for each in objects(message.get("rxInfo")))
    return heard or "gatewaySN" in message or isinstance(member(message.get("txInfo"), "dataRate"), dict)


_ASIDE = LazyDetails(_receptions, names)
dialect = Dialect("chirpstack_v3", _reader, _recognises)
