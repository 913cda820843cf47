"""`dialect: auto`: each published message is of one dialect or of none, and no two dialects claim one."""

from __future__ import annotations

from base64 import b64decode
from pathlib import Path

import orjson
import pytest

from pipeline.plugins.discovery import dialects
from pipeline.sdk.dialect import Dialect
from tests.connectors.network_servers.events import EVENTS
from tests.connectors.network_servers.messages import DEVICE, UPLINKS
from tests.connectors.network_servers.samples import sample

FOUND = {each.name: each for each in dialects() if isinstance(each, Dialect)}
BELONGS = {
    "actility-thingpark": "thingpark",
    "aws-iot-lorawan": "aws_iot",
    "basics-station": None,
    "cayenne-lpp": None,
    "chirpstack-gateway-bridge": "chirpstack_gateway",
    "chirpstack-v3": "chirpstack_v3",
    "chirpstack-v4": "chirpstack",
    "helium-legacy-console": "helium",
    "kerlink-wanesy": "wanesy",
    "lobaro-gateway": None,
    "loriot": "loriot",
    "milesight-gateway-ns": "milesight_gateway",
    "semtech-udp": None,  # JSON without the datagram's head
    "senml": None,
    "tasmota": None,
    "tektelic": None,  # the envelope alone: no message
    "the-things-stack-v3": "the_things_stack",
    "thingsboard": None,
    "ttn-v2-legacy": None,
    "ultralight-2.0": None,
    "zigbee2mqtt": None,
}
"""The dialect of each folder of published messages."""


def recognised(topic: str, payload: bytes) -> list[str]:
    try:
        document = orjson.loads(payload)
    except orjson.JSONDecodeError:
        document = None
    found = document if isinstance(document, dict) else None
    return [name for name, dialect in FOUND.items() if dialect.recognises(topic, payload, found)]


def test_every_folder_is_in_the_table(shared_data: Path) -> None:
    assert {place.name for place in (shared_data / "samples").iterdir() if place.is_dir()} == set(BELONGS)


@pytest.mark.parametrize("folder", BELONGS)
def test_a_published_message_is_of_one_dialect_or_of_none(shared_data: Path, folder: str) -> None:
    expected = [name for name in [BELONGS[folder]] if name is not None]
    files = sorted((shared_data / "samples" / folder).glob("*.json"))
    assert files
    for file in files:
        assert recognised(*sample(shared_data, f"{folder}/{file.stem}")) == expected, file.name


@pytest.mark.parametrize("form", ["app_json", "app_pb", "gw_json", "gw_pb"])
def test_captured_messages_are_of_their_own_dialect(shared_data: Path, form: str) -> None:
    """No other claims ChirpStack's and its gateways' traffic, whatever its form."""
    belongs = "chirpstack" if form.startswith("app") else "chirpstack_gateway"
    files = [each for each in (shared_data / "chirpstack").glob(f"{form}_*.jsonl") if "command" not in each.name]
    assert files
    for file in files:
        for line in file.read_bytes().splitlines()[:100]:
            captured = orjson.loads(line)
            assert recognised(captured["topic"], b64decode(captured["payload_b64"])) == [belongs], captured


@pytest.mark.parametrize("name", UPLINKS)
def test_a_servers_own_messages_are_its_own(name: str) -> None:
    for topic, message in (UPLINKS[name], *EVENTS[name]):
        assert recognised(topic, orjson.dumps(message)) == [name]
        assert recognised(f"some/{topic}", orjson.dumps(message)) == [name] or "gateways_euis" in message


def test_the_last_word_of_a_multitech_gateway_is_recognised_by_its_topic() -> None:
    assert recognised("lorawan/8ffa106f-c751-cfcd-6300-80918d516837/close", b"") == ["multitech"]


@pytest.mark.parametrize("payload", [b"", b"null", b"[]", b"7", b"{}", b'{"temperature": 21.5}'])
@pytest.mark.parametrize("topic", ["", f"milesight/{DEVICE}", "city/aq/1"])
def test_what_is_no_servers_is_recognised_by_none(topic: str, payload: bytes) -> None:
    assert recognised(topic, payload) == []


@pytest.mark.parametrize("name", ["chirpstack", "chirpstack_v3"])
def test_as_many_topics_as_devices_have_few_readers(name: str) -> None:
    reader = FOUND[name].reader
    for kind in ("up", "join", "elsewhere"):
        assert reader(f"application/1/device/{DEVICE}/event/{kind}") is reader(f"application/2/device/17/event/{kind}")
