"""ChirpStack v3's events in protobuf. Uplinks are read field by field, the rest as the JSON that they stand for."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from google.protobuf.message import Message

from connectors.network_servers.chirpstack_v3_event import KINDS, decoded, event
from connectors.network_servers.proto import chirpstack_common_pb2 as common
from connectors.network_servers.proto import chirpstack_v3_pb2 as messages
from connectors.network_servers.proto.chirpstack import clock, milliseconds, parsed, words
from connectors.network_servers.reading import address, gateway, number, place, port
from pipeline.sdk.dialect import Said
from pipeline.sdk.uplink import LazyDetails, Names, Reception, Uplink, eui

_CLASSES: dict[str, type[Message]] = {
    "up": messages.UplinkEvent,
    "join": messages.JoinEvent,
    "status": messages.StatusEvent,
    "ack": messages.AckEvent,
    "txack": messages.TxAckEvent,
    "error": messages.ErrorEvent,
    "location": messages.LocationEvent,
    "integration": messages.IntegrationEvent,
}
_uplink_event = messages.UplinkEvent.FromString


def reader(kind: str) -> Callable[[bytes, int], Said]:
    """Return what reads the events of one kind (the last level of their topic)."""
    if kind == "up":
        return _uplink
    return lambda payload, _: event(KINDS[kind], words(_CLASSES[kind], payload))


def _uplink(payload: bytes, received_at: int) -> Said:
    said = parsed(_uplink_event, payload)
    f_port = port(said.f_port)
    if not f_port:
        return event("mac", words(messages.UplinkEvent, payload))
    published = said.published_at
    return Uplink(
        said.data,
        f_port,
        decoded(said.object_json),
        received_at,
        eui(said.dev_eui.hex()),
        milliseconds(published.seconds, published.nanos) or _heard_at(said.rx_info),
        address(said.dev_addr.hex()),
        said.f_cnt,
        said,
        _ASIDE,
    )


def _heard_at(heard: Iterable[messages.UplinkRXInfo]) -> int | None:
    return next((at for info in heard if (at := clock(info.time))), None)


def _names(said: messages.UplinkEvent) -> Names:
    return Names(
        name=said.device_name or None,
        profile=said.device_profile_name or None,
        application=said.application_name or None,
        tags=dict(said.tags),
    )


def _receptions(said: messages.UplinkEvent) -> tuple[Reception, ...]:
    lora = said.tx_info.modulation == common.LORA
    return tuple(
        Reception(
            gateway(info.gateway_id.hex()) or "",
            rssi=info.rssi,
            snr=number(info.lora_snr) if lora else None,
            time=clock(info.time),
            location=place(info.location.longitude, info.location.latitude, info.location.altitude or None),
        )
        for info in said.rx_info
        if info.gateway_id
    )


_ASIDE = LazyDetails(_receptions, _names)
