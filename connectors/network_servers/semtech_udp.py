"""Semtech's packet forwarder (Lora-net/packet_forwarder, PROTOCOL.TXT 1.6, section 4): frames straight from gateways.

The feed `kind: semtech_udp` brings it. Topics: `<gateway EUI>/push_data` and `<gateway EUI>/tx_ack`; the payload is the
datagram's JSON.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Mapping, Sequence
from functools import partial
from math import inf
from typing import Any

from connectors.network_servers import reading
from connectors.network_servers.gateway_clock import from_gps, plausible
from pipeline.core.errors import PayloadError
from pipeline.core.strict_json import document
from pipeline.core.times import parse
from pipeline.sdk.dialect import Dialect, Event, Frame, Reader, Said
from pipeline.sdk.uplink import Reception, eui

_HIGHEST_FREQUENCY = 10_000.0  # MHz
_LONGEST_RATE = 20  # characters: `SF12BW125`, `M0CW137`
_LONGEST_DATA = 1024  # characters: a PHYPayload has 255 bytes at most
_LARGEST_GPS = 2**53
_MOST_FRAMES = 255  # of a datagram: what the buffer of a concentrator holds (SX1302)
_URL_SAFE = str.maketrans("-_", "+/", "=\r\n")
_CRC = {1: True, 0: False, -1: False}  # 0: it had none, and so is no uplink of LoRaWAN (clause 3.1)


def reader(topic: str) -> Reader:
    """Return the reader of one gateway's datagrams."""
    gateway, _, kind = topic.partition("/")
    return partial(_read, gateway, kind)


def recognises(topic: str, payload: bytes, fields: Mapping[str, Any] | None) -> bool:  # noqa: ARG001 - the shape of all
    """Say whether a message is of this dialect: nothing else has its topics."""
    gateway, _, kind = topic.partition("/")
    return kind in {"push_data", "tx_ack"} and len(gateway) == 16 and fields is not None  # noqa: PLR2004


def _read(name: str, kind: str, payload: bytes, arrival: int) -> Sequence[Said]:  # noqa: ARG001 - the shape of all
    gateway = eui(name)
    if kind == "tx_ack":  # without JSON the downlink was sent
        return (
            Event(
                "gateway_ack",
                gateway=gateway,
                details=reading.public(document(payload)) if payload.strip(b"\0 ") else {},
                verified=False,
            ),
        )
    if kind != "push_data":
        raise PayloadError(f"Expected a topic <gateway EUI>/push_data or tx_ack, got {reading.shown(kind)} as its end.")
    said = document(payload)
    received, stat = said.get("rxpk"), said.get("stat")
    if received is None and stat is None:
        raise PayloadError("Expected `rxpk` or `stat`; there is neither.")
    found = _frames(gateway, received) if received is not None else []
    if stat is not None:
        found.append(_stats(gateway, reading.mapping(stat, "stat")))
    return found


def _frames(gateway: str, received: object) -> list[Said]:
    """Return one frame for each transmission; antennas that the gateway lists apart are one reception, its best."""
    if not isinstance(received, list):
        raise PayloadError(f"Expected a list as rxpk, got {reading.shown(received)}.")
    if len(received) > _MOST_FRAMES:
        raise PayloadError(f"Expected at most {_MOST_FRAMES} frames as rxpk, got {len(received)}.")
    if len(received) == 1:
        return [_frame(gateway, reading.mapping(received[0], "rxpk"))]
    best: dict[tuple[bytes, int, str], Frame] = {}
    for each in received:
        frame = _frame(gateway, reading.mapping(each, "rxpk"))
        key = (frame.phy_payload, frame.frequency, frame.data_rate)
        if key not in best or _strength(best[key].reception) < _strength(frame.reception):
            best[key] = frame
    return list(best.values())


def _frame(gateway: str, received: dict[str, Any]) -> Frame:
    megahertz = reading.number(received.get("freq"))
    if megahertz is None or not 0 < megahertz < _HIGHEST_FREQUENCY:
        raise PayloadError(f"Expected a frequency in MHz as freq, got {reading.shown(received.get('freq'))}.")
    status = received.get("stat")
    return Frame(
        _data(received.get("data")),
        round(megahertz * 1_000_000),
        _data_rate(received.get("datr")),
        _reception(gateway, received),
        _CRC.get(status) if status.__class__ is int else None,
    )


def _data(value: object) -> bytes:
    """Read Base64 without its padding, or of the alphabet for URLs: the protocol's own examples are."""
    if isinstance(value, str) and len(value) <= _LONGEST_DATA:
        try:
            return b64decode(value, validate=True)
        except ValueError:
            plain = value.translate(_URL_SAFE)
        try:
            return b64decode(plain + "=" * (-len(plain) % 4), validate=True)
        except ValueError:
            pass
    raise PayloadError(f"Expected a frame in Base64 as data, got {reading.shown(value)}.")


def _data_rate(value: object) -> str:
    if isinstance(value, str) and 0 < len(value) <= _LONGEST_RATE:
        return value
    rate = reading.integer(None if isinstance(value, str) else value, "bits per second as datr", 10_000_000)
    if rate is None:
        raise PayloadError(f"Expected a data rate as datr, got {reading.shown(value)}.")
    return str(rate)


def _reception(gateway: str, received: dict[str, Any]) -> Reception:
    """Return how the best of the gateway's antennas heard it."""
    time, gps = _time(received)
    rssi, snr = reading.number(received.get("rssi")), reading.number(received.get("lsnr"))
    heard = Reception(gateway, rssi, snr, time, gps=gps)
    for each in reading.objects(received.get("rsig")):  # PROTOCOL.TXT of gateway v2: a signal for each antenna
        rssi = reading.number(each.get("rssic"))
        signal = Reception(gateway, rssi, reading.number(each.get("lsnr")), time, gps=gps)
        if _strength(heard) < _strength(signal):
            heard = signal
    return heard


def _strength(reception: Reception) -> tuple[float, float]:
    snr, rssi = reception.snr, reception.rssi
    return (-inf if snr is None else snr, -inf if rssi is None else rssi)


def _time(received: dict[str, Any]) -> tuple[int | None, bool]:
    """Return when it was heard, and whether by GPS: `time` may come from a clock that was set once."""
    since = received.get("tmms")
    by_gps = from_gps(since) if isinstance(since, int) and 0 < since < _LARGEST_GPS else None
    return (plausible(parse(received.get("time"), "iso")), False) if by_gps is None else (by_gps, True)


def _stats(gateway: str, stat: dict[str, Any]) -> Event:
    written = stat.get("time")
    if isinstance(written, str):  # `2014-01-12 08:59:28 GMT`
        written = written.removesuffix(" GMT").replace(" ", "T") + "Z" if written.endswith(" GMT") else written
    return Event(
        "gateway_stats",
        gateway=gateway,
        time=plausible(parse(written, "iso")),
        details=reading.public(stat),
        location=reading.place(stat.get("long"), stat.get("lati"), stat.get("alti")),
        packets=reading.packets(stat.get("rxnb"), stat.get("rxok")),
        verified=False,
    )


dialect = Dialect(name="semtech_udp", reader=reader, recognises=recognises, raw=True)
