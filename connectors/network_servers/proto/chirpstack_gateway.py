"""The protobuf form of what ChirpStack's gateway bridges say; imported when the first such message comes."""

from __future__ import annotations

from typing import Any

from google.protobuf.json_format import Error, MessageToDict
from google.protobuf.message import DecodeError, Message

from connectors.network_servers.chirpstack_gateway import lora_rate, lr_fhss_rate
from connectors.network_servers.gateway_clock import from_gps, plausible
from connectors.network_servers.proto import chirpstack_common_pb2 as common
from connectors.network_servers.proto import chirpstack_gw_pb2 as gw
from connectors.network_servers.reading import number, place
from pipeline.dialect import EventKind, Frame
from pipeline.errors import PayloadError, Reason
from pipeline.uplink import Reception, eui

_EVENTS: dict[EventKind, type[Message]] = {
    "gateway_stats": gw.GatewayStats,
    "gateway_ack": gw.DownlinkTxAck,
    "gateway_exec": gw.GatewayCommandExecResponse,
    "gateway_raw": gw.RawPacketForwarderEvent,
    "gateway_mesh": gw.MeshEvent,
    "gateway_state": gw.ConnState,
}
_CRC = {gw.CRC_OK: True, gw.BAD_CRC: False}


def frame(payload: bytes) -> Frame:
    """Read an uplink; bridges of v3 use fields of their own.

    Raises:
        PayloadError: it is none.
    """
    try:
        said = gw.UplinkFrame.FromString(payload)
    except DecodeError:
        raise PayloadError("Expected an UplinkFrame in protobuf.", Reason.MALFORMED) from None
    legacy = not said.HasField("rx_info")
    sent, heard = (said.tx_info_legacy, said.rx_info_legacy) if legacy else (said.tx_info, said.rx_info)
    rate, with_snr = _data_rate(sent)
    if not sent.frequency:
        raise PayloadError("Expected a frequency in Hz; it is absent.")
    name = heard.gateway_id
    snr = heard.lora_snr if isinstance(heard, gw.UplinkRxInfoLegacy) else heard.snr
    time, gps = _time(heard)
    reception = Reception(
        eui(name.hex() if isinstance(name, bytes) else name),
        heard.rssi,
        # A float of 32 bits; radios tell quarters of a dB. And -0.0 is 0.0, as it is in JSON.
        None if not with_snr or number(snr) is None else round(snr, 2) + 0.0,
        time,
        _place(heard.location) if heard.HasField("location") else None,
        gps,
    )
    return Frame(said.phy_payload, sent.frequency, rate, reception, _CRC.get(heard.crc_status))


def event(kind: EventKind, payload: bytes) -> dict[str, Any]:
    """Return an event as the bridges write it in JSON.

    Raises:
        PayloadError: it is none.
    """
    form = _EVENTS[kind]
    said = form()
    try:
        said.ParseFromString(payload)
        return MessageToDict(said)
    except (DecodeError, Error, ValueError):  # also a time beyond the year 9999
        raise PayloadError(f"Expected a {form.DESCRIPTOR.name} in protobuf.", Reason.MALFORMED) from None


def _data_rate(sent: gw.UplinkTxInfo | gw.UplinkTxInfoLegacy) -> tuple[str, bool]:
    which: str | None
    told: Any  # both name the parameters of three modulations, and v3 adds a word
    if isinstance(sent, gw.UplinkTxInfoLegacy):
        which, told = sent.WhichOneof("modulation_info"), sent
    else:
        told = sent.modulation
        which = told.WhichOneof("parameters")
    if which is not None:
        parameters = getattr(told, which)
        if which.startswith("lora"):
            return lora_rate(parameters.spreading_factor, parameters.bandwidth), True
        if which.startswith("fsk"):
            return str(parameters.datarate), False
        return lr_fhss_rate(parameters.operating_channel_width), True
    raise PayloadError("Expected a modulation, lora, fsk or lrFhss; there is none.")


def _time(heard: gw.UplinkRxInfo | gw.UplinkRxInfoLegacy) -> tuple[int | None, bool]:
    since = heard.time_since_gps_epoch
    by_gps = from_gps(since.seconds * 1000 + since.nanos // 1_000_000)  # absent, it is 0, which no set clock says
    if by_gps is not None:
        return by_gps, True
    told = heard.time if isinstance(heard, gw.UplinkRxInfoLegacy) else heard.gw_time
    return plausible(told.seconds * 1000 + told.nanos // 1_000_000), False


def _place(location: common.Location) -> tuple[float, ...] | None:
    return place(location.longitude, location.latitude, location.altitude or None)
