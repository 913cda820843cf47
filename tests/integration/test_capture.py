"""A real ChirpStack's traffic, replayed on all four ways: for every frame one record, or the right refusal."""

from __future__ import annotations

import re
import socket
import time
import uuid
from base64 import b64decode
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest

from pipeline.config.feeds import dialects
from pipeline.core.times import parse
from pipeline.sdk.dialect import Frame
from tests.connectors.network_servers.capture import rows
from tests.integration.captured import (
    BRIDGE,
    JSON_BRIDGE,
    PACKETS,
    SERVER,
    WAYS,
    Due,
    Way,
    due,
    pushed,
    registry,
    truth,
)
from tests.integration.networks import network_config, written
from tests.integration.worker_bench import assert_conserved, entity_of, fates, headers_of, until
from tests.support.headrace import Headrace
from tests.support.kafka import Kafka
from tests.support.kafka_client import Consumed, KafkaClient
from tests.support.mosquitto import Mosquitto
from tests.support.mqtt_client import publish
from tests.support.ports import LOOPBACK, free_port

pytestmark = pytest.mark.real
RAW = (BRIDGE, JSON_BRIDGE, PACKETS)
KINDS = {
    **{kind: kind for kind in ("join", "status", "log")},
    **{kind: f"gateway_{kind}" for kind in ("stats", "exec", "raw")},
    "txack": "tx_ack",
    "conn": "gateway_state",
}
"""Events by the last word of the capture's file; acknowledgements are the gateways' or the server's."""
LATER = time.time() > 1_795_407_000
"""Whether the capture is in the past here too: else its times are ahead of arrival, which takes their place."""
SPOKEN = {
    "server": {"dialect": "auto", "subscribe": ["application/+/device/+/event/+"]},
    **{
        feed: {
            "dialect": "chirpstack_gateway",
            "subscribe": [f"{prefix}/gateway/+/event/+", f"{prefix}/gateway/+/state/+"],
        }
        for feed, prefix in (("bridge", "eu868"), ("json_bridge", "eu868json"))
    },
}
TOPICS = ("DeviceMeasurement", "dead-letter", "device-events")
MOMENT = re.compile(rb'"\d{4}-\d\d-\d\dT[0-9:.]+Z"')
named = pytest.mark.parametrize


@dataclass(frozen=True)
class Replay:
    """What came of one way's messages, and the worker's last metrics."""

    due: Due
    sent: int
    metrics: dict[str, float]
    records: list[Consumed]
    letters: list[Consumed]
    events: list[Consumed]

    def outcomes(self, feed: str) -> dict[str, int]:
        """Return what became of raw frames; the three sorts of copies are one."""
        pattern = re.compile(rf'headrace_raw_frames_total{{feed="{feed}",outcome="(\w+)"}}')
        found = {hit[1]: int(n) for name, n in self.metrics.items() if n and (hit := pattern.fullmatch(name))}
        copies = sum(found.pop(each, 0) for each in ("copy", "late_copy", "retransmission"))
        return found | {"copy": copies}


@pytest.fixture(scope="module")
def replays(tmp_path_factory: pytest.TempPathFactory, kafka: Kafka, shared_data: Path) -> dict[str, Replay]:
    """Replay each way into a worker of its own: of one, the frames that come on several ways would be one."""
    folder = tmp_path_factory.mktemp("capture")
    written(folder, registry(shared_data))
    tenant = f"t-capture-{uuid.uuid4().hex[:6]}"
    with Mosquitto(folder / "mosquitto", durable=False, max_inflight_messages=0) as broker:
        metrics, sent = {}, {}
        for way in WAYS:
            worker = Headrace(folder / f"worker-{way.feed}", config(folder, tenant, way, broker, kafka))
            with worker:
                sent[way.feed] = send(way, worker, broker, shared_data)
                metrics[way.feed] = settled(worker, way.feed, sent[way.feed])
    client = KafkaClient(kafka.bootstrap())
    topics = [client.consume_all(f"{tenant}.{name}.v1") for name in TOPICS]
    return {
        way.feed: Replay(
            due(way, shared_data),
            sent[way.feed],
            metrics[way.feed],
            *([each for each in records if headers_of(each)["ce_feed"] == way.feed] for records in topics),
        )
        for way in WAYS
    }


def config(folder: Path, tenant: str, way: Way, broker: Mosquitto, kafka: Kafka) -> dict[str, Any]:
    feed: dict[str, Any] = {"kind": "semtech_udp", "listen": f"{LOOPBACK}:{free_port()}"}
    if way is not PACKETS:
        feed = {"kind": "mqtt", "url": broker.url, "client_id": f"{tenant}-{way.feed}", **SPOKEN[way.feed]}
    return network_config(folder, tenant, kafka, {way.feed: feed})


def send(way: Way, worker: Headrace, broker: Mosquitto, shared_data: Path) -> int:
    if way is PACKETS:
        host, _, port = worker.config["feeds"][way.feed]["listen"].rpartition(":")
        return push(shared_data, (host, int(port)))
    messages = way.messages(shared_data)
    return publish(broker.port, [(row["topic"], b64decode(row["payload_b64"]), row["retain"]) for row in messages])


