"""Websocket frames of a broker: their contents as they come, however long a frame is and wherever a read ends."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from paho.mqtt.client import _WebsocketWrapper

from pipeline.feeds.mqtt.client import Websocket

BINARY, TEXT, CLOSE, PING = 2, 1, 8, 9
MIB = 1024 * 1024


def frame(content: bytes, opcode: int = BINARY, *, masked: bool = False) -> bytes:
    size = len(content)
    short = size if size < 126 else 126 if size < 65_536 else 127
    longer = {126: ">H", 127: ">Q"}.get(short)
    head = bytes([128 | opcode, short | 128 * masked])
    return head + (struct.pack(longer, size) if longer else b"") + content


@dataclass
class Bench:
    """A websocket, and the broker's end of its connection."""

    broker: socket.socket
    ours: socket.socket

    def __post_init__(self) -> None:
        self.ours.settimeout(0)
        writer = _WebsocketWrapper.__new__(_WebsocketWrapper)  # without its handshake
        writer.connected, writer._sendbuffer, writer._requested_size = True, bytearray(), 0
        writer._socket = self.ours
        self.websocket = Websocket(self.ours, writer)

    def read(self) -> bytes:
        """Return the contents of all that has come."""
        found = b""
        while True:
            try:
                part = self.websocket.recv(262_144)
            except BlockingIOError:
                if not self.websocket.pending():
                    return found
            else:
                found += part
                if not part:
                    return found

    def close(self) -> None:
        self.broker.close()
        self.websocket.close()


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench(*socket.socketpair())
    yield made
    made.close()


@settings(deadline=None)
@given(
    contents=st.lists(st.tuples(st.sampled_from([0, BINARY, PING]), st.binary(max_size=200)), max_size=8),
    cuts=st.lists(st.integers(0, 1700), max_size=6),
)
def test_contents_are_the_same_wherever_a_read_ends(contents: list[tuple[int, bytes]], cuts: list[int]) -> None:
    bench = Bench(*socket.socketpair())
    sent = b"".join(frame(content[:125] if opcode == PING else content, opcode) for opcode, content in contents)
    edges = sorted({0, len(sent), *(cut for cut in cuts if cut < len(sent))})
    found = b""
    for start, end in pairwise(edges):
        bench.broker.sendall(sent[start:end])
        found += bench.read()
    bench.broker.shutdown(socket.SHUT_WR)
    assert bench.read() == b""
    bench.close()
    assert found == b"".join(content for opcode, content in contents if opcode != PING)


def test_a_long_frame_is_given_on_as_it_comes(bench: Bench) -> None:
    """A reader that waits for the whole of it would hold it, and a sender's message may have 256 MB."""
    head = frame(b"x" * 65_536)[:10]
    bench.broker.sendall(head[:2] + struct.pack(">Q", 16 * MIB) + b"a" * 1000)
    assert bench.read() == b"a" * 1000
    for _ in range(100):
        bench.broker.sendall(b"b" * 10_000)
        assert bench.read() == b"b" * 10_000
    assert bench.websocket.pending() == 0


def test_an_empty_frame_is_not_the_end(bench: Bench) -> None:
    bench.broker.sendall(frame(b"") * 3)
    with pytest.raises(BlockingIOError):
        bench.websocket.recv(1)
    bench.broker.sendall(frame(b"in"))
    assert bench.read() == b"in"


def test_the_last_ping_of_a_read_is_answered_masked(bench: Bench) -> None:
    bench.broker.sendall(frame(b"one", PING) + frame(b"in") + frame(b"two", PING))
    assert bench.read() == b"in"
    pong = bench.broker.recv(100)
    mask = pong[2:6]
    assert pong[:2] == bytes([0x8A, 0x83])
    assert bytes(byte ^ mask[at % 4] for at, byte in enumerate(pong[6:])) == b"two"
    assert len(pong) == 9


def test_a_pong_never_stands_inside_a_frame_of_ours(bench: Bench) -> None:
    waiting = bench.websocket._writer._sendbuffer
    waiting += b"rest"
    bench.broker.sendall(frame(b"", PING))
    assert bench.read() == b""
    assert waiting.startswith(b"rest")
    assert len(waiting) == len(b"rest") + 6


def test_very_many_pings_leave_the_loop_its_turn(bench: Bench) -> None:
    bench.broker.sendall(frame(b"", PING) * 30_000 + frame(b"in"))
    reads = 0
    while True:
        reads += 1
        try:
            assert bench.websocket.recv(262_144) == b"in"
            break
        except BlockingIOError:
            assert reads < 20
    assert reads > 3


@pytest.mark.parametrize("sent", [frame(b"", CLOSE), frame(b"\x03\xe8", CLOSE)])
def test_a_broker_that_closes_is_gone(bench: Bench, sent: bytes) -> None:
    bench.broker.sendall(frame(b"last") + sent)
    assert bench.read() == b"last"
    assert bench.websocket.pending()
    assert bench.websocket.recv(1) == b""


@pytest.mark.parametrize(
    "sent", [frame(b"text", TEXT), frame(b"odd", 3), frame(b"mask", masked=True), frame(b"x" * 126, PING)]
)
def test_what_no_websocket_of_mqtt_sends_ends_the_connection(bench: Bench, sent: bytes) -> None:
    bench.broker.sendall(sent)
    with pytest.raises(ConnectionAbortedError, match="no websocket of MQTT"):
        bench.read()
