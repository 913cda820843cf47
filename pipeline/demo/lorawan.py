"""The LoRaWAN part of the demo: nodes, gateways, network servers, and the registry."""

from __future__ import annotations

import os
import random
import struct
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from operator import itemgetter
from pathlib import Path
from secrets import token_bytes
from typing import Any, Final
from zlib import crc32

import orjson
from cryptography.hazmat.primitives.ciphers import Cipher, modes
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.cmac import CMAC

from pipeline.demo.devices import COPY, PUBLISHED, CityDevice, ExpectedOutcome, Spoken, iso
from pipeline.devices.registry import Key, Session

_MIC = 4
_UNCONFIRMED_UP, _JOIN_REQUEST = 0x40, 0x00


def data_up(session: Session, f_cnt: int, port: int, payload: bytes) -> bytes:
    """Return the PHYPayload of an unconfirmed uplink; f_cnt: all 32 bits of the counter."""
    address = bytes.fromhex(session.dev_addr)[::-1]
    count = struct.pack("<I", f_cnt)
    message = bytes([_UNCONFIRMED_UP]) + address + b"\0" + count[:2] + bytes([port])
    first = b"\1" + bytes(5) + address + count + b"\0\1"
    message += Cipher(AES(bytes(session.app_s_key)), modes.CTR(first)).encryptor().update(payload)
    block = b"\x49" + bytes(5) + address + count + bytes([0, len(message)])
    return message + _cmac(session.nwk_s_key, block + message)


def join_request(dev_eui: str, nonce: int, app_key: Key) -> bytes:
    """Return the PHYPayload of a join-request with the JoinEUI 0."""
    message = bytes([_JOIN_REQUEST]) + bytes(8) + bytes.fromhex(dev_eui)[::-1] + struct.pack("<H", nonce & 0xFFFF)
    return message + _cmac(app_key, message)


def _cmac(key: Key, octets: bytes) -> bytes:
    mac = CMAC(AES(bytes(key)))
    mac.update(octets)
    return mac.finalize()[:_MIC]


_VARINT, _I64, _LENGTH, _I32 = 0, 1, 2, 5
_NEGATIVE = 1 << 64


def integer(field: int, value: int) -> bytes:
    """Write an integer, a bool or an enum."""
    return _tag(field, _VARINT) + _varint(value % _NEGATIVE) if value else b""


def text(field: int, value: str) -> bytes:
    """Write a string."""
    return octets(field, value.encode())


def octets(field: int, value: bytes) -> bytes:
    """Write bytes, or a message within a message."""
    return _tag(field, _LENGTH) + _varint(len(value)) + value if value else b""


def double(field: int, value: float) -> bytes:
    """Write a number of 64 bits."""
    return _tag(field, _I64) + struct.pack("<d", value)


def single(field: int, value: float) -> bytes:
    """Write a number of 32 bits."""
    return _tag(field, _I32) + struct.pack("<f", value)


def moment(field: int, milliseconds: int) -> bytes:
    """Write a Timestamp or a Duration."""
    seconds, rest = divmod(milliseconds, 1000)
    return octets(field, integer(1, seconds) + integer(2, rest * 1_000_000))


def _tag(field: int, kind: int) -> bytes:
    return _varint(field << 3 | kind)


def _varint(value: int) -> bytes:
    written = bytearray()
    while value > 127:  # noqa: PLR2004 - seven bits a byte
        written.append(value & 127 | 128)
        value >>= 7
    written.append(value)
    return bytes(written)


_FIRST_COUNT = 5_000
_EXPERIMENTAL = 0x01FF_FFFF  # DevAddrs of NetID 0, which nobody's network has


class Quirk(Enum):
    """What is odd about one LoRaWAN device."""

    UNKNOWN = "the registry does not have it"
    ENCRYPTED = "its network server has no AppSKey"
    FAST_SERVER = "its network server's clock is two hours fast"
    WRONG_KEY = "the registry has another NwkSKey"
    STRANGER = "it is somebody else's"
    REPLAYED = "somebody sends again what it said last week"
    JOINING = "it asks to join, again and again"
    COLLIDING = "two frames at once, so that the checksum is wrong"


