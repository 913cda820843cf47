"""Network server inside Milesight gateways (UG56, UG65, UG67): topics of the operator's own, JSON like ChirpStack v2.

Shape: Milesight's application guide, "Uplink data" and "Notification" (2026), and support article 73000600064 (2022);
the fields of an uplink may be switched off one by one. `applicationID` was a text and is a number now. LoRa App Server
v1 and v2 send the same shape and are read, too.

With a codec on the gateway, its output replaces the message: all fields are the codec's, there is no time, counter or
port, and the DevEUI is only in the topic. So the topic should hold `$deveui`, on a level of its own: the last one
that is an EUI is taken. Such a message looks like no server's: `dialect: auto` does not recognise it, and
`dialect: milesight_gateway` reads it.

DevAddr: notifications have it (`devAddr`); uplinks in the documentation do not, and then `ce_id` has none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from connectors.network_servers import reading
from pipeline.core import strict_json as json_guard
from pipeline.core.errors import PayloadError
from pipeline.sdk.dialect import Dialect, Event, EventKind, Reader, Said
from pipeline.sdk.uplink import LazyDetails, Names, Reception, Uplink, eui

_ENVELOPE = ("fPort", "fport", "rxInfo", "txInfo")


def _read(topic_device: str | None, payload: bytes, received_at: int) -> Sequence[Said]:
    document = json_guard.document(payload)
    device = eui(document.get("devEUI") or topic_device)
    enveloped = any(name in document for name in _ENVELOPE) or ("devEUI" in document and "data" in document)
    kind = None if enveloped else _kind(document)
    if not (enveloped or kind):
        uplink = Uplink(b"", fields=document, received_at=received_at, device=device, said=document, aside=_UNHEARD)
        return (uplink,)
    time = reading.time(document.get("time", document.get("gatewayTime")), "time")
    names = partial(_names, document)
    port = reading.port(document.get("fPort", document.get("fport")))
    if kind or port == 0 or (port is None and not document.get("data")):
        state = {"deviceState": document["status"]} if kind == "status" else {}
        details = reading.public(document)
        return (Event(kind or "mac", device, time=time, details=details, state=state, names=names),)
    fields = document.get("object")
    uplink = Uplink(
        payload=reading.base64(document.get("data"), "data"),
        port=port,
        fields=fields if isinstance(fields, dict) else None,
        received_at=received_at,
        device=device,
        time=time,
        dev_addr=reading.address(document.get("devAddr")),
        f_cnt=reading.counter(document.get("fCnt")),
        said=document,
        aside=_ASIDE,
    )
    return (uplink,)


def _kind(document: Mapping[str, Any]) -> EventKind | None:
    """Return what a notification tells, or None: it is none."""
    if "devEUI" not in document:
        return None
    if "acknowledged" in document:
        return "ack"
    if isinstance(document.get("status"), str):
        return "status"
    if isinstance(document.get("error"), str):
        return "downlink_failed" if document["error"].startswith("downlink") else "log"
    return None


def _receptions(document: Mapping[str, Any]) -> tuple[Reception, ...]:
    return tuple(
        Reception(
            gateway=name,
            rssi=reading.number(each.get("rssi")),
            snr=reading.number(each.get("loRaSNR")),
            time=reading.clock(each.get("time")),
            location=reading.place(each.get("longitude"), each.get("latitude"), each.get("altitude")),
        )
        for each in reading.objects(document.get("rxInfo"))
        if (name := reading.gateway(each.get("mac")) or reading.text(each.get("name"))) is not None
    )


def _names(document: Mapping[str, Any]) -> Names:
    return Names(
        name=reading.text(document.get("deviceName")), application=reading.text(document.get("applicationName"))
    )


def _in_topic(topic: str) -> str | None:
    for level in reversed(topic.split("/")):
        try:
            return eui(level)
        except PayloadError:
            continue
    return None


def _reader(topic: str) -> Reader:
    return partial(_read, _in_topic(topic))


def _recognises(_topic: str, _payload: bytes, document: Mapping[str, Any] | None) -> bool:
    if document is None or "devEUI" not in document:
        return False
    if "gatewaySN" in document:
        return True
    heard = reading.objects(document.get("rxInfo"))
    rate = reading.member(document.get("txInfo"), "dataRate")
    return any("mac" in each for each in heard) or reading.member(rate, "spreadFactor") is not None


_ASIDE = LazyDetails(_receptions, _names)
_UNHEARD = LazyDetails(names=_names)
dialect = Dialect("milesight_gateway", _reader, _recognises)
