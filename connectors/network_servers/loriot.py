"""Loriot: outputs of an application, topics of the operator's own, JSON told apart by `cmd`.

Shape: docs.loriot.io, Uplink Data Message and Gateway Information. `data` is hex; where Loriot has no AppSKey it sends
`encdata` instead, which is still encrypted.

With gateway information switched on, the same uplink comes twice: `rx` at once, and `gw` when all gateways have told.
Some outputs send only one of them, so both become uplinks of the same device, FCnt, port and `ts`, and so of the same
`ce_id`: a consumer drops the second as it does after a redelivery. Better is an output with one of them.

`txd` is a downlink sent, `tx` the answer to a downlink that was asked for; any other `cmd` becomes an event, too. `bat`
(of the last DevStatusAns) comes with each uplink and is left alone. DevAddr: there is none, so `ce_id` has none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from connectors.network_servers import reading
from pipeline.core import strict_json as json_guard
from pipeline.core.errors import PayloadError, Reason
from pipeline.sdk.dialect import Dialect, Event, EventKind, Reader, Said
from pipeline.sdk.uplink import LazyDetails, Reception, Uplink, eui

_UPLINKS = ("rx", "gw")


def _read(payload: bytes, received_at: int) -> Sequence[Said]:
    document = json_guard.document(payload)
    command = reading.text(document.get("cmd"))
    device = eui(document.get("EUI"))
    time = reading.time(document.get("ts"), "ts")
    if command not in _UPLINKS:
        return (Event(_kind(command, document), device, time=time, details=reading.public(document)),)
    port = reading.port(document.get("port"))
    if not port:
        return (Event("mac", device, time=time, details=reading.public(document)),)
    if "data" not in document and "encdata" in document:
        raise PayloadError("Expected data, got encdata: Loriot has no AppSKey of the device.", Reason.ENCRYPTED)
    uplink = Uplink(
        payload=reading.hexadecimal(document.get("data"), "data"),
        port=port,
        fields=None,
        received_at=received_at,
        device=device,
        time=time,
        f_cnt=reading.counter(document.get("fcnt")),
        said=document,
        aside=_ASIDE,
    )
    return (uplink,)


def _kind(command: str | None, document: Mapping[str, Any]) -> EventKind:
    if command == "txd":
        return "downlink_sent"
    if command == "tx":
        return "downlink_failed" if "error" in document else "downlink_queued"
    if command is None:
        raise PayloadError("Expected cmd to say what the message is; it is absent.")
    return "integration"


def _receptions(document: Mapping[str, Any]) -> tuple[Reception, ...]:
    return tuple(
        Reception(
            gateway=name,
            rssi=reading.number(each.get("rssi")),
            snr=reading.number(each.get("snr")),
            time=reading.clock(each.get("time")),
            location=reading.place(each.get("lon"), each.get("lat"), each.get("alt")),
        )
        for each in reading.objects(document.get("gws"))
        if (name := reading.gateway(each.get("gweui"))) is not None
    )


def _reader(_topic: str) -> Reader:
    return _read


def _recognises(_topic: str, _payload: bytes, document: Mapping[str, Any] | None) -> bool:
    return document is not None and "cmd" in document and "EUI" in document


_ASIDE = LazyDetails(_receptions)
dialect = Dialect("loriot", _reader, _recognises)
