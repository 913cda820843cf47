"""Kerlink Wanesy Management Center: push over MQTT, HTTP or WebSocket, topics of the operator's own, JSON.

Shape: wikikerlink.fr, Wanesy RAN, "API migration guide" (dataUp), and the data-transfer objects of Orange's Kerlink
connector (dataDownEvent: dataDownId, event, status, nbAttempts, endDevice). A push configuration has three levels of
detail; one without payloads is refused, since nothing could be made of it.

`payload` is hex, or Base64 where `encodingType` says so; with `encrypted` true it is not decrypted. `recvTime` is in
milliseconds. A `delayed` uplink was kept by its gateway: its time is `gwRecvTime`. DevAddr: `endDevice.devAddr`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from connectors.network_servers import reading
from pipeline.core import strict_json as json_guard
from pipeline.core.errors import PayloadError, Reason
from pipeline.sdk.dialect import Dialect, Event, EventKind, Reader, Said
from pipeline.sdk.uplink import LazyDetails, Names, Reception, Uplink, eui

_FAILED = ("fail", "error", "timeout", "abort", "reject", "ko", "expired")


def _read(payload: bytes, received_at: int) -> Sequence[Said]:
    document = json_guard.document(payload)
    end_device = reading.mapping(document.get("endDevice"), "endDevice")
    device = eui(end_device.get("devEui"))
    time = _time(document)
    names = partial(_names, document)
    kind = None if "fCntUp" in document or "payload" in document else _kind(document)
    port = reading.port(document.get("fPort"))
    if kind or not port:
        return (Event(kind or "mac", device, time=time, details=reading.public(document), names=names),)
    uplink = Uplink(
        payload=_payload(document),
        port=port,
        fields=None,
        received_at=received_at,
        device=device,
        time=time,
        dev_addr=reading.address(end_device.get("devAddr")),
        f_cnt=reading.counter(document.get("fCntUp")),
        said=document,
        aside=_ASIDE,
    )
    return (uplink,)


def _time(document: Mapping[str, Any]) -> int | None:
    if document.get("delayed") is True and document.get("gwRecvTime") is not None:
        return reading.time(document["gwRecvTime"], "gwRecvTime")
    return reading.time(document.get("recvTime"), "recvTime")


def _payload(document: Mapping[str, Any]) -> bytes:
    if document.get("encrypted") is True:
        raise PayloadError("Expected a payload that Wanesy has decrypted; it is not.", Reason.ENCRYPTED)
    if "payload" not in document:
        raise PayloadError("Expected payload; it is absent. Raise the push configuration's level of detail.")
    if document.get("encodingType") == "BASE64":
        return reading.base64(document["payload"], "payload")
    return reading.hexadecimal("" if document["payload"] is None else document["payload"], "payload")


def _kind(document: Mapping[str, Any]) -> EventKind:
    """Return what a message that is no uplink tells."""
    said = f"{reading.text(document.get('event'))} {reading.text(document.get('status'))}".lower()
    if "dataDownId" not in document:
        return "join" if "join" in said else "integration"
    if {"ack", "acknowledged"} & set(said.replace("_", " ").split()):
        return "ack"
    return "downlink_failed" if any(word in said for word in _FAILED) else "downlink_sent"


def _receptions(document: Mapping[str, Any]) -> tuple[Reception, ...]:
    return tuple(
        Reception(
            gateway=name,
            rssi=reading.number(each.get("rssi")),
            snr=reading.number(each.get("snr")),
            location=reading.place(each.get("longitude"), each.get("latitude"), each.get("altitude")),
        )
        for each in reading.objects(document.get("gwInfo"))
        if (name := reading.gateway(each.get("gwEui"))) is not None
    )


def _names(document: Mapping[str, Any]) -> Names:
    end_device = document.get("endDevice")
    cluster = reading.member(end_device, "cluster")
    return Names(
        name=reading.text(reading.member(end_device, "name")),
        application=reading.text(reading.member(cluster, "name")) or reading.text(reading.member(cluster, "id")),
    )


def _reader(_topic: str) -> Reader:
    return _read


def _recognises(_topic: str, _payload: bytes, document: Mapping[str, Any] | None) -> bool:
    return document is not None and reading.member(document.get("endDevice"), "devEui") is not None


_ASIDE = LazyDetails(_receptions, _names)
dialect = Dialect("wanesy", _reader, _recognises)
