"""ChirpStack Gateway Bridge and MQTT Forwarder: frames straight from gateways (chirpstack-api, gw.proto).

Topics end in `event/<up|stats|ack|exec|raw|mesh>` or `state/conn`. JSON and protobuf may be mixed under one prefix, so
that each message says which it is: protobuf never begins with `{`, which would be a group, and proto3 has none. The
gateway's EUI is taken from the message, since the topic of `exec` holds a wrong one. In both forms, what is absent is
the default: a signal of 0 dBm or 0 dB, a latitude of 0, no CRC, and OFFLINE.
"""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Mapping, Sequence
from functools import cache, partial
from types import ModuleType
from typing import Any

from connectors.network_servers import reading
from connectors.network_servers.data_rates import lora_rate, lr_fhss_rate
from connectors.network_servers.gateway_clock import from_gps, plausible
from pipeline.core.errors import PayloadError, Reason
from pipeline.core.strict_json import document
from pipeline.core.times import parse
from pipeline.sdk.dialect import Dialect, Event, EventKind, Frame, Reader, Said
from pipeline.sdk.uplink import Reception, eui

_KINDS: dict[tuple[str, str], EventKind] = {
    ("event", "stats"): "gateway_stats",
    ("event", "ack"): "gateway_ack",
    ("event", "exec"): "gateway_exec",
    ("event", "raw"): "gateway_raw",
    ("event", "mesh"): "gateway_mesh",
    ("state", "conn"): "gateway_state",
}
_UP = ("event", "up")
_CRC = {"CRC_OK": True, "BAD_CRC": False}
_DURATION = re.compile(r"([0-9]{1,12})(?:\.([0-9]{1,9}))?s", re.ASCII)
_LEGACY_LENGTH = 12  # characters: eight bytes in Base64, as bridges of ChirpStack v3 write an EUI
_HIGHEST = 2**32 - 1


def reader(topic: str) -> Reader:
    """Return the reader of a topic's messages."""
    _, *end = ["", "", *topic.split("/")][-3:]
    said = (end[0], end[1])
    if said == _UP:
        return _up
    kind = _KINDS.get(said)
    return partial(_refuse, topic) if kind is None else partial(_event, kind)


def recognises(topic: str, payload: bytes, fields: Mapping[str, Any] | None) -> bool:  # noqa: ARG001 - the shape of all
    """Say whether a message is of this dialect, by its topic `<prefix>/gateway/<EUI>/<event|state>/<type>`."""
    levels = topic.split("/")
    said = (levels[-2], levels[-1]) if len(levels) > 3 else ("", "")  # noqa: PLR2004
    return levels[-4:-3] == ["gateway"] and (said == _UP or said in _KINDS)


def _refuse(topic: str, payload: bytes, arrival: int) -> Sequence[Said]:  # noqa: ARG001 - the shape of all
    end = "/".join(topic.split("/")[-2:])
    raise PayloadError(f"Expected a topic that ends in event/up or the like, got {reading.shown(end)}.")


@cache
def _protobuf() -> ModuleType:
    from connectors.network_servers.proto import chirpstack_gateway  # noqa: PLC0415 - see proto/

    return chirpstack_gateway


def _up(payload: bytes, arrival: int) -> Sequence[Said]:  # noqa: ARG001 - the shape of all
    if payload[:1] != b"{":
        return (_protobuf().frame(payload),)
    said = document(payload)
    sent = said.get("txInfo") or said.get("txInfoLegacy")
    heard = said.get("rxInfo") or said.get("rxInfoLegacy")
    sent, heard = reading.mapping(sent, "txInfo"), reading.mapping(heard, "rxInfo")
    rate, with_snr = _data_rate(sent)
    frequency = reading.integer(sent.get("frequency"), "a frequency in Hz", _HIGHEST)
    if not frequency:
        raise PayloadError("Expected a frequency in Hz; it is absent.")
    status = heard.get("crcStatus")
    return (
        Frame(
            reading.base64(said.get("phyPayload"), "phyPayload"),
            frequency,
            rate,
            _reception(heard, with_snr=with_snr),
            _CRC.get(status) if isinstance(status, str) else None,
        ),
    )