def push(shared_data: Path, address: tuple[str, int]) -> int:
    """Send every PUSH_DATA that the gateways sent to any bridge; each is acknowledged before the next."""
    datagrams = pushed(shared_data)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as gateway:
        gateway.settimeout(10)
        for datagram in datagrams:
            gateway.sendto(datagram, address)
            assert gateway.recv(64) == datagram[:3] + b"\x01"
    return len(datagrams)


def settled(worker: Headrace, feed: str, sent: int) -> dict[str, float]:
    """Wait until every message has its fate; the metrics then."""

    def done() -> bool:
        metrics = worker.metrics()
        return metrics[f'headrace_acknowledged_messages_total{{feed="{feed}"}}'] == sent

    until(done, f"{sent} messages of {feed} to be settled", 30)
    return worker.metrics()


@named("way", WAYS, ids=lambda way: way.feed)
def test_every_message_has_one_fate(replays: dict[str, Replay], way: Way) -> None:
    replay = replays[way.feed]
    assert_conserved(replay.metrics, way.feed)
    assert replay.metrics[f'headrace_received_messages_total{{feed="{way.feed}"}}'] == replay.sent
    assert "shed" not in fates(replay.metrics, way.feed)


@named("way", WAYS, ids=lambda way: way.feed)
def test_every_uplink_is_one_record(replays: dict[str, Replay], way: Way) -> None:
    replay = replays[way.feed]
    found = [
        ((entity_of(record)["id"].rpartition(":")[2], headers_of(record)["ce_id"]), entity_of(record)["textValue"])
        for record in replay.records
    ]
    empty = {name for name, text in replay.due.records.items() if text.endswith(":")}  # a port, and no bytes
    if way not in RAW:  # a server tells fields beside them
        empty = set()
    due = {name: text for name, text in replay.due.records.items() if name not in empty}
    assert sorted((name, value["value"]) for name, value in found) == sorted(due.items())
    reasons = Counter(headers_of(letter)["ce_reason"] for letter in replay.letters)
    assert reasons["nothing_measured"] == len(empty), "an uplink without bytes measures nothing"


@named("way", RAW, ids=lambda way: way.feed)
def test_every_other_frame_is_refused_or_counted(replays: dict[str, Replay], way: Way) -> None:
    replay = replays[way.feed]
    assert replay.outcomes(way.feed) == replay.due.counts()
    reader = dialects()["semtech_udp" if way is PACKETS else "chirpstack_gateway"].reader
    found: Counter[tuple[str, str]] = Counter()
    for letter in replay.letters:
        headers = headers_of(letter)
        if headers["ce_stage"] == "sessions":
            said = reader(headers["ce_sourcetopic"])(letter.value or b"", 0)
            found.update((it.phy_payload.hex(), headers["ce_reason"]) for it in said if isinstance(it, Frame))
    assert found == replay.due.letters()


@named("way", WAYS, ids=lambda way: way.feed)
def test_every_other_message_is_an_event(replays: dict[str, Replay], way: Way, shared_data: Path) -> None:
    replay = replays[way.feed]
    stats = sum(b'"stat":{' in datagram for datagram in pushed(shared_data)) if way is PACKETS else 0
    expected = Counter({"mac": 4, "gateway_stats": stats})
    for name in way.files:
        kind = name.rpartition("_")[2]
        own = "ack" if way is SERVER else "gateway_ack"
        expected[own if kind == "ack" else KINDS.get(kind, "")] += len(rows(shared_data, name))
    if way is not SERVER:
        expected["join"] = len(replay.due.outcomes["join"])
    del expected[""]
    found = Counter(event["event"] for event in map(value_of, replay.events))
    assert found == +expected
    mac = {
        (event["devEui"], event["details"]["fCnt"]) for event in map(value_of, replay.events) if event["event"] == "mac"
    }
    [misc] = [each for each in registry(shared_data) if each["key"] == "misc"]
    without = [row for row in truth(shared_data) if row["kind"] == "data_up" and not row["fport"]]
    assert mac == {(misc["dev_eui"], row["fcnt"]) for row in without}


@named("way", RAW, ids=lambda way: way.feed)
def test_server_and_raw_agree(replays: dict[str, Replay], way: Way) -> None:
    """On key, value and `ce_id`, and on the time too where only one gateway with GPS heard the frame."""
    told, mine = replays["server"], replays[way.feed]
    others = {headers_of(record)["ce_id"]: record for record in told.records}
    compared = alike = 0
    for record in mine.records:
        name = headers_of(record)["ce_id"]
        heard = mine.due.times[name]
        assert moment(record) == (min(heard) if heard and LATER else arrival(record)), name
        assert ("clock" in headers_of(record).get("ce_quality", "")) is bool(heard and not LATER)
        if mine.due.said(name) != told.due.said(name):  # the server refused it, and the device's counter came again
            continue
        other, compared = others[name], compared + 1
        assert record.key == other.key
        assert MOMENT.sub(b"", record.value or b"") == MOMENT.sub(b"", other.value or b"")
        if LATER and heard == told.due.times[name] and len(heard) == 1:
            assert record.value == other.value, name
            alike += 1
    assert compared > 140
    assert alike > 100 or not LATER


def moment(record: Consumed) -> int:
    return parse(headers_of(record)["ce_time"], "iso") or 0


def arrival(record: Consumed) -> int:
    return parse(headers_of(record)["ce_recordedtime"], "iso") or 0


def value_of(record: Consumed) -> dict[str, Any]:
    value: dict[str, Any] = orjson.loads(record.value or b"")
    return value
