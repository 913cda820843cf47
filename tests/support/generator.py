"""A QoS 1 publisher that costs little: MQTT 3.1.1 frames from prebuilt parts over one raw loopback socket.

Message `i` is the same bytes for the same seed, and `(device, ts)` names it: `ts` is `base_ts + i`. A broker
acknowledges in order of receipt, so what was acknowledged is a run of messages: `first` and `count` say all about it.
"""

import argparse
import json
import random
import select
import socket
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal, Protocol
from urllib.parse import urlsplit

Resolution = Literal["short", "full"]

KINDS = ("plain", "chirpstack-json", "chirpstack-protobuf", "raw")
BASE_TS = 1_769_000_000_000
VARIANTS = 4096
PACKET_IDS = 65_535
SLICE_SECONDS = 0.005
PRELOAD_SLICE = 500
RANGES = {  # name: (lowest, highest, decimals of the short form)
    "temperature": (-8.0, 34.0, 1),
    "humidity": (18.0, 99.0, 1),
    "pm10": (3.0, 80.0, 1),
    "pm25": (1.0, 45.0, 1),
    "no2": (2.0, 95.0, 1),
    "battery": (3.2, 4.2, 2),
}
# Twice round, so that any run of expected PUBACKs up to a whole round is one slice of it.
PUBACKS = b"".join(struct.pack("!BBH", 0x40, 2, packet_id) for packet_id in range(1, PACKET_IDS + 1)) * 2


class Traffic(Protocol):
    """Messages by their index."""

    def key(self, index: int) -> tuple[str, int]: ...

    def frames(self, first: int, count: int) -> bytes: ...


class Readings:
    """The messages of `devices` air-quality stations, one after the other in an order that the seed shuffles."""

    def __init__(
        self,
        *,
        devices: int = 1000,
        seed: int = 0,
        resolution: Resolution = "short",
        base_ts: int = BASE_TS,
        prefix: str = "city/aq",
    ) -> None:
        chance = random.Random(seed)
        self.base_ts = base_ts
        self._numbers = list(range(1, devices + 1))
        chance.shuffle(self._numbers)
        self._topics = [f"{prefix}/{number:04d}".encode() for number in self._numbers]
        self._heads = [f'{{"device":"aq-{number:04d}","ts":'.encode() for number in self._numbers]
        self._values = [_values(chance, resolution) for _ in range(VARIANTS)]
        self._places = [_place(chance, resolution) for _ in self._numbers]
        self._fixed: dict[tuple[int, int], bytes] = {}

    def key(self, index: int) -> tuple[str, int]:
        return f"aq-{self._numbers[index % len(self._numbers)]:04d}", self.base_ts + index

    def payload(self, index: int) -> bytes:
        device, values = self._parts(index)
        return b"%b%d%b%b" % (self._heads[device], self.base_ts + index, values, self._places[device])

    def topic(self, index: int) -> str:
        return self._topics[index % len(self._topics)].decode()

    def frames(self, first: int, count: int) -> bytes:
        """PUBLISH frames of `count` messages, joined; the packet id follows from the index."""
        parts: list[bytes] = []
        heads, places, fixed, base_ts = self._heads, self._places, self._fixed, self.base_ts
        for index in range(first, first + count):
            device, values = self._parts(index)
            start = fixed.get((device, len(values))) or self._start(device, len(values))
            packet_id = (index % PACKET_IDS + 1).to_bytes(2, "big")
            parts += (start, packet_id, heads[device], b"%d" % (base_ts + index), values, places[device])
        return b"".join(parts)

    def _parts(self, index: int) -> tuple[int, bytes]:
        # A prime stride: a device does not see the same values each round, yet the message needs no random number.
        return index % len(self._numbers), self._values[index * 2729 % VARIANTS]

    def _start(self, device: int, values_length: int) -> bytes:
        topic, timestamp_length = self._topics[device], len(str(self.base_ts))
        payload_length = len(self._heads[device]) + timestamp_length + values_length + len(self._places[device])
        length = remaining_length(2 + len(topic) + 2 + payload_length)
        start = b"\x32" + length + struct.pack("!H", len(topic)) + topic
        self._fixed[device, values_length] = start
        return start


