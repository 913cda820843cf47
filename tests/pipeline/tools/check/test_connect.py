"""`check --connect` against a broker of the test's own: what it sends, what it never does, and what it says."""

import asyncio
import socket
import threading
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline import config
from pipeline.config.findings import Finding
from pipeline.config.root import Config
from pipeline.core.delivery import Batch, Lane, Ledger, Message
from pipeline.publish.options import KafkaOptions
from pipeline.publish.topics import TopicState
from pipeline.tools.check import connect
from pipeline.tools.check.connect import Arrivals
from tests.pipeline.feeds import scripted_broker as scripted

EXAMPLE = Path(__file__).parents[4] / "deploy" / "examples" / "bench.yaml"
CLIENT_ID_AT = 10  # behind protocol name, level, flags and keepalive of an MQTT 3.1.1 CONNECT


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as made:
        yield made


@pytest.fixture(autouse=True)
def no_kafka(monkeypatch: pytest.MonkeyPatch) -> None:
    async def probe(_options: KafkaOptions, _topics: object) -> list[TopicState]:
        return []

    monkeypatch.setattr(connect, "probe", probe)


def example(tmp_path: Path, **feed: Any) -> Config:
    content = yaml.safe_load(EXAMPLE.read_text())
    content["feeds"]["city"] |= feed
    file = tmp_path / "city.yaml"
    file.write_text(yaml.safe_dump(content))
    return config.load(file, {})


