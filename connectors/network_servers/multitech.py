"""Network server inside MultiTech gateways: `lora/<DevEUI>/<event>` or `lorawan/.../<DevEUI>/<event>`, JSON.

Shape: multitech.net, "MQTT Messages" (the gateway's own broker), and multitechsystems.github.io, "LoRaWAN app-connect"
(messages to a broker of yours): their published examples of up, joined and init. EUIs have dashes. The last level of a
topic is the event and the one before it the device, which messages of joins do not repeat.

`data` is Base64; hex where `data-format` is `hexadecimal`. Signal and gateway stand beside it: the server tells of the
best gateway only. DevAddr: `devaddr`; in older releases it is read from `mhdr`, the frame's first bytes.

`lora/<DevEUI>/down` and `.../clear` are other programs' commands to the gateway: events here, when they are subscribed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from connectors.network_servers import reading
from pipeline.core import strict_json as json_guard
from pipeline.core.errors import PayloadError, Reason
from pipeline.sdk.dialect import Dialect, Event, EventKind, Reader, Said
from pipeline.sdk.uplink import LazyDetails, Names, Reception, Uplink, eui

_STATES = ("init", "connected", "close", "disconnect", "disconnected")
_ANSWERS = ("api_res", "lora_res", "log_res")
_EVENTS: dict[str, EventKind] = {
    "joined": "join",
    "down": "downlink_queued",
    "packet_sent": "downlink_sent",
    "packet_ack": "ack",
    "packet_missed": "downlink_failed",
    "queue_full": "downlink_failed",
    "mac_recv": "mac",
    "mac_sent": "mac",
    "packet_recv": "log",
}
_OF_GATEWAY = re.compile(rf"lorawan/[^/]+(?:/[^/]+)?/(?:{'|'.join(_STATES)})")


def _of_gateway(event: str, gateway: str, payload: bytes, _received_at: int) -> Sequence[Said]:
    """Read what the gateway tells of itself; the last word of its connection has no payload."""
    if not gateway:
        raise PayloadError(f"Expected the gateway before {event} in the topic; it is absent.", Reason.DEVICE_MISSING)
    document = json_guard.document(payload) if payload not in {b"", b"null"} else {}
    time = reading.time(document.get("time"), "time")
    if event in _ANSWERS:  # a log or a configuration as text, in which keys may stand
        document = {name: value for name, value in document.items() if name != "result"}
        return (Event("integration", gateway=gateway, time=time, details=reading.public(document)),)
    state = {"deviceState": event}
    return (Event("gateway_state", gateway=gateway, time=time, details=reading.public(document), state=state),)


def _read(event: str, topic_device: str | None, payload: bytes, received_at: int) -> Sequence[Said]:
    document = json_guard.document(payload) if payload or event == "up" else {}
    device = eui(document.get("deveui") or topic_device)
    time = reading.time(document.get("time"), "time")
    names = partial(_names, document)
    data = document.get("data")
    port = reading.port(document.get("port"))
    uplink_like = event not in _EVENTS and "data" in document and "rssi" in document
    kind: EventKind | None = None if event == "up" or uplink_like else _EVENTS.get(event, "integration")
    if kind or not port:
        gateway = reading.gateway(document.get("gweui"))
        return (Event(kind or "mac", device, gateway, time, reading.public(document), names=names),)
    in_hex = document.get("data-format") == "hexadecimal"
    uplink = Uplink(
        payload=b"" if isinstance(data, dict) else (reading.hexadecimal if in_hex else reading.base64)(data, "data"),
        port=port,
        fields=data if isinstance(data, dict) else None,
        received_at=received_at,
        device=device,
        time=time,
        dev_addr=reading.address(document.get("devaddr")) or _in_header(document.get("mhdr")),
        f_cnt=reading.counter(document.get("fcnt")),
        said=document,
        aside=_ASIDE,
    )
    return (uplink,)


def _in_header(value: object) -> str | None:
    """Return the DevAddr of MHDR and FHDR in hex (LoRaWAN 1.0.4, clause 4.3): four bytes, the lowest first."""
    header = reading.hexadecimal(value, "mhdr") if value else b""
    return header[4:0:-1].hex() if len(header) >= 5 else None  # noqa: PLR2004 - MHDR and DevAddr


def _receptions(document: Mapping[str, Any]) -> tuple[Reception, ...]:
    name = reading.gateway(document.get("gweui"))
    if name is None:
        return ()
    rssi, snr = reading.number(document.get("rssi")), reading.number(document.get("lsnr"))
    return (Reception(name, rssi, snr, reading.clock(document.get("time"))),)


def _names(document: Mapping[str, Any]) -> Names:
    return Names(name=reading.text(document.get("name")), application=reading.text(document.get("appeui")))


def _reader(topic: str) -> Reader:
    levels = ["", *topic.split("/")]
    event, before = levels[-1], levels[-2]
    if event in _STATES or event in _ANSWERS:
        return partial(_of_gateway, event, before)
    return partial(_read, event, before or None)


def _recognises(topic: str, _payload: bytes, document: Mapping[str, Any] | None) -> bool:
    if document is None:
        return _OF_GATEWAY.fullmatch(topic) is not None
    if "gweui" in document:
        return "deveui" in document or "appeui" in document
    return "gateways_euis" in document and _OF_GATEWAY.fullmatch(topic) is not None


_ASIDE = LazyDetails(_receptions, _names)
dialect = Dialect("multitech", _reader, _recognises)
