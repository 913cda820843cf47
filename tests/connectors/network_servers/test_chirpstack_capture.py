"""ChirpStack v4 against captured traffic: each event agrees with the truth, and with itself in the other encoding."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import orjson
import pytest
from google.protobuf.json_format import ParseDict
from google.protobuf.message import Message

from connectors.network_servers.chirpstack import dialect
from connectors.network_servers.proto import chirpstack_integration_pb2 as messages
from pipeline.sdk.dialect import Event, Said
from pipeline.sdk.uplink import Uplink
from tests.connectors.network_servers.capture import KINDS, posted, published, rows
from tests.connectors.network_servers.test_recognition import recognised

CLASSES: dict[str, type[Message]] = {
    "mac": messages.UplinkEvent,
    "join": messages.JoinEvent,
    "status": messages.StatusEvent,
    "ack": messages.AckEvent,
    "tx_ack": messages.TxAckEvent,
    "log": messages.LogEvent,
}
FILES = [("published", "app_json"), ("published", "app_pb"), ("posted", "http_json"), ("posted", "http_pb")]


def said(topic: str, payload: bytes) -> Said:
    [it] = dialect.reader(topic)(payload, 0)
    return it


def events(shared_data: Path, way: str, name: str) -> list[tuple[str, bytes]]:
    if way == "posted":
        return list(posted(shared_data, name))
    return [each for kind in KINDS for each in published(shared_data, f"{name}_{kind}")]


@pytest.mark.parametrize(("way", "name"), FILES)
def test_every_uplink_is_what_was_sent(shared_data: Path, way: str, name: str) -> None:
    phase = "json" if name in {"app_json", "http_pb"} else "pb"
    sent = {
        (row["dev_eui"], row["fcnt"]): row
        for row in rows(shared_data, "truth")
        if row["kind"] == "data_up" and row["expected_up_event"] and row["phase"] == phase
    }
    read = 0
    for topic, payload in events(shared_data, way, name):
        it = said(topic, payload)
        if not isinstance(it, Uplink):
            continue
        read += 1
        truth = sent.pop((it.device, it.f_cnt))
        assert (it.payload.hex(), it.port, it.dev_addr) == (truth["payload_hex"], truth["fport"], truth["dev_addr"])
        assert {each.gateway for each in it.receptions()} <= {each["gateway_id"] for each in truth["gateways"]}
        assert dict(it.fields or {}) == (truth["expected_object"] or {})
        assert it.time is not None
        assert abs(it.time / 1000 - truth["t"]) < 3600
    assert read == 101
    assert {truth["fport"] for truth in sent.values()} == {0, None}, "the rest carries no application data"


@pytest.mark.parametrize(("way", "name"), FILES)
def test_nothing_is_dropped(shared_data: Path, way: str, name: str) -> None:
    every = events(shared_data, way, name)
    kinds = Counter(it.kind if isinstance(it := said(*each), Event) else "up" for each in every)
    assert kinds["mac"] == 2
    assert kinds.total() == len(every)
    assert set(kinds) == {"up", *CLASSES}


@pytest.mark.parametrize(("name", "other"), [("app_json", "http_pb"), ("app_pb", "http_json")])
def test_both_encodings_say_the_same(shared_data: Path, name: str, other: str) -> None:
    one = [comparable(said(*each)) for each in events(shared_data, "published", name)]
    two = [comparable(said(*each)) for each in events(shared_data, "posted", other)]
    assert sorted(one, key=_order) == sorted(two, key=_order)


def _order(it: tuple[Any, ...]) -> str:
    return repr(it[:6])


def test_each_captured_message_is_of_one_dialect(shared_data: Path) -> None:
    """Commands are other programs', and the gateways' messages are not this dialect's."""
    for file in sorted((shared_data / "chirpstack").glob("app_*.jsonl")):
        expected = [] if "command" in file.stem else ["chirpstack"]
        for topic, payload in published(shared_data, file.stem):
            assert recognised(topic, payload) == expected, topic
    for file in sorted((shared_data / "chirpstack").glob("gw_*.jsonl")):
        for topic, payload in published(shared_data, file.stem):
            assert set(recognised(topic, payload)) <= {"chirpstack_gateway"}, topic


def comparable(it: Said) -> tuple[Any, ...]:
    assert isinstance(it, Uplink | Event)
    names = it.names()
    called = (names.name, names.profile, names.application, sorted(names.tags.items()))
    if isinstance(it, Uplink):
        heard = Counter(it.receptions())  # their order is random
        fields = orjson.dumps(dict(it.fields or {}), option=orjson.OPT_SORT_KEYS)
        return (it.device, it.f_cnt, it.port, it.payload, it.dev_addr, it.time, fields, called, heard)
    details = ParseDict(dict(it.details), CLASSES[it.kind]())  # times and zeros may be written in several ways
    return (it.kind, it.device, it.gateway, it.time, it.state, _sorted(details), it.location, called)


def _sorted(message: Message) -> str:
    if isinstance(message, messages.UplinkEvent):
        message.rx_info.sort(key=repr)
        message.ClearField("object")
    return repr(message.SerializeToString(deterministic=True))
