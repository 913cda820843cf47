"""Helium's legacy Console: `<prefix>/helium/<device UUID>/rx`, JSON; its ways since 2023 are ChirpStack's.

Shape: docs.helium.com/console/integrations/json-schema. A function of the Console may have decoded the payload
(`decoded.payload`). `type` is `join` in a join's message, and `uplink` or absent else (helium/router, from memory).

`reported_at` was in seconds once and is in milliseconds now; one of 14 digits, as in the documentation's own example,
is no time of ours and is refused (`time_invalid`). DevAddr: `devaddr`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from connectors.network_servers import reading
from pipeline.core import strict_json as json_guard
from pipeline.sdk.connector import Fields
from pipeline.sdk.dialect import Dialect, Event, Reader, Said
from pipeline.sdk.uplink import LazyDetails, Names, Reception, Uplink, eui


def _read(payload: bytes, received_at: int) -> Sequence[Said]:
    document = json_guard.document(payload)
    device = eui(document.get("dev_eui"))
    time = reading.time(document.get("reported_at"), "reported_at")
    names = partial(_names, document)
    if document.get("type") == "join":
        return (Event("join", device, time=time, details=reading.public(document), names=names),)
    port = reading.port(document.get("port"))
    if not port:
        return (Event("mac", device, time=time, details=reading.public(document), names=names),)
    uplink = Uplink(
        payload=reading.base64(document.get("payload"), "payload"),
        port=port,
        fields=_decoded(document.get("decoded")),
        received_at=received_at,
        device=device,
        time=time,
        dev_addr=reading.address(document.get("devaddr")),
        f_cnt=reading.counter(document.get("fcnt")),
        said=document,
        aside=_ASIDE,
    )
    return (uplink,)


def _decoded(value: object) -> Fields | None:
    if reading.member(value, "status") not in (None, "success"):
        return None
    fields = reading.member(value, "payload")
    return fields if isinstance(fields, dict) else None


def _receptions(document: Mapping[str, Any]) -> tuple[Reception, ...]:
    return tuple(
        Reception(
            gateway=name,
            rssi=reading.number(each.get("rssi")),
            snr=reading.number(each.get("snr")),
            time=reading.clock(each.get("reported_at")),
            location=reading.place(each.get("long"), each.get("lat")),
        )
        for each in reading.objects(document.get("hotspots"))
        if (name := reading.text(each.get("id")) or reading.text(each.get("name"))) is not None
    )


def _names(document: Mapping[str, Any]) -> Names:
    labels = reading.objects(reading.member(document.get("metadata"), "labels"))
    named = {name: reading.text(each.get("id")) or "" for each in labels if (name := reading.text(each.get("name")))}
    return Names(name=reading.text(document.get("name")), tags=named)


def _reader(_topic: str) -> Reader:
    return _read


def _recognises(_topic: str, _payload: bytes, document: Mapping[str, Any] | None) -> bool:
    return document is not None and "dev_eui" in document and "hotspots" in document


_ASIDE = LazyDetails(_receptions, _names)
dialect = Dialect("helium", _reader, _recognises)
