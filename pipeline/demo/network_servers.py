"""Two network servers, and what they publish of LoRaWAN devices: ChirpStack v4 and The Things Stack v3."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from pipeline.demo import protobuf
from pipeline.demo.node import Node, Quirk
from pipeline.demo.outcome import PUBLISHED, Outcome, Spoken

_APPLICATION: Final = "b9e0a6a4-5f0a-4c1e-9a53-2f8f5d6b7c10"
_GATEWAY: Final = "0016c001f1500812"
_STATUS_TURNS: Final = 10
_TWO_HOURS: Final = 2 * 3600 * 1000


class ChirpStack:
    """ChirpStack v4. A device joins with its first turn, and tells its status now and then."""

    def __init__(self, *, json: bool) -> None:
        self._write = _json if json else _protobuf

    def say(self, node: Node, payload: bytes, now: int, outcome: Outcome) -> Iterator[Spoken]:
        """Yield what the server publishes of one turn of a device."""
        topic = f"application/{_APPLICATION}/device/{node.dev_eui}/event"
        if node.turn == 0:
            yield Spoken(f"{topic}/join", self._write(node, now, {"devAddr": node.session.dev_addr}))
        if (node.turn + node.device.number) % _STATUS_TURNS == 0:
            status = {"margin": 7 + node.device.number % 5, "batteryLevel": 90.5 - node.device.number}
            yield Spoken(f"{topic}/status", self._write(node, now, status))
        said: dict[str, Any] = {"devAddr": node.session.dev_addr, "fCnt": node.f_cnt, "fPort": node.device.kind.port}
        if node.quirk is Quirk.ENCRYPTED:
            said["joinServerContext"] = {"sessionKeyId": "AXA50tHUGUucuzS/bCGMNw=="}
        yield Spoken(f"{topic}/up", self._write(node, now, said | {"data": payload}), outcome)


def _json(node: Node, now: int, said: dict[str, Any]) -> bytes:
    info = {"applicationId": _APPLICATION, "applicationName": "city", "deviceName": node.device.name}
    info |= {"deviceProfileName": node.device.kind.name, "devEui": node.dev_eui}
    message = {"deduplicationId": _APPLICATION, "time": _iso(now), "deviceInfo": info, **said}
    if "data" in said:
        lora = {"lora": {"bandwidth": 125_000, "spreadingFactor": 7, "codeRate": "CR_4_5"}}
        message |= {"txInfo": {"frequency": 868_100_000, "modulation": lora}}
        message |= {"data": b64encode(said["data"]).decode(), "rxInfo": [_heard("gatewayId", _GATEWAY)]}
    return orjson.dumps(message)


def _heard(name: str, gateway: object) -> dict[str, Any]:
    return {name: gateway, "rssi": -87, "snr": 8.5}


def _protobuf(node: Node, now: int, said: dict[str, Any]) -> bytes:
    """Write UplinkEvent, JoinEvent or StatusEvent (chirpstack-api, integration.proto): the first four fields agree."""
    get, integer, text = said.get, protobuf.integer, protobuf.text
    info = text(3, _APPLICATION) + text(4, "city") + text(6, node.device.kind.name)
    info += text(7, node.device.name) + text(8, node.dev_eui)
    message = text(1, _APPLICATION) + protobuf.moment(2, now) + protobuf.octets(3, info) + text(4, get("devAddr", ""))
    if "margin" in said:
        return message + integer(5, said["margin"]) + protobuf.single(8, said["batteryLevel"])
    message += integer(7, get("fCnt", 0)) + integer(8, get("fPort", 0)) + protobuf.octets(10, get("data", b""))
    if "data" in said:
        lora = protobuf.octets(3, integer(1, 125_000) + integer(2, 7) + integer(5, 1))
        message += protobuf.octets(12, text(1, _GATEWAY) + integer(6, -87) + protobuf.single(7, 8.5))
        message += protobuf.octets(13, integer(1, 868_100_000) + protobuf.octets(2, lora))
    if "joinServerContext" in said:
        message += protobuf.octets(15, text(1, said["joinServerContext"]["sessionKeyId"]))
    return message


class TheThingsStack:
    """The Things Stack v3."""

    def say(self, node: Node, payload: bytes, now: int, outcome: Outcome) -> Iterator[Spoken]:
        """Yield what the server publishes of one turn of a device."""
        if node.quirk is Quirk.FAST_SERVER:
            now += _TWO_HOURS
        topic = f"v3/city@ghent/devices/{node.device.name}"
        if node.turn == 0:
            joined = {"join_accept": {"session_key_id": "AXA50tHUGUucuzS/bCGMNw==", "received_at": _iso(now)}}
            yield Spoken(f"{topic}/join", _things(node, now, joined), PUBLISHED)
        uplink = {
            "f_port": node.device.kind.port,
            "f_cnt": node.f_cnt,
            "frm_payload": b64encode(payload).decode(),
            "rx_metadata": [_heard("gateway_ids", {"gateway_id": "belfry", "eui": _GATEWAY.upper()})],
            "settings": {
                "data_rate": {"lora": {"bandwidth": 125_000, "spreading_factor": 7}},
                "frequency": "868100000",
            },
            "received_at": _iso(now),
        }
        yield Spoken(f"{topic}/up", _things(node, now, {"uplink_message": uplink}), outcome)


def _things(node: Node, now: int, said: dict[str, Any]) -> bytes:
    ids = {
        "device_id": node.device.name,
        "application_ids": {"application_id": "city"},
        "dev_eui": node.dev_eui.upper(),
        "dev_addr": node.session.dev_addr.upper(),
    }
    return orjson.dumps({"end_device_ids": ids, "received_at": _iso(now), **said})


def _iso(now: int) -> str:
    return datetime.fromtimestamp(now / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