def _values(chance: random.Random, resolution: Resolution) -> bytes:
    numbers = ((name, chance.uniform(low, high), places) for name, (low, high, places) in RANGES.items())
    return "".join(f',"{name}":{_number(value, places, resolution)}' for name, value, places in numbers).encode()


def _place(chance: random.Random, resolution: Resolution) -> bytes:
    latitude = _number(chance.uniform(52.30, 52.43), 5, resolution)
    longitude = _number(chance.uniform(4.75, 5.02), 5, resolution)
    return f',"lat":{latitude},"lon":{longitude}}}'.encode()


def _number(value: float, places: int, resolution: Resolution) -> str:
    return f"{value:.15g}" if resolution == "full" else f"{value:.{places}f}"


def remaining_length(length: int) -> bytes:
    encoded = bytearray()
    while length > 127:
        encoded.append(length & 127 | 128)
        length >>= 7
    encoded.append(length)
    return bytes(encoded)


def open_session(url: str, client_id: str, *, clean: bool) -> socket.socket:
    """Connect, and return the socket once the broker has accepted the session."""
    address = urlsplit(url)
    if address.hostname not in {"127.0.0.1", "localhost", "::1"}:
        raise ValueError(f"the generator only loads a broker on this machine, not {address.hostname}")
    connection = socket.create_connection((address.hostname, address.port or 1883), timeout=10)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    name = client_id.encode()
    body = struct.pack("!H4sBBHH", 4, b"MQTT", 4, 2 if clean else 0, 0, len(name)) + name
    connection.sendall(b"\x10" + remaining_length(len(body)) + body)
    answer = receive_exactly(connection, 4)
    if answer[0] != 0x20 or answer[3] != 0:
        connection.close()
        raise ConnectionError(f"the broker refused the session: CONNACK {answer.hex()}")
    return connection