@dataclass(slots=True)
class CityNode:
    """The radio of a device. turn: how often it has spoken; its frame counter goes on with it."""

    device: CityDevice
    quirk: Quirk | None = None
    session: Session = field(init=False, repr=False)
    turn: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        app, network = Key(token_bytes(16)), Key(token_bytes(16))
        address = crc32(self.device.name.encode()) & _EXPERIMENTAL
        self.session = Session(f"{address:08x}", "1.0", app, network, network, network)

    @property
    def dev_eui(self) -> str:
        """Its DevEUI."""
        return f"70b3d5e0{crc32(self.device.name.encode()):08x}"

    @property
    def f_cnt(self) -> int:
        """Its frame counter."""
        return _FIRST_COUNT + self.turn

    @property
    def registered(self) -> bool:
        """Whether the registry has it."""
        return self.quirk not in {Quirk.UNKNOWN, Quirk.STRANGER}

    @property
    def known_session(self) -> Session:
        """The session as the registry has it."""
        if self.quirk is not Quirk.WRONG_KEY:
            return self.session
        other = Key(token_bytes(16))
        return Session(self.session.dev_addr, "1.0", self.session.app_s_key, other, other, other)


_FREQUENCIES: Final = (868_100_000, 868_300_000, 868_500_000)
_STATS_TURNS: Final = 5
_LAST_WEEK: Final = 4_000
_RECORDED: Final = 100  # frames, which come round again
_BAD_CRC, _CRC_OK = 1, 2
_ONLINE: Final = 1
_BY_BOTH: Final = 0.6


@dataclass(slots=True)
class CityGateway:
    """One gateway. heard, right: packets since it last told of them, and those of them with a right checksum."""

    eui: str
    longitude: float
    latitude: float
    heard: int = 0
    right: int = 0
    turn: int = field(default=0, init=False)
    silent: bool = field(default=False, init=False)

    def say(self, now: int) -> list[Spoken]:
        """Return what the gateway tells of itself: at first that it is there, and its statistics now and then."""
        self.turn += 1
        if self.turn == 1:
            state = integer(2, _ONLINE) + text(3, self.eui)
            return [Spoken(f"eu868/gateway/{self.eui}/state/conn", state)]
        if self.turn % _STATS_TURNS:
            return []
        place = double(1, self.latitude) + double(2, self.longitude) + double(3, 40.0)
        stats = moment(2, now) + octets(3, place) + text(17, self.eui)
        stats += integer(5, self.heard) + integer(6, self.right)
        self.heard = self.right = 0
        return [Spoken(f"eu868/gateway/{self.eui}/event/stats", stats)]

    def hear(self, phy: bytes, frequency: int, *, right: bool, chance: random.Random, now: int) -> Spoken:
        """Return what the gateway tells of a frame."""
        self.heard += 1
        self.right += right
        lora = integer(1, 125_000) + integer(2, 7) + integer(5, 1)
        sent = integer(1, frequency) + octets(2, octets(3, lora))
        rssi, snr = chance.randrange(-118, -70), chance.randrange(-20, 45) / 4
        heard = text(1, self.eui) + integer(2, chance.getrandbits(32)) + moment(3, now)
        heard += integer(6, rssi) + single(7, snr)
        heard += integer(16, _CRC_OK if right else _BAD_CRC)
        frame = octets(1, phy) + octets(4, sent) + octets(5, heard)
        return Spoken(f"eu868/gateway/{self.eui}/event/up", frame)


class Air:
    """What devices send, and which gateways hear it."""

    def __init__(self, gateways: Sequence[CityGateway]) -> None:
        self._gateways = gateways

    def say(self, node: CityNode, payload: bytes, now: int, outcome: ExpectedOutcome) -> Iterator[Spoken]:
        """Yield what the gateways publish of one turn of a device."""
        if node.quirk is Quirk.JOINING:
            phy = join_request(node.dev_eui, node.turn, node.session.app_s_key)
            yield from self._heard(node, phy, now, outcome)
            return
        f_cnt = node.f_cnt
        if node.quirk is Quirk.REPLAYED:  # its own first frame, and then those that somebody has recorded
            f_cnt, outcome = (_LAST_WEEK + node.turn % _RECORDED, outcome) if node.turn else (f_cnt, PUBLISHED)
        phy = data_up(node.session, f_cnt, node.device.kind.port, payload)
        yield from self._heard(node, phy, now, outcome)

    def _heard(self, node: CityNode, phy: bytes, now: int, outcome: ExpectedOutcome) -> Iterator[Spoken]:
        """Yield a frame as each gateway in reach heard it: all but the first are copies, if it is a frame at all."""
        chance = node.device.chance
        right = node.quirk is not Quirk.COLLIDING
        frequency = chance.choice(_FREQUENCIES)
        reached = self._gateways if chance.random() < _BY_BOTH else [chance.choice(self._gateways)]
        for at, gateway in enumerate(reached):
            spoken = gateway.hear(phy, frequency, right=right, chance=chance, now=now)
            yield spoken.ending(COPY if at and right else outcome)


_APPLICATION: Final = "b9e0a6a4-5f0a-4c1e-9a53-2f8f5d6b7c10"
_GATEWAY: Final = "0016c001f1500812"
_STATUS_TURNS: Final = 10
_TWO_HOURS: Final = 2 * 3600 * 1000


