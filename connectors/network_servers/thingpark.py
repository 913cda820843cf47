"""Actility ThingPark (and KPN, Swisscom, Orange Business on it): topics of the connection's own, JSON.

Shape: ThingPark's tunnel between LRC and application server; docs.thingpark.com (IoT Flow). One object holds one root:
`DevEUI_uplink`, `DevEUI_location`, `DevEUI_notification` (join, reset, devstatusans), `DevEUI_downlink_Sent`,
`DevEUI_downlink_Rejected`, or another that begins with `DevEUI_`.

It comes from XML: numbers may be texts, and `Lrrs.Lrr` one object instead of a list. `Time` has an offset. `payload` is
what a driver decoded, and `DriverCfg.app` names that driver. An uplink with `payload_encryption` 1 is still encrypted.
Network geolocation inside an uplink (`DevLAT`, as KPN sends it) repeats for weeks and is left alone: the report
`DevEUI_location` has it. A join's `Var1` is the AppSKey, wrapped, and is not told. DevAddr: `DevAddr`.
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

_UPLINK = "DevEUI_uplink"
_ROOT = "DevEUI_"


def _read(payload: bytes, received_at: int) -> Sequence[Said]:
    document = json_guard.document(payload)
    if _UPLINK not in document:
        return (_event(document),)
    body = reading.mapping(document[_UPLINK], _UPLINK)
    device = eui(body.get("DevEUI"))
    time = reading.time(body.get("Time"), "Time")
    port = reading.port(body.get("FPort"))
    if not port:
        return (Event("mac", device, time=time, details=reading.public(document), names=partial(_names, body)),)
    if body.get("payload_encryption") in (1, "1"):
        raise PayloadError("Expected a payload that ThingPark has decrypted; it is not.", Reason.ENCRYPTED)
    fields = body.get("payload")
    uplink = Uplink(
        payload=reading.hexadecimal(body.get("payload_hex", ""), "payload_hex"),
        port=port,
        fields=fields if isinstance(fields, dict) else None,
        received_at=received_at,
        device=device,
        time=time,
        dev_addr=reading.address(body.get("DevAddr")),
        f_cnt=reading.counter(body.get("FCntUp")),
        said=body,
        aside=_ASIDE,
    )
    return (uplink,)


def _event(document: Mapping[str, Any]) -> Event:
    root = next((name for name in document if name.startswith(_ROOT)), None)
    if root is None:
        raise PayloadError(f"Expected a report of ThingPark, {_UPLINK} or another {_ROOT}..., got none.")
    body = reading.mapping(document[root], root)
    kind = _kind(root, body)
    place = reading.place(body.get("DevLON"), body.get("DevLAT"), body.get("DevAlt"))
    if kind == "join":
        body = {name: value for name, value in body.items() if name not in {"Var1", "Var2"}}
    return Event(
        kind,
        eui(body.get("DevEUI")),
        time=reading.time(body.get("Time"), "Time"),
        details=reading.public({**document, root: body}),
        state=reading.battery(body.get("Var1")) if kind == "status" else {},
        location=place if kind == "location" else None,
        names=partial(_names, body),
    )


def _kind(root: str, body: Mapping[str, Any]) -> EventKind:
    if root == "DevEUI_location":
        return "location"
    if root == "DevEUI_notification":
        kinds: dict[str | None, EventKind] = {"join": "join", "devstatusans": "status", "reset": "log"}
        return kinds.get(reading.text(body.get("Type")), "integration")
    if root == "DevEUI_downlink_Sent":
        return "downlink_sent" if reading.number(body.get("DeliveryStatus")) == 1 else "downlink_failed"
    return "downlink_failed" if root == "DevEUI_downlink_Rejected" else "integration"


def _receptions(body: Mapping[str, Any]) -> tuple[Reception, ...]:
    best = reading.text(body.get("Lrrid"))
    place = reading.place(body.get("LrrLON"), body.get("LrrLAT"))
    heard = reading.objects(reading.member(body.get("Lrrs"), "Lrr")) or [dict(body)]
    return tuple(
        Reception(
            gateway=name,
            rssi=reading.number(each.get("LrrRSSI")),
            snr=reading.number(each.get("LrrSNR")),
            location=place if name == best else None,
        )
        for each in heard
        if (name := reading.text(each.get("Lrrid"))) is not None
    )


def _names(body: Mapping[str, Any]) -> Names:
    driver = reading.member(body.get("DriverCfg"), "app")
    customer = body.get("CustomerData")
    return Names(
        name=reading.text(reading.member(customer, "name")),
        brand=reading.text(reading.member(driver, "pId")),
        model=reading.text(reading.member(driver, "mId")),
        profile=reading.text(reading.member(reading.member(customer, "alr"), "pro")),
        application=reading.text(body.get("CustomerID")),
    )


def _reader(_topic: str) -> Reader:
    return _read


def _recognises(_topic: str, _payload: bytes, document: Mapping[str, Any] | None) -> bool:
    return document is not None and any(name.startswith(_ROOT) for name in document)


_ASIDE = LazyDetails(_receptions, _names)
dialect = Dialect("thingpark", _reader, _recognises)