def receive_exactly(connection: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        piece = connection.recv(size - len(data))
        if not piece:
            raise ConnectionError("the broker closed the connection")
        data += piece
    return data


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """What the broker took over: messages `first` to `first + count - 1`, in this order."""

    readings: Traffic
    first: int
    count: int
    resent: int
    seconds: float
    slices: list[tuple[int, float]] = field(default_factory=list, repr=False)  # first index, epoch seconds when sent

    def keys(self) -> Iterator[tuple[str, int]]:
        return map(self.readings.key, range(self.first, self.first + self.count))


class Publisher:
    """Sends runs of messages and counts the acknowledgements; a lost connection is opened again for `patience` seconds.

    After a reconnection everything unacknowledged is sent again, so a device's first occurrences stay in order.
    """

    def __init__(self, url: str, readings: Traffic, *, first: int, client_id: str, patience: float) -> None:
        self.readings = readings
        self.acknowledged = self.sent = first
        self.resent = 0
        self.slices: list[tuple[int, float]] = []
        self._url, self._client_id, self._patience = url, client_id, patience
        self._rest = b""
        self._connection = open_session(url, client_id, clean=True)

    def send(self, count: int) -> None:
        self.slices.append((self.sent, time.time()))
        frames = self.readings.frames(self.sent, count)
        self.sent += count
        try:
            self._connection.sendall(frames)
        except OSError as error:
            self._reconnect(error)

    def read(self, timeout: float) -> None:
        """Count what the broker acknowledges; wait for it at most `timeout` seconds."""
        try:
            if not select.select([self._connection], [], [], timeout)[0]:
                return
            data = self._connection.recv(1 << 16)
            if not data:
                raise ConnectionError("the broker closed the connection")
        except OSError as error:
            self._reconnect(error)
        else:
            self._count(self._rest + data)

    def close(self) -> None:
        try:
            self._connection.sendall(b"\xe0\x00")
        except OSError:
            pass
        finally:
            self._connection.close()

    def _count(self, data: bytes) -> None:
        whole = len(data) // 4
        start = self.acknowledged % PACKET_IDS * 4
        if data[: whole * 4] != PUBACKS[start : start + whole * 4]:
            raise ConnectionError(f"expected PUBACKs from packet id {start // 4 + 1} in order, got {data[:16].hex()}")
        self.acknowledged += whole
        self._rest = data[whole * 4 :]

    def _reconnect(self, cause: OSError) -> None:
        self._connection.close()
        deadline = time.monotonic() + self._patience
        while time.monotonic() < deadline:
            try:
                self._connection = open_session(self._url, self._client_id, clean=True)
            except OSError:
                time.sleep(0.05)
            else:
                self.resent += self.sent - self.acknowledged
                self.sent, self._rest = self.acknowledged, b""
                return
        raise ConnectionError(f"the broker was away for more than {self._patience} s") from cause


def preload(
    url: str,
    count: int,
    *,
    readings: Traffic | None = None,
    first: int = 0,
    window: int = 4000,
    client_id: str = "headrace-generator",
    patience: float = 0.0,
) -> Acknowledged:
    """Publish messages `first` to `first + count - 1` as fast as the broker takes them."""
    publisher = Publisher(url, readings or Readings(), first=first, client_id=client_id, patience=patience)
    started, end = time.monotonic(), first + count
    while publisher.acknowledged < end:
        room = min(window - (publisher.sent - publisher.acknowledged), end - publisher.sent, PRELOAD_SLICE)
        if room == min(PRELOAD_SLICE, end - publisher.sent) and room:
            publisher.send(room)
            publisher.read(0)
        else:
            publisher.read(1.0)
    return _result(publisher, first, started)


def steady(
    url: str,
    rate: float,
    seconds: float,
    *,
    readings: Traffic | None = None,
    first: int = 0,
    window: int = 20_000,
    client_id: str = "headrace-generator",
    patience: float = 0.0,
) -> Acknowledged:
    """Publish `rate` messages a second, a slice each 5 ms; late slices are caught up with, not left out."""
    publisher = Publisher(url, readings or Readings(), first=first, client_id=client_id, patience=patience)
    started, end = time.monotonic(), first + int(rate * seconds)
    while publisher.acknowledged < end:
        now = time.monotonic()
        due = min(first + int(rate * (now - started)), end)
        room = min(due - publisher.sent, window - (publisher.sent - publisher.acknowledged))
        if room > 0:
            publisher.send(room)
        _read_until(publisher, now + SLICE_SECONDS)
    return _result(publisher, first, started)


def _read_until(publisher: Publisher, deadline: float) -> None:
    while (left := deadline - time.monotonic()) > 0:
        if publisher.sent == publisher.acknowledged:
            time.sleep(left)
            return
        publisher.read(left)


def _result(publisher: Publisher, first: int, started: float) -> Acknowledged:
    publisher.close()
    seconds, count = time.monotonic() - started, publisher.acknowledged - first
    return Acknowledged(publisher.readings, first, count, publisher.resent, seconds, publisher.slices)


def _traffic(arguments: argparse.Namespace) -> Traffic:
    common = {"devices": arguments.devices, "seed": arguments.seed, "base_ts": arguments.base_ts}
    if arguments.kind == "plain":
        return Readings(**common, resolution=arguments.resolution)
    from tests.support.uplinks import Uplinks  # noqa: PLC0415 - with what it needs, which JSON does not

    return Uplinks(arguments.kind, **common)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.support.generator", description=__doc__)
    parser.add_argument("--port", type=int, required=True, help="of a broker on 127.0.0.1")
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--rate", type=float, help="messages a second; without it as fast as the broker takes them")
    parser.add_argument("--first", type=int, default=0, help="index of the first message")
    parser.add_argument("--devices", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--base-ts", type=int, default=BASE_TS, help="what names message 0, ms since 1970")
    parser.add_argument("--kind", choices=KINDS, default="plain", help="plain: JSON; else LoRaWAN, see uplinks.py")
    parser.add_argument("--resolution", choices=("short", "full"), default="short")
    parser.add_argument("--patience", type=float, default=0.0, help="seconds to wait for a broker that went away")
    parser.add_argument("--slices", action="store_true", help="also print when each slice was sent")
    arguments = parser.parse_args()
    url = f"mqtt://127.0.0.1:{arguments.port}"
    readings = _traffic(arguments)
    if arguments.rate:
        seconds = arguments.count / arguments.rate
        done = steady(
            url, arguments.rate, seconds, readings=readings, first=arguments.first, patience=arguments.patience
        )
    else:
        done = preload(url, arguments.count, readings=readings, first=arguments.first, patience=arguments.patience)
    summary = {"first": done.first, "count": done.count, "resent": done.resent, "seconds": round(done.seconds, 3)}
    print(json.dumps(summary | ({"slices": done.slices} if arguments.slices else {})))


if __name__ == "__main__":
    main()
