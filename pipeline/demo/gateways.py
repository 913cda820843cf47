"""Two LoRaWAN gateways with a ChirpStack Gateway Bridge each, and the devices that they hear.

Each frame is heard by one of them or by both, and published in protobuf (chirpstack-api, gw.proto).
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from pipeline.demo import protobuf, radio
from pipeline.demo.node import Node, Quirk
from pipeline.demo.outcome import COPY, PUBLISHED, Outcome, Spoken

_FREQUENCIES: Final = (868_100_000, 868_300_000, 868_500_000)
_STATS_TURNS: Final = 5
_LAST_WEEK: Final = 4_000
_RECORDED: Final = 100  # frames, which come round again
_BAD_CRC, _CRC_OK = 1, 2
_ONLINE: Final = 1
_BY_BOTH: Final = 0.6


@dataclass(slots=True)
class Gateway:
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
            state = protobuf.integer(2, _ONLINE) + protobuf.text(3, self.eui)
            return [Spoken(f"eu868/gateway/{self.eui}/state/conn", state)]
        if self.turn % _STATS_TURNS:
            return []
        place = protobuf.double(1, self.latitude) + protobuf.double(2, self.longitude) + protobuf.double(3, 40.0)
        stats = protobuf.moment(2, now) + protobuf.octets(3, place) + protobuf.text(17, self.eui)
        stats += protobuf.integer(5, self.heard) + protobuf.integer(6, self.right)
        self.heard = self.right = 0
        return [Spoken(f"eu868/gateway/{self.eui}/event/stats", stats)]

    def hear(self, phy: bytes, frequency: int, *, right: bool, chance: random.Random, now: int) -> Spoken:
        """Return what the gateway tells of a frame."""
        self.heard += 1
        self.right += right
        lora = protobuf.integer(1, 125_000) + protobuf.integer(2, 7) + protobuf.integer(5, 1)
        sent = protobuf.integer(1, frequency) + protobuf.octets(2, protobuf.octets(3, lora))
        rssi, snr = chance.randrange(-118, -70), chance.randrange(-20, 45) / 4
        heard = protobuf.text(1, self.eui) + protobuf.integer(2, chance.getrandbits(32)) + protobuf.moment(3, now)
        heard += protobuf.integer(6, rssi) + protobuf.single(7, snr)
        heard += protobuf.integer(16, _CRC_OK if right else _BAD_CRC)
        frame = protobuf.octets(1, phy) + protobuf.octets(4, sent) + protobuf.octets(5, heard)
        return Spoken(f"eu868/gateway/{self.eui}/event/up", frame)


class Air:
    """What devices send, and which gateways hear it."""

    def __init__(self, gateways: Sequence[Gateway]) -> None:
        self._gateways = gateways

    def say(self, node: Node, payload: bytes, now: int, outcome: Outcome) -> Iterator[Spoken]:
        """Yield what the gateways publish of one turn of a device."""
        if node.quirk is Quirk.JOINING:
            phy = radio.join_request(node.dev_eui, node.turn, node.session.app_s_key)
            yield from self._heard(node, phy, now, outcome)
            return
        f_cnt = node.f_cnt
        if node.quirk is Quirk.REPLAYED:  # its own first frame, and then those that somebody has recorded
            f_cnt, outcome = (_LAST_WEEK + node.turn % _RECORDED, outcome) if node.turn else (f_cnt, PUBLISHED)
        phy = radio.data_up(node.session, f_cnt, node.device.kind.port, payload)
        yield from self._heard(node, phy, now, outcome)

    def _heard(self, node: Node, phy: bytes, now: int, outcome: Outcome) -> Iterator[Spoken]:
        """Yield a frame as each gateway in reach heard it: all but the first are copies, if it is a frame at all."""
        chance = node.device.chance
        right = node.quirk is not Quirk.COLLIDING
        frequency = chance.choice(_FREQUENCIES)
        reached = self._gateways if chance.random() < _BY_BOTH else [chance.choice(self._gateways)]
        for at, gateway in enumerate(reached):
            spoken = gateway.hear(phy, frequency, right=right, chance=chance, now=now)
            yield spoken.ending(COPY if at and right else outcome)
