"""The protobuf form of what ChirpStack's gateway bridges say; imported when the first such message comes."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from google.protobuf.json_format import Error, MessageToDict
from google.protobuf.message import DecodeError, Message

from connectors.network_servers.data_rates import lora_rate, lr_fhss_rate
from connectors.network_servers.gateway_clock import from_gps, plausible
from connectors.network_servers.proto import chirpstack_common_pb2 as common
from connectors.network_servers.proto import chirpstack_gw_pb2 as gw
from connectors.network_servers.reading import number, place
from pipeline.core.errors import PayloadError, Reason
from pipeline.sdk.dialect import EventKind, Frame
from pipeline.sdk.uplink import Reception, eui

_EVENTS: dict[EventKind, type[Message]] = {
    "gateway_stats": gw.GatewayStats,
    "gateway_ack": gw.DownlinkTxAck,
    "gateway_exec": gw.GatewayCommandExecResponse,
    "gateway_raw": gw.RawPacketForwarderEvent,
    "gateway_mesh": gw.MeshEvent,
    "gateway_state": gw.ConnState,
}
_NO_FREQUENCY = "Expected a frequency in Hz; it is absent."
_head = gw.UplinkFrameHead.FromString  # finding it in the class takes as long as the call
_LONGEST_KEPT = 256  # bytes, of what is taken apart once: longer ones are each time, so that nobody can fill the memory
_CRC = {gw.CRC_OK: True, gw.BAD_CRC: False}
_gateway = lru_cache(maxsize=4096)(eui)


def frame(payload: bytes) -> Frame:
    """Read an uplink; bridges of v3 use fields of their own.

    Raises:
        PayloadError: it is none.
    """
    try:
        said = _head(payload)
        heard = said.rx_info
        gateway = heard.gateway_id
        if not gateway and not said.HasField("rx_info"):
            return _legacy(payload)
        sent, where = said.tx_info, heard.location
        short = len(sent) + len(where) <= _LONGEST_KEPT
        frequency, rate, with_snr = _sent(sent) if short else _sent.__wrapped__(sent)
        place = _told_place(where) if short else _told_place.__wrapped__(where)
    except DecodeError:
        raise PayloadError("Expected an UplinkFrame in protobuf.", Reason.MALFORMED) from None
    time = None
    if heard.HasField("time_since_gps_epoch"):  # asking costs less than finding nothing
        told = heard.time_since_gps_epoch
        time = from_gps(told.seconds * 1000 + told.nanos // 1_000_000)
    gps = time is not None
    if time is None and heard.HasField("gw_time"):
        own = heard.gw_time
        time = plausible(own.seconds * 1000 + own.nanos // 1_000_000)
    snr = _snr(heard.snr) if with_snr else None
    reception = Reception(_gateway(gateway), heard.rssi, snr, time, place, gps)
    return Frame(said.phy_payload, frequency, rate, reception, _CRC.get(heard.crc_status))


def _legacy(payload: bytes) -> Frame:
    said = gw.UplinkFrame.FromString(payload)
    sent, heard = said.tx_info_legacy, said.rx_info_legacy
    if not sent.frequency:
        raise PayloadError(_NO_FREQUENCY)
    rate, with_snr = _data_rate(sent, sent.WhichOneof("modulation_info"))
    since, told = heard.time_since_gps_epoch, heard.time
    by_gps = from_gps(since.seconds * 1000 + since.nanos // 1_000_000)
    own = plausible(told.seconds * 1000 + told.nanos // 1_000_000)
    reception = Reception(
        eui(heard.gateway_id.hex()),
        heard.rssi,
        _snr(heard.lora_snr) if with_snr else None,
        own if by_gps is None else by_gps,
        _place(heard.location) if heard.HasField("location") else None,
        by_gps is not None,
    )
    return Frame(said.phy_payload, sent.frequency, rate, reception, _CRC.get(heard.crc_status))


@lru_cache(maxsize=4096)
def _sent(tx_info: bytes) -> tuple[int, str, bool]:
    """Return the frequency, the data rate, and whether frames of its modulation have an SNR."""
    sent = gw.UplinkTxInfo.FromString(tx_info)
    if not sent.frequency:
        raise PayloadError(_NO_FREQUENCY)
    return sent.frequency, *_data_rate(sent.modulation, sent.modulation.WhichOneof("parameters"))


@lru_cache(maxsize=4096)
def _told_place(location: bytes) -> tuple[float, ...] | None:
    return _place(common.Location.FromString(location)) if location else None


@lru_cache(maxsize=4096)
def _snr(told: float) -> float | None:
    # A float of 32 bits; radios tell quarters of a dB. And -0.0 is 0.0, as it is in JSON.
    return None if number(told) is None else round(told, 2) + 0.0


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


def _data_rate(told: Any, which: str | None) -> tuple[str, bool]:  # noqa: ANN401 - v3 and v4 have a message each
    if which is None:
        raise PayloadError("Expected a modulation, lora, fsk or lrFhss; there is none.")
    parameters = getattr(told, which)
    if which.startswith("lora"):
        return lora_rate(parameters.spreading_factor, parameters.bandwidth), True
    if which.startswith("fsk"):
        return str(parameters.datarate), False
    return lr_fhss_rate(parameters.operating_channel_width), True


def _place(location: common.Location) -> tuple[float, ...] | None:
    return place(location.longitude, location.latitude, location.altitude or None)