class Broker:
    """Answers one visitor: its CONNECT, its SUBSCRIBE with `codes`, then sends `messages` and waits for its leave."""

    def __init__(self, listener: socket.socket, codes: bytes, messages: bytes = b"") -> None:
        self.connect = self.subscribe = b""
        self.left = False
        self._listener, self._codes, self._messages = listener, codes, messages
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))
        self._thread.start()

    def join(self) -> None:
        self._thread.join(60)
        assert self.left

    async def _serve(self) -> None:
        done = asyncio.Event()

        async def visit(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            peer = scripted.Peer(reader, writer)
            self.connect = await peer.expect(scripted.CONNECT)
            peer.send(b"\x20\x02\x00\x00")
            self.left = await self._play(peer)
            await peer.close()
            if self.left:
                done.set()

        server = await asyncio.start_server(visit, sock=self._listener)
        async with server, asyncio.timeout(60):
            await done.wait()

    async def _play(self, peer: scripted.Peer) -> bool:
        """Play one connection, and return whether the visitor has left for good."""
        self.subscribe = await peer.subscribed(self._codes)
        peer.send(self._messages)
        while (await peer.packet())[0] != scripted.DISCONNECT:
            pass
        return True


def visited(
    tmp_path: Path, listener: socket.socket, codes: bytes, messages: bytes = b"", **feed: Any
) -> tuple[Broker, list[Finding]]:
    broker = Broker(listener, codes, messages)
    url = f"mqtt://127.0.0.1:{listener.getsockname()[1]}"
    found = connect.check(example(tmp_path, url=url, version="3.1.1", **feed), listen=0.3)
    broker.join()
    return broker, found


def test_it_comes_as_somebody_else_and_leaves_nothing(tmp_path: Path, listener: socket.socket) -> None:
    broker, _ = visited(tmp_path, listener, b"\x01")
    assert broker.connect[CLIENT_ID_AT + 2 :].startswith(b"headrace-bench-check-")
    assert broker.connect[7] & 2, "expected the flag of a clean session"


def test_a_shared_subscription_is_tried_alone(tmp_path: Path, listener: socket.socket) -> None:
    broker, _ = visited(tmp_path, listener, b"\x01\x01", subscribe=["$share/group/city/#", "other/+"])
    assert b"$share" not in broker.subscribe
    assert broker.subscribe == b"\x00\x06city/#\x01\x00\x07other/+\x01"


def test_the_answer_for_each_filter(tmp_path: Path, listener: socket.socket) -> None:
    _, found = visited(tmp_path, listener, b"\x01\x80\x00", subscribe=["a/#", "b/#", "c/#"])
    assert [(each.path, each.severity, each.message) for each in found] == [
        ("feeds.city.subscribe[1]", "error", "the broker refuses `b/#` (SUBACK code 128)."),
        ("feeds.city.subscribe[2]", "warning", "the broker grants `c/#` at QoS 0 only; messages can be lost."),
        (
            "feeds.city",
            "warning",
            "no message came within 0.3 s, so no route or connector could be tried.",
        ),
    ]


class FewCodes(Broker):
    """Answers a SUBSCRIBE of several filters with one code, and waits until the visitor has gone."""

    async def _play(self, peer: scripted.Peer) -> bool:
        await peer.subscribed(b"\x01")
        with pytest.raises(asyncio.IncompleteReadError):
            await peer.packet()
        return True


def test_a_broker_that_answers_for_fewer_filters_than_it_was_asked(tmp_path: Path, listener: socket.socket) -> None:
    broker = FewCodes(listener, b"")
    url = f"mqtt://127.0.0.1:{listener.getsockname()[1]}"
    found = connect.check(example(tmp_path, url=url, version="3.1.1", subscribe=["a/#", "b/#"]), listen=0.3)
    broker.join()
    [error] = [each for each in found if each.severity == "error"]
    assert error.path == "feeds.city.url"
    assert "answered 1 codes for 2 filters." in error.message


class FewFilters(Broker):
    """Closes the connection on a SUBSCRIBE of more than eight filters, as AWS IoT Core does."""

    async def _play(self, peer: scripted.Peer) -> bool:
        while (got := await peer.packet())[0] != scripted.DISCONNECT:
            count = got[1].count(b"site")
            if count > 8:
                return False
            peer.send(b"\x90" + bytes((2 + count,)) + got[1][:2] + b"\x01" * (count - 1) + b"\x80")
        return True


def test_twelve_filters_on_a_broker_that_takes_eight(tmp_path: Path, listener: socket.socket) -> None:
    broker = FewFilters(listener, b"")
    url = f"mqtt://127.0.0.1:{listener.getsockname()[1]}"
    twelve = [f"site{number}/#" for number in range(12)]
    [cause, eighth, twelfth, _] = connect.check(
        example(tmp_path, url=url, version="3.1.1", subscribe=twelve), listen=0.3
    )
    broker.join()
    assert (cause.path, cause.severity) == ("feeds.city.subscribe", "warning")
    assert "closed the connection right after SUBSCRIBE of 12 filters" in cause.message
    assert cause.fix == "Write `max_filters_per_subscribe: 8`, so that a start need not find out."
    assert [each.path for each in (eighth, twelfth)] == ["feeds.city.subscribe[7]", "feeds.city.subscribe[11]"]


def test_what_comes_is_judged(tmp_path: Path, listener: socket.socket) -> None:
    messages = scripted.publish("city/aq/1", b"{}", 1, retain=True) + scripted.publish("x", b"", 2)
    _, found = visited(tmp_path, listener, b"\x01", messages)
    assert [each.path for each in found] == ["feeds.city.routes", "connectors.city-aq"]
    assert all(each.severity == "warning" and each.fix for each in found)


def test_a_broker_that_goes_away(tmp_path: Path, listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    listener.close()
    [found] = connect.check(example(tmp_path, url=f"mqtt://127.0.0.1:{port}"), listen=0.1)
    assert (found.path, found.severity) == ("feeds.city.url", "error")
    assert "cannot be reached" in found.message


def arrived(tmp_path: Path, *payloads: bytes, **connector: Any) -> list[Finding]:
    content = yaml.safe_load(EXAMPLE.read_text())
    content["connectors"]["city-aq"] |= connector
    file = tmp_path / "city.yaml"
    file.write_text(yaml.safe_dump(content))
    arrivals = Arrivals(config.load(file, {}), "city")
    lane: Lane[None] = Lane(None, 100_000, ledger=Ledger())
    messages = [Message("city/aq/1", payload, 1_769_000_001_000) for payload in payloads]
    arrivals.put(Batch(lane.receive(len(messages), None), messages))
    assert lane.in_flight() == 0
    return list(arrivals.findings(3.0))


GOOD = b'{"device":"a","ts":1769000000000,"lat":52.0,"lon":4.0,"no2":1.0%b}'


def test_fields_that_nothing_takes(tmp_path: Path) -> None:
    assert arrived(tmp_path, GOOD % b"") == []
    [found] = arrived(tmp_path, GOOD % b',"battery":1,"radio":{"rssi":1,"snr":2}', GOOD % b',"fw":"1.2"')
    assert found.path == "connectors.city-aq.attributes"
    assert found.message == "no attribute takes `battery`, `fw`, `radio` of the payload: not published."


def test_of_what_is_taken_in_part_the_rest_is_named(tmp_path: Path) -> None:
    attributes = {"no2": {"field": "values[0].v", "unit": "ug/m3"}, "pm10": {"field": "pm.2_5", "unit": "ug/m3"}}
    payload = GOOD % b',"values":[{"v":1,"q":2},{"v":3}],"pm":{"2_5":1,"10":2}'
    [found] = arrived(tmp_path, payload, attributes=attributes)
    assert (
        found.message
        == 'no attribute takes `"values[0].q"`, `"values[1]"`, `no2`, `pm.10` of the payload: not published.'
    )


def test_a_name_from_outside_stays_a_name(tmp_path: Path) -> None:
    [found] = arrived(tmp_path, GOOD % b',"\\u001b[2J":1,"PM2.5":2')
    assert found.message == 'no attribute takes `"[\\"\\u001b[2J\\"]"`, `\'["PM2.5"]\'` of the payload: not published.'


def test_what_is_kept_is_bounded(tmp_path: Path) -> None:
    many = b"".join(b',"f%d":1' % number for number in range(1000))
    [found] = arrived(tmp_path, GOOD % many)
    assert found.message.count("`") == 40
    assert "and 180 more" in found.message


def test_dead_letters_by_reason(tmp_path: Path) -> None:
    found = arrived(tmp_path, b"{", b"[", GOOD % b"", b"{}")
    assert [each.message.partition(":")[0] for each in found] == [
        "2 messages would become dead letters (malformed), the first on city/aq/1",
        "1 message would become dead letters (device_missing), the first on city/aq/1",
    ]


def test_an_address_for_gateways_is_tried_and_left(tmp_path: Path) -> None:
    content = yaml.safe_load(EXAMPLE.read_text())
    file = tmp_path / "city.yaml"

    def findings(listen: str) -> list[tuple[str, str, str]]:
        content["feeds"] = {"gates": {"kind": "semtech_udp", "listen": listen, "gateways": ["0102030405060708"]}}
        file.write_text(yaml.safe_dump(content))
        found = connect.check(config.load(file, {}), listen=0.1)
        return [(each.path, each.severity, each.message) for each in found]

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as worker:
        worker.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{worker.getsockname()[1]}"
        [(path, severity, said)] = findings(address)
        assert (path, severity) == ("feeds.gates.listen", "warning")
        assert said.startswith(f"{address} (UDP) cannot be listened on: Address already in use")
    assert findings(address) == []
    [(_, severity, said)] = findings("192.0.2.1:1700")
    assert severity == "error"
    assert "Cannot assign requested address" in said


def test_topics_that_kafka_does_not_stamp_are_told_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def probe(_options: KafkaOptions, topics: Collection[str]) -> list[TopicState]:
        return [TopicState(topic, 6, 1_048_588, stamped=False) for topic in topics]

    monkeypatch.setattr(connect, "probe", probe)
    [finding] = asyncio.run(connect._kafka(example(tmp_path)))
    assert finding.severity == "warning"
    assert finding.message.startswith("bench.AirQualityObserved.v1, bench.dead-letter.v1: ")
    assert "--entity-name bench.AirQualityObserved.v1 --add-config message.timestamp.type=LogAppendTime" in finding.fix
