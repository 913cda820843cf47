"""Raw LoRaWAN frames for fault tests: made once, heard by two gateways each, and recorded by an attacker."""

import struct
import threading
import time
from base64 import b64encode
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import orjson

from pipeline.devices.registry import Session
from tests.support.kafka_client import Consumed
from tests.support.lorawan import data_up, session
from tests.support.mqtt_client import Publisher

GATEWAYS = ("0000000000000a01", "0000000000000b02")
PORT = 7
DEVICES = 10
BEFORE_ROLL_OVER = 65_500
CHUNK = 20  # frames that the broker acknowledges together


@dataclass(frozen=True)
class Sent:
    """One transmission. f_cnt: the whole counter; 16 bits of it are on air."""

    device: str
    f_cnt: int
    phy: bytes

    @property
    def key(self) -> tuple[str, int]:
        return self.device, self.f_cnt

    def messages(self) -> list[tuple[str, bytes]]:
        """Return what the bridges of two gateways publish."""
        return [(f"eu868/gateway/{gateway}/event/up", self._up(gateway)) for gateway in GATEWAYS]

    def datagram(self, token: int) -> bytes:
        """Return what one gateway's packet forwarder sends."""
        heard = {"freq": 868.1, "datr": "SF7BW125", "stat": 1, "rssi": -80, "data": b64encode(self.phy).decode()}
        return b"\x02" + struct.pack(">HB", token, 0) + bytes.fromhex(GATEWAYS[0]) + orjson.dumps({"rxpk": [heard]})

    def _up(self, gateway: str) -> bytes:
        radio = {"frequency": 868_100_000, "modulation": {"lora": {"bandwidth": 125_000, "spreadingFactor": 7}}}
        heard = {"gatewayId": gateway, "rssi": -80, "snr": 5.5, "crcStatus": "CRC_OK"}
        return orjson.dumps({"phyPayload": b64encode(self.phy).decode(), "txInfo": radio, "rxInfo": heard})


class Fleet:
    """Devices that count from a little below the roll-over of 16 bits, each in turn; two share a DevAddr."""

    def __init__(self) -> None:
        self._sessions = {f"d{number}": session(f"260b0{number // 2:03x}", number + 1) for number in range(DEVICES)}

    def registry(self) -> list[dict[str, Any]]:
        return [{"key": name, "sessions": [_written(keys)]} for name, keys in self._sessions.items()]

    def frame(self, index: int) -> Sent:
        """Return the transmission number `index` of all, from 0."""
        names = list(self._sessions)
        name, f_cnt = names[index % len(names)], BEFORE_ROLL_OVER + index // len(names)
        return Sent(name, f_cnt, data_up(self._sessions[name], f_cnt, struct.pack(">I", index), PORT))


def _written(keys: Session) -> dict[str, str]:
    return {"dev_addr": keys.dev_addr, "nwk_s_key": keys.nwk_s_key.hex(), "app_s_key": keys.app_s_key.hex()}


class Air:
    """Steady transmissions at QoS 1 in a thread; `sent` are those whose two messages the broker has acknowledged."""

    def __init__(self, port: int, fleet: Fleet, rate: float = 400.0) -> None:
        self.sent: list[Sent] = []
        self._port, self._fleet, self._rate = port, fleet, rate
        self._ending = threading.Event()
        self._going = threading.Event()
        self._quiet = threading.Event()
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="air", daemon=True)

    def start(self) -> None:
        self._going.set()
        self._thread.start()

    def pause(self) -> None:
        """Send nothing more until `resume`; what was sent is acknowledged."""
        self._quiet.clear()
        self._going.clear()
        while self._thread.is_alive() and not self._quiet.wait(0.05):
            pass

    def resume(self) -> None:
        self._going.set()

    def wait_for(self, more: int, timeout: float = 180.0) -> None:
        end, deadline = len(self.sent) + more, time.monotonic() + timeout
        while len(self.sent) < end:
            if self._error is not None or time.monotonic() > deadline:
                raise AssertionError(f"waited for {more} more transmissions") from self._error
            time.sleep(0.005)

    def stop(self) -> None:
        self._ending.set()
        if self._thread.ident is not None:
            self._thread.join(90)

    def _run(self) -> None:
        try:
            with Publisher(self._port, "air") as publisher:
                while not self._ending.wait(CHUNK / self._rate):
                    if not self._going.is_set():
                        self._quiet.set()
                        continue
                    frames = [self._fleet.frame(len(self.sent) + number) for number in range(CHUNK)]
                    publisher.publish(message for frame in frames for message in frame.messages())
                    self.sent += frames
        except Exception as error:  # noqa: BLE001
            self._error = error


def replay(port: int, frames: Iterable[Sent]) -> None:
    """Send recorded frames again, as an attacker with two radios."""
    with Publisher(port, "attacker") as publisher:
        publisher.publish(message for frame in frames for message in frame.messages())


def frame_of(record: Consumed) -> tuple[str, int]:
    """Say which transmission became this record; ValueError where its key, value and `ce_id` disagree."""
    entity = orjson.loads(record.value or b"")
    device, said = entity["id"].rpartition(":")[2], entity["textValue"]["value"]
    name = dict(record.headers).get("ce_id", b"").decode()
    kind, named, discriminator = name.split(":")
    _, f_cnt, port = discriminator.split("-")
    if (kind, named, port) != (entity["type"], device, str(PORT)) or record.key != entity["id"].encode():
        raise ValueError(f"ce_id {name}, key {record.key!r}, but {entity['id']} says {said}")
    told, payload = said.split(":")
    if int(told) != PORT or int(payload, base=16) // DEVICES + BEFORE_ROLL_OVER != int(f_cnt):
        raise ValueError(f"{name} says {said}")
    return device, int(f_cnt)
