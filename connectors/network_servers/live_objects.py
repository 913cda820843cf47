"""Orange Live Objects: `fifo/<name>` or `router/~event/v1/data/new/...`, JSON.

Shape: published messages of LoRa devices (two public repositories that store them, Orange's own MQTT samples) and the
Live Objects manual, "Data message". `metadata.network.lora` is the radio's, `value` the payload in hex (`payload`) or
what the decoding service made of it (then `metadata.encoding` names the decoder), `timestamp` the time of the network.

A message of a device on another interface has no `metadata.network.lora` and is refused. `messageType` JOIN_REQUEST is
a join (from memory). The network's own position of a device has an accuracy of 10 km and is left alone. There is no
list of gateways: the signal's strength stands without one, and no reception is made of it.
DevAddr: there is none, so `ce_id` has none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from connectors.network_servers import reading
from pipeline.core import strict_json as json_guard
from pipeline.core.errors import PayloadError
from pipeline.sdk.connector import Fields
from pipeline.sdk.dialect import Dialect, Event, EventKind, Reader, Said
from pipeline.sdk.uplink import LazyDetails, Names, Uplink, eui

_SOURCE = "urn:lo:nsid:lora:"


def _read(payload: bytes, received_at: int) -> Sequence[Said]:
    document = json_guard.document(payload)
    metadata = reading.mapping(document.get("metadata"), "metadata")
    radio = reading.mapping(reading.member(metadata.get("network"), "lora"), "metadata.network.lora")
    device = _device(radio, metadata, document)
    time = reading.time(document.get("timestamp", document.get("created")), "timestamp")
    names = partial(_names, document)
    kind = _kind(radio)
    port = reading.port(radio.get("port"))
    if kind or not port:
        return (Event(kind or "mac", device, time=time, details=reading.public(document), names=names),)
    value = reading.mapping(document.get("value"), "value")
    fields = {name: each for name, each in value.items() if name != "payload"}
    if not fields and "payload" not in value:
        raise PayloadError("Expected payload or decoded fields in value, got neither.")
    uplink = Uplink(
        payload=reading.hexadecimal("" if value.get("payload") is None else value["payload"], "value.payload"),
        port=port,
        fields=fields or None,
        received_at=received_at,
        device=device,
        time=time,
        f_cnt=reading.counter(radio.get("fcnt")),
        said=document,
        aside=_ASIDE,
    )
    return (uplink,)


def _device(radio: Fields, metadata: Fields, document: Fields) -> str:
    if radio.get("devEUI"):
        return eui(radio["devEUI"])
    source = reading.text(metadata.get("source")) or reading.text(document.get("streamId"))
    return eui(source.removeprefix(_SOURCE) if source else None)


def _kind(radio: Fields) -> EventKind | None:
    message_type = reading.text(radio.get("messageType"))
    if message_type is None or message_type.endswith("DATA_UP"):
        return None
    if "JOIN" in message_type:
        return "join"
    return "downlink_sent" if message_type.endswith("DATA_DOWN") else "integration"


def _names(document: Mapping[str, Any]) -> Names:
    metadata = document.get("metadata")
    tags = document.get("tags")
    return Names(
        name=reading.text(reading.member(metadata, "source")),
        model=reading.text(document.get("model")),
        profile=reading.text(reading.member(metadata, "encoding")),
        application=reading.text(reading.member(reading.member(metadata, "group"), "path")),
        tags={each: "" for each in tags if isinstance(each, str)} if isinstance(tags, list) else {},
    )


def _reader(_topic: str) -> Reader:
    return _read


def _recognises(_topic: str, _payload: bytes, document: Mapping[str, Any] | None) -> bool:
    if document is None or "streamId" not in document:
        return False
    return reading.member(reading.member(document.get("metadata"), "network"), "lora") is not None


_ASIDE = LazyDetails(names=_names)
dialect = Dialect("live_objects", _reader, _recognises)