def _data_rate(sent: dict[str, Any]) -> tuple[str, bool]:
    """Return the data rate, and whether frames of its modulation have an SNR; v3 names the modulations otherwise."""
    now = sent.get("modulation")
    told = now if isinstance(now, dict) else sent
    for name in ("lora", "loRaModulationInfo", "loraModulationInfo"):
        lora = told.get(name)
        if isinstance(lora, dict):
            spreading = reading.integer(lora.get("spreadingFactor"), "a spreading factor", 15)
            return lora_rate(spreading or 0, reading.integer(lora.get("bandwidth"), "a bandwidth", _HIGHEST) or 0), True
    for name in ("fsk", "fskModulationInfo"):
        fsk = told.get(name)
        if isinstance(fsk, dict):
            return str(reading.integer(fsk.get("datarate"), "bits per second", _HIGHEST) or 0), False
    for name in ("lrFhss", "lrFhssModulationInfo", "lrFHSSModulationInfo"):
        hopping = told.get(name)
        if isinstance(hopping, dict):
            width = reading.integer(hopping.get("operatingChannelWidth"), "a channel width", _HIGHEST)
            return lr_fhss_rate(width or 0), True
    raise PayloadError("Expected a modulation, lora, fsk or lrFhss; there is none.")


def _reception(heard: dict[str, Any], *, with_snr: bool) -> Reception:
    time, gps = _time(heard)
    told = heard.get("snr")
    if told is None:
        told = heard.get("loRaSNR", heard.get("loraSnr", 0.0))
    snr = reading.number(told)
    return Reception(
        _gateway(heard),
        reading.number(heard.get("rssi", 0)),
        None if not with_snr or snr is None else snr + 0.0,  # bridges write -0
        time,
        _place(heard.get("location")),
        gps,
    )


def _gateway(said: Mapping[str, Any]) -> str:
    name = said.get("gatewayId") or said.get("gatewayID") or said.get("gatewayIdLegacy")
    if isinstance(name, str) and len(name) == _LEGACY_LENGTH:
        try:
            return eui(b64decode(name, validate=True).hex())
        except ValueError:
            pass
    return eui(name)


def _time(heard: dict[str, Any]) -> tuple[int | None, bool]:
    """Return when the gateway heard it, and whether by GPS, which ChirpStack prefers too."""
    since = heard.get("timeSinceGpsEpoch") or heard.get("timeSinceGPSEpoch")
    told = _DURATION.fullmatch(since) if isinstance(since, str) else None
    by_gps = None if told is None else from_gps(int(told[1]) * 1000 + int((told[2] or "0").ljust(3, "0")[:3]))
    if by_gps is not None:
        return by_gps, True
    return plausible(parse(heard.get("gwTime") or heard.get("time"), "iso")), False


def _place(location: object) -> tuple[float, ...] | None:
    if not isinstance(location, dict):
        return None
    altitude = location.get("altitude") or None  # 0 is absent, and most often unknown
    return reading.place(location.get("longitude", 0.0), location.get("latitude", 0.0), altitude)


def _event(kind: EventKind, payload: bytes, arrival: int) -> Sequence[Said]:  # noqa: ARG001 - the shape of all
    if not payload:  # a retained state that somebody cleared; as protobuf it would say OFFLINE
        raise PayloadError("Expected JSON or protobuf; there is nothing.", Reason.MALFORMED)
    said = document(payload) if payload[:1] == b"{" else _protobuf().event(kind, payload)
    state: dict[str, str] = {}
    if kind == "gateway_state":
        state = {"deviceState": _state(said.get("state", "OFFLINE"))}
        said = {**said, "state": state["deviceState"]}
    time, location = plausible(parse(said.get("time"), "iso")), _place(said.get("location"))
    packets = None
    if kind == "gateway_stats":
        packets = reading.packets(said.get("rxPacketsReceived", 0), said.get("rxPacketsReceivedOk", 0))
    details = reading.public(said)
    return (Event(kind, None, _gateway(said), time, details, state, location, packets=packets),)


def _state(value: object) -> str:
    if value not in ("ONLINE", "OFFLINE"):
        raise PayloadError(f"Expected ONLINE or OFFLINE as state, got {reading.shown(value)}.")
    return str(value)


dialect = Dialect(name="chirpstack_gateway", reader=reader, recognises=recognises, raw=True)
