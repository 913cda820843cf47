"""The Things Stack v3 (The Things Network too): `v3/<application>@<tenant>/devices/<device>/up` and its neighbours.

Shape: ApplicationUp of api/ttn/lorawan/v3/messages.proto in JSON, and thethingsindustries.com, "Data Formats". Each
message says one thing, under the key of its kind, so that the topic need not be known. What is 0, false or empty is
left out, as FCnt 0 or the SNR of 0 dB.

fields: what the device's formatter made (`decoded_payload`), and beside it, under `normalized_payload`, the list of
measurements in the Stack's common form, if there is one. `up/normalized` repeats each of these in a message of its own,
which has the fields `{"normalized_payload": [<measurement>]}`: subscribe to `up` or to `up/normalized`, not to both,
since the readings of both have the same ids.

`simulated`: somebody tries the application out in the Console. It is an event, never a reading of a real device.
`last_battery_percentage` is older than its uplink and repeated in each: it stays in the message.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

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
    place,
    port,
    public,
    text,
    time,
)
from pipeline.core.errors import PayloadError, Reason
from pipeline.core.strict_json import document
from pipeline.sdk.connector import Fields
from pipeline.sdk.dialect import Dialect, Event, EventKind, Reader, Said
from pipeline.sdk.uplink import LazyDetails, Names, Reception, Uplink, eui

KINDS: dict[str, EventKind] = {
    "uplink_message": "mac",
    "uplink_normalized": "mac",
    "join_accept": "join",
    "downlink_ack": "ack",
    "downlink_nack": "ack",
    "downlink_sent": "downlink_sent",
    "downlink_failed": "downlink_failed",
    "downlink_queued": "downlink_queued",
    "downlink_queue_invalidated": "downlink_failed",
    "location_solved": "location",
    "service_data": "service",
    "downlinks": "downlink_queued",  # another program's message to down/push or down/replace
}
"""What a message may say, by its key; an uplink without application data is `mac`."""

_UPLINKS = ("uplink_message", "uplink_normalized")
_NORMALIZED = "normalized_payload"


def _read(payload: bytes, received_at: int) -> tuple[Said]:
    message = document(payload)
    for key in _UPLINKS:
        if key in message:
            return (_uplink(message, mapping(message[key], key), received_at),)
    key = next((key for key in KINDS if key in message), "")
    if not key:
        raise PayloadError(
            f"Expected uplink_message or another event of The Things Stack, got {', '.join(message)[:80]}."
        )
    return (_event(KINDS[key], message, message[key]),)


def _uplink(message: Mapping[str, Any], told: Mapping[str, Any], received_at: int) -> Said:
    ids, get = message.get("end_device_ids"), told.get
    f_port = port(get("f_port"))
    if message.get("simulated"):
        return _event("integration", message, told)
    if not f_port:
        return _event("mac", message, told)
    if get("app_s_key"):
        sentence = "Expected a decrypted payload, got one with an app_s_key: let the Application Server decrypt it."
        raise PayloadError(sentence, Reason.ENCRYPTED)
    return Uplink(
        base64(get("frm_payload"), "frm_payload"),
        f_port,
        _fields(get("decoded_payload"), get(_NORMALIZED)),
        received_at,
        eui(member(ids, "dev_eui")),
        _time(message, told),
        address(member(ids, "dev_addr")),
        counter(get("f_cnt")) or 0,
        (ids, told),
        _ASIDE,
    )


def _fields(decoded: object, normalized: object) -> Fields | None:
    fields = mapping(decoded, "decoded_payload") if decoded else {}
    if normalized:
        fields = {**fields, _NORMALIZED: objects(normalized)}
    return fields or None


def _time(message: Mapping[str, Any], told: object) -> int | None:
    """Return the Network Server's time; the Application Server's where it tells none."""
    return time(member(told, "received_at") or message.get("received_at"), "received_at")


def _event(kind: EventKind, message: Mapping[str, Any], told: object) -> Event:
    """Return what a message says that is no reading; of a downlink it may tell the device's name alone."""
    ids = message.get("end_device_ids")
    known = member(ids, "dev_eui")
    named = known is None and text(member(ids, "device_id")) is not None
    return Event(
        kind,
        device=None if named else eui(known),
        time=_time(message, told),
        details=public(message),
        location=_place(member(told, "location")) if kind == "location" else None,
        names=partial(_names, ids, told),
    )


def _names(ids: object, told: object) -> Names:
    version, attributes = member(told, "version_ids"), member(told, "attributes")
    tags = attributes.items() if isinstance(attributes, dict) else ()
    return Names(
        name=text(member(ids, "device_id")),
        brand=text(member(version, "brand_id")),
        model=text(member(version, "model_id")),
        application=text(member(member(ids, "application_ids"), "application_id")),
        tags={name: tag for name, tag in tags if isinstance(tag, str)},
    )


def _receptions(said: tuple[object, Mapping[str, Any]]) -> tuple[Reception, ...]:
    _, told = said
    lora = member(member(told.get("settings"), "data_rate"), "lora") is not None
    return tuple(
        Reception(
            name,
            rssi=number(heard.get("rssi", 0)),
            snr=number(heard.get("snr", 0)) if lora else None,
            time=clock(heard.get("time")),
            location=_place(heard.get("location")),
        )
        for heard in objects(told.get("rx_metadata"))
        if (name := _gateway(heard))
    )


def _gateway(heard: Mapping[str, Any]) -> str | None:
    """Return who heard it; Packet Broker calls all gateways of other networks `packetbroker`."""
    ids, broker = heard.get("gateway_ids"), heard.get("packet_broker")
    theirs = member(broker, "forwarder_gateway_eui") or member(broker, "forwarder_gateway_id")
    return gateway(member(ids, "eui")) or gateway(theirs) or gateway(member(ids, "gateway_id"))


def _place(value: object) -> tuple[float, ...] | None:
    """Return a place; an altitude of 0 is left out, as is an unknown one."""
    if not isinstance(value, dict):
        return None
    return place(value.get("longitude", 0), value.get("latitude", 0), value.get("altitude") or None)


def _reader(_topic: str) -> Reader:
    return _read


def _recognises(_topic: str, _payload: bytes, message: Mapping[str, Any] | None) -> bool:
    return message is not None and member(message.get("end_device_ids"), "application_ids") is not None


_ASIDE = LazyDetails(_receptions, lambda said: _names(*said))
dialect = Dialect("the_things_stack", _reader, _recognises)