class ChirpStack:
    """ChirpStack v4. A device joins with its first turn, and tells its status now and then."""

    def __init__(self, *, json: bool) -> None:
        self._write = _json if json else _protobuf

    def say(self, node: CityNode, payload: bytes, now: int, outcome: ExpectedOutcome) -> Iterator[Spoken]:
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


def _json(node: CityNode, now: int, said: dict[str, Any]) -> bytes:
    info = {"applicationId": _APPLICATION, "applicationName": "city", "deviceName": node.device.name}
    info |= {"deviceProfileName": node.device.kind.name, "devEui": node.dev_eui}
    message = {"deduplicationId": _APPLICATION, "time": iso(now), "deviceInfo": info, **said}
    if "data" in said:
        lora = {"lora": {"bandwidth": 125_000, "spreadingFactor": 7, "codeRate": "CR_4_5"}}
        message |= {"txInfo": {"frequency": 868_100_000, "modulation": lora}}
        message |= {"data": b64encode(said["data"]).decode(), "rxInfo": [_heard("gatewayId", _GATEWAY)]}
    return orjson.dumps(message)


def _heard(name: str, gateway: object) -> dict[str, Any]:
    return {name: gateway, "rssi": -87, "snr": 8.5}


def _protobuf(node: CityNode, now: int, said: dict[str, Any]) -> bytes:
    """Write UplinkEvent, JoinEvent or StatusEvent (chirpstack-api, integration.proto): the first four fields agree."""
    get = said.get
    info = text(3, _APPLICATION) + text(4, "city") + text(6, node.device.kind.name)
    info += text(7, node.device.name) + text(8, node.dev_eui)
    message = text(1, _APPLICATION) + moment(2, now) + octets(3, info) + text(4, get("devAddr", ""))
    if "margin" in said:
        return message + integer(5, said["margin"]) + single(8, said["batteryLevel"])
    message += integer(7, get("fCnt", 0)) + integer(8, get("fPort", 0)) + octets(10, get("data", b""))
    if "data" in said:
        lora = octets(3, integer(1, 125_000) + integer(2, 7) + integer(5, 1))
        message += octets(12, text(1, _GATEWAY) + integer(6, -87) + single(7, 8.5))
        message += octets(13, integer(1, 868_100_000) + octets(2, lora))
    if "joinServerContext" in said:
        message += octets(15, text(1, said["joinServerContext"]["sessionKeyId"]))
    return message


class TheThingsStack:
    """The Things Stack v3."""

    def say(self, node: CityNode, payload: bytes, now: int, outcome: ExpectedOutcome) -> Iterator[Spoken]:
        """Yield what the server publishes of one turn of a device."""
        if node.quirk is Quirk.FAST_SERVER:
            now += _TWO_HOURS
        topic = f"v3/city@ghent/devices/{node.device.name}"
        if node.turn == 0:
            joined = {"join_accept": {"session_key_id": "AXA50tHUGUucuzS/bCGMNw==", "received_at": iso(now)}}
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
            "received_at": iso(now),
        }
        yield Spoken(f"{topic}/up", _things(node, now, {"uplink_message": uplink}), outcome)


def _things(node: CityNode, now: int, said: dict[str, Any]) -> bytes:
    ids = {
        "device_id": node.device.name,
        "application_ids": {"application_id": "city"},
        "dev_eui": node.dev_eui.upper(),
        "dev_addr": node.session.dev_addr.upper(),
    }
    return orjson.dumps({"end_device_ids": ids, "received_at": iso(now), **said})


_OWNER_ONLY: Final = 0o600
_HEAD: Final = "# Every device of the demo's city; those that gateways hear have the keys of their sessions.\n"


def write(file: Path, devices: Iterable[tuple[CityDevice, CityNode | None]]) -> None:
    """Write the registry, a device a line: JSON, which is YAML."""
    rows = [_row(device, node) for device, node in devices if node is None or node.registered]
    rows.sort(key=itemgetter("key"))
    text = _HEAD + "".join(f"- {orjson.dumps(row).decode()}\n" for row in rows)
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _OWNER_ONLY), "w", encoding="utf-8") as written:
        written.write(text)


def _row(device: CityDevice, node: CityNode | None) -> Mapping[str, Any]:
    row: dict[str, Any] = {"key": device.name}
    if node is None:
        return row
    row |= {"dev_eui": node.dev_eui, "connector": device.kind.connector}
    row |= {"location": [device.longitude, device.latitude]}
    if device.kind.network == "gateways":
        session = node.known_session
        keys = {"nwk_s_key": session.nwk_s_key.hex(), "app_s_key": session.app_s_key.hex()}
        row["sessions"] = [{"dev_addr": session.dev_addr, **keys}]
    return row
