"""AWS IoT Core for LoRaWAN: uplinks on the topic of a rule of your own, events on `$aws/iotwireless/events/...`, JSON.

Shape: AWS IoT Wireless Developer Guide, "LoRaWAN uplink metadata format", "LoRaWAN join events", "Connection status
events" (their fields from memory: eventType, WirelessDeviceId or WirelessGatewayId, timestamp, LoRaWAN{DevEui |
GatewayEui}). `PayloadData` is Base64; the FPort is `FPort`, or `Fport` as in the guide; numbers may be texts.

The guide's own example has a DevEui of 15 digits, which is refused (`device_invalid`). Messages of Sidewalk devices are
no LoRaWAN and are refused. DevAddr: `DevAddr`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from connectors.network_servers import reading
from pipeline.core import strict_json as json_guard
from pipeline.core.errors import PayloadError, Reason
from pipeline.sdk.dialect import Dialect, Event, EventKind, Reader, Said
from pipeline.sdk.uplink import LazyDetails, Reception, Uplink, eui


def _read(payload: bytes, received_at: int) -> Sequence[Said]:
    document = json_guard.document(payload)
    if "WirelessMetadata" not in document:
        return (_event(document),)
    metadata = reading.mapping(document["WirelessMetadata"], "WirelessMetadata")
    radio = reading.mapping(metadata.get("LoRaWAN"), "WirelessMetadata.LoRaWAN")
    device = eui(radio.get("DevEui"))
    time = reading.time(radio.get("Timestamp"), "Timestamp")
    port = reading.port(radio.get("FPort", radio.get("Fport")))
    if not port:
        return (Event("mac", device, time=time, details=reading.public(document)),)
    uplink = Uplink(
        payload=reading.base64(document.get("PayloadData"), "PayloadData"),
        port=port,
        fields=None,
        received_at=received_at,
        device=device,
        time=time,
        dev_addr=reading.address(radio.get("DevAddr")),
        f_cnt=reading.counter(radio.get("FCnt")),
        said=radio,
        aside=_ASIDE,
    )
    return (uplink,)


def _event(document: Mapping[str, Any]) -> Event:
    said = reading.text(document.get("eventType"))
    if said is None:
        raise PayloadError("Expected WirelessMetadata (an uplink) or eventType (an event), got neither.")
    radio = reading.mapping(document.get("LoRaWAN", {}), "LoRaWAN")
    time = reading.time(document.get("timestamp"), "timestamp")
    details = reading.public(document)
    if "WirelessGatewayId" in document:
        gateway = reading.gateway(radio.get("GatewayEui")) or reading.text(document.get("WirelessGatewayId"))
        if gateway is None:
            raise PayloadError("Expected LoRaWAN.GatewayEui or WirelessGatewayId, got neither.", Reason.DEVICE_MISSING)
        return Event("gateway_state", gateway=gateway, time=time, details=details, state={"deviceState": said})
    kind: EventKind = "join" if said.startswith(("join", "rejoin")) else "integration"
    return Event(kind, eui(radio.get("DevEui")), time=time, details=details)


def _receptions(radio: Mapping[str, Any]) -> tuple[Reception, ...]:
    heard = reading.objects(radio.get("Gateways")) + reading.objects(radio.get("PublicGateways"))
    return tuple(
        Reception(gateway=name, rssi=reading.number(each.get("Rssi")), snr=reading.number(each.get("Snr")))
        for each in heard
        if (name := reading.gateway(each.get("GatewayEui", each.get("Id")))) is not None
    )


def _reader(_topic: str) -> Reader:
    return _read


def _recognises(_topic: str, _payload: bytes, document: Mapping[str, Any] | None) -> bool:
    if document is None:
        return False
    event = "WirelessDeviceId" in document or "WirelessGatewayId" in document
    return "WirelessMetadata" in document or (event and "eventType" in document)


_ASIDE = LazyDetails(_receptions)
dialect = Dialect("aws_iot", _reader, _recognises)
