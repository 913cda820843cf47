"""Gateways on UDP through the whole worker: acknowledged at once, published, refused, counted, drained."""

import json
import socket
from typing import Any

import pytest

from tests.integration.worker_bench import WorkerBench, assert_conserved, fates, headers_of, until
from tests.support.log import events
from tests.support.ports import LOOPBACK, free_port

pytestmark = pytest.mark.real
EUI, STRANGER = "0102030405060708", "1112131415161718"
STAT = {"time": "2026-11-23 04:06:40 GMT", "rxnb": 11, "rxok": 10, "lati": 52.3731, "long": 4.8922, "alti": 12}
PUSH_DATA, PULL_DATA, TX_ACK = 0, 2, 5
HOW_MANY = 200
STRANGE = (
    b'{"rxpk":[{"freq":868.5,"stat":1,"datr":"SF7BW125","rssi":-86,"lsnr":-15.5,"data":"QF0vhwEAAAACsyP+wes5H53y"}]}'
)
"""A frame of a device that the worker has no keys of."""


class Gateway:
    """A packet forwarder's side of the protocol."""

    def __init__(self, port: int, eui: str = EUI) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.settimeout(5)
        self._socket.connect((LOOPBACK, port))
        self._eui = bytes.fromhex(eui)

    def __enter__(self) -> "Gateway":
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def send(self, identifier: int, body: bytes = b"", token: int = 0) -> None:
        self._socket.send(bytes((2, token >> 8, token & 255, identifier)) + self._eui + body)

    def asked(self, identifier: int, body: bytes = b"", token: int = 0) -> bytes:
        self.send(identifier, body, token)
        return self._socket.recv(100)


def config(bench: WorkerBench, port: int) -> dict[str, Any]:
    written = bench.config()
    feed = {"kind": "semtech_udp", "listen": f"{LOOPBACK}:{port}", "gateways": [EUI], "addresses": ["127.0.0.0/8"]}
    return {**written, "feeds": {**written["feeds"], "gates": feed}}


def test_what_gateways_say_is_published_or_says_why_not(bench: WorkerBench) -> None:
    port = free_port()
    worker = bench.worker(config(bench, port))
    with Gateway(port) as gateway, Gateway(port, STRANGER) as stranger:
        assert gateway.asked(PULL_DATA, token=7) == b"\x02\x00\x07\x04"
        stranger.send(PUSH_DATA, b"{}")
        for token in range(HOW_MANY):
            answer = gateway.asked(PUSH_DATA, json.dumps({"stat": STAT | {"rxnb": token}}).encode(), token)
            assert answer == bytes((2, 0, token, 1))
        assert gateway.asked(PUSH_DATA, b'{"rxpk":[{"tmst":1,') == b"\x02\x00\x00\x01"
        assert gateway.asked(PUSH_DATA, STRANGE) == b"\x02\x00\x00\x01"
        gateway.send(TX_ACK, b'{"txpk_ack":{"error":"NONE"}}')
        settled = "headrace_acknowledged_messages_total"
        until(lambda: worker.metric(settled, feed="gates") == HOW_MANY + 3, "all messages to be settled")
    metrics = worker.metrics()
    assert_conserved(metrics, "gates")
    assert worker.stop() == 0

    happened = bench.client.consume_all(f"{bench.tenant}.device-events.v1")
    [letter] = bench.letters()
    told = [json.loads(event.value or b"") for event in happened]
    assert len(told) == HOW_MANY + 1
    assert sorted(each["details"]["rxnb"] for each in told if "rxnb" in each["details"]) == list(range(HOW_MANY))
    assert letter.value == b'{"rxpk":[{"tmst":1,'
    assert headers_of(letter)["ce_reason"] == "malformed"
    assert headers_of(letter)["ce_sourcetopic"] == f"{EUI}/push_data"
    assert metrics['headrace_datagrams_total{feed="gates",kind="gateway_refused"}'] == 1
    assert metrics['headrace_datagrams_total{feed="gates",kind="push_data"}'] == HOW_MANY + 2
    assert fates(metrics, "gates") == {"published": HOW_MANY + 1, "dead_lettered": 1, "filtered": 1}
    assert "gates" in [each["feed"] for each in events(worker.logged(), "All messages have their fate.")]
