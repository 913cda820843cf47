"""ChirpStack v4: the published samples, and each trap of proto3's JSON and of its events."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson
import pytest
from google.protobuf.json_format import ParseDict
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.network_servers.chirpstack import dialect
from connectors.network_servers.proto import chirpstack_integration_pb2 as messages
from pipeline.core.errors import PayloadError, Reason
from pipeline.sdk.dialect import Event
from pipeline.sdk.uplink import Names, Reception, Uplink
from tests.connectors.network_servers.capture import published
from tests.connectors.network_servers.fuzz import A_SEED, cases, hold

TOPIC = "application/17c82e96-be03-4f38-aef3-f83d48582d97/device/0101010101010101/event/"
DEVICE = {"devEui": "0101010101010101", "deviceName": "Test device"}
UP = {"deviceInfo": DEVICE, "devAddr": "00189440", "fPort": 1, "data": "qg=="}
MESSAGES = {"up": messages.UplinkEvent, "status": messages.StatusEvent, "location": messages.LocationEvent}
ENCODINGS = ("json", "protobuf")
SEEDS = 250  # x A_SEED cases


def sample(shared_data: Path, name: str) -> tuple[str, bytes]:
    written = orjson.loads((shared_data / "samples" / "chirpstack-v4" / f"{name}.json").read_bytes())
    return written["_topic"], orjson.dumps(written["payload"])


def said(message: dict[str, Any], encoding: str = "json", kind: str = "up") -> Uplink | Event:
    payload = orjson.dumps(message)
    if encoding == "protobuf":
        payload = ParseDict(message, MESSAGES[kind]()).SerializeToString()
    [it] = dialect.reader(TOPIC + kind)(payload, 7)
    assert isinstance(it, Uplink | Event)
    return it


def refused(payload: bytes, topic: str = TOPIC + "up") -> PayloadError:
    with pytest.raises(PayloadError) as caught:
        dialect.reader(topic)(payload, 7)
    return caught.value


def test_the_published_uplink(shared_data: Path) -> None:
    topic, payload = sample(shared_data, "up")
    [uplink] = dialect.reader(topic)(payload, 7)
    assert isinstance(uplink, Uplink)
    assert (uplink.payload, uplink.port, uplink.f_cnt, uplink.fields) == (b"\xaa", 1, 0, None)
    assert (uplink.device, uplink.dev_addr, uplink.time) == ("0101010101010101", "00189440", 1658136855775)
    assert uplink.received_at == 7
    assert uplink.receptions() == (Reception("0016c001f153a14c", rssi=-36, snr=10.5),)
    assert uplink.names() == Names(
        name="Test device", profile="Test device-profile", application="Test application", tags={"key": "value"}
    )


@pytest.mark.parametrize("name", ["join", "status", "ack", "txack", "log", "location", "integration"])
@pytest.mark.parametrize("level", [None, "elsewhere"])
def test_the_published_events(shared_data: Path, name: str, level: str | None) -> None:
    """Their kinds are told by the topic's last level, or by their keys where a template says nothing."""
    topic, payload = sample(shared_data, name)
    written = orjson.loads(payload)
    [event] = dialect.reader(level or topic)(payload, 7)
    assert isinstance(event, Event)
    assert (event.kind, event.device) == ({"txack": "tx_ack"}.get(name, name), written["deviceInfo"]["devEui"])
    assert event.details == written
    assert event.names().application == "Test application"
    assert event.gateway == written.get("gatewayId")
    assert event.location == ((-8.839375, 37.344214, 2) if name == "location" else None)
    assert event.state == ({"batteryLevel": 0.883} if name == "status" else {})


def test_an_uplink_is_told_by_its_keys_too(shared_data: Path) -> None:
    _, payload = sample(shared_data, "up")
    assert isinstance(dialect.reader("plant/sensors")(payload, 7)[0], Uplink)


def test_protobuf_needs_a_topic_that_says_what_it_is() -> None:
    assert "a topic that ends in up" in str(refused(b"\x0a\x01a", "plant/sensors"))


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_the_device_is_never_the_topics(encoding: str) -> None:
    assert said(UP, encoding).device == "0101010101010101"
    info = {"deviceName": "nameless"}
    with pytest.raises(PayloadError) as caught:
        said({**UP, "deviceInfo": info}, encoding)
    assert caught.value.reason is Reason.DEVICE_MISSING
    with pytest.raises(PayloadError) as caught:
        said({**UP, "deviceInfo": {"devEui": "01010101"}}, encoding)
    assert caught.value.reason is Reason.DEVICE_INVALID


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_absent_is_zero(encoding: str) -> None:
    """FCnt 0, no data, a gateway at RSSI 0 and SNR 0 on the equator: proto3 leaves each of them out."""
    heard = {"gatewayId": "0016C001F153A14C", "location": {"longitude": -78.5, "altitude": 2850.0}}
    message = {"deviceInfo": DEVICE, "fPort": 2, "rxInfo": [heard], "txInfo": {"modulation": {"lora": {}}}}
    uplink = said(message, encoding)
    assert isinstance(uplink, Uplink)
    assert (uplink.payload, uplink.f_cnt, uplink.dev_addr, uplink.time, uplink.fields) == (b"", 0, None, None, None)
    assert uplink.receptions() == (Reception("0016c001f153a14c", rssi=0, snr=0, location=(-78.5, 0, 2850)),)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_fsk_has_no_signal_to_noise_ratio(encoding: str) -> None:
    heard = [{"gatewayId": "a", "rssi": -70}, {"gatewayId": "a", "rssi": -71, "location": {}}, {"rssi": -1}]
    uplink = said({**UP, "rxInfo": heard, "txInfo": {"modulation": {"fsk": {"datarate": 50000}}}}, encoding)
    assert isinstance(uplink, Uplink)
    assert uplink.receptions() == (Reception("a", rssi=-70), Reception("a", rssi=-71))  # two antennas, no place


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("snr", ["NaN", "Infinity"])
def test_what_is_no_number_is_no_signal_to_noise_ratio(encoding: str, snr: str) -> None:
    uplink = said({**UP, "rxInfo": [{"gatewayId": "a", "snr": snr}], "txInfo": {"modulation": {"lora": {}}}}, encoding)
    assert isinstance(uplink, Uplink)
    assert uplink.receptions() == (Reception("a", rssi=0),)


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("f_port", [0, None])
def test_without_a_port_there_is_no_application_data(encoding: str, f_port: int | None) -> None:
    """ChirpStack sends an `up` all the same, and runs the codec on no bytes; its keys stay out of the event."""
    context = {"sessionKeyId": "AQ=="}
    message = {**UP, "fPort": f_port, "data": "", "object": {"n": 0.0}, "joinServerContext": context}
    event = said({name: value for name, value in message.items() if value is not None}, encoding)
    assert isinstance(event, Event)
    assert (event.kind, event.device, event.details["object"]) == ("mac", "0101010101010101", {"n": 0.0})
    assert "joinServerContext" not in event.details


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_what_only_the_join_server_can_read_is_refused(encoding: str) -> None:
    with pytest.raises(PayloadError) as caught:
        said({**UP, "joinServerContext": {"sessionKeyId": "AQ=="}}, encoding)
    assert caught.value.reason is Reason.ENCRYPTED


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_what_the_server_has_decoded(encoding: str) -> None:
    decoded = {"t": 21.5, "wet": False, "id": "ü", "none": None, "deep": {"list": [1.0, {"a": 2.0}, []], "empty": {}}}
    uplink = said({**UP, "object": decoded}, encoding)
    assert isinstance(uplink, Uplink)
    assert uplink.fields is not None
    assert uplink.fields == decoded
    assert (uplink.fields["t"], len(uplink.fields), "humidity" in uplink.fields) == (21.5, 5, False)
    assert said({**UP, "object": {}}, encoding).fields is None  # type: ignore[union-attr]


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize(
    ("told", "state"),
    [
        ({"batteryLevel": 35.43307, "margin": 20}, {"batteryLevel": 0.3543}),
        ({"batteryLevel": 100.0}, {"batteryLevel": 1.0}),
        ({"batteryLevel": 0.0, "externalPowerSource": True}, {}),
        ({"batteryLevelUnavailable": True}, {}),
        ({"margin": -5}, {}),
    ],
)
def test_a_level_is_told_by_a_battery_only(encoding: str, told: dict[str, Any], state: dict[str, Any]) -> None:
    event = said({"deviceInfo": DEVICE, **told}, encoding, "status")
    assert isinstance(event, Event)
    assert event.state == state
    assert {name: event.details[name] for name in told} == told


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_device_at_zero_zero_has_no_known_place(encoding: str) -> None:
    event = said({"deviceInfo": DEVICE, "location": {"altitude": 3.0}}, encoding, "location")
    assert isinstance(event, Event)
    assert event.location is None


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"data": "qg="}, Reason.PAYLOAD_ERROR),
        ({"data": 5}, Reason.PAYLOAD_ERROR),
        ({"data": "ä"}, Reason.PAYLOAD_ERROR),
        ({"fPort": 256}, Reason.PAYLOAD_ERROR),
        ({"fCnt": -1}, Reason.PAYLOAD_ERROR),
        ({"fCnt": 2**32}, Reason.PAYLOAD_ERROR),
        ({"fCnt": True}, Reason.PAYLOAD_ERROR),
        ({"devAddr": "xyz"}, Reason.PAYLOAD_ERROR),
        ({"devAddr": ["00189440"]}, Reason.PAYLOAD_ERROR),
        ({"object": [1]}, Reason.PAYLOAD_ERROR),
        ({"deviceInfo": []}, Reason.DEVICE_MISSING),
        ({"time": "yesterday"}, Reason.TIME_INVALID),
        ({"time": "2026-11-23T04:07:04.163"}, Reason.TIME_INVALID),
    ],
)
def test_wrong_types_are_refused(change: dict[str, Any], reason: Reason) -> None:
    assert refused(orjson.dumps({**UP, **change})).reason is reason


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"", Reason.DEVICE_MISSING),
        (b"{", Reason.MALFORMED),
        (b"[1]", Reason.MALFORMED),
        (b"\x0a\x7f", Reason.MALFORMED),
        (b'{"object":' + b"[" * 40 + b"]" * 40 + b"}", Reason.TOO_DEEP),
        (messages.UplinkEvent(f_port=256).SerializeToString(), Reason.PAYLOAD_ERROR),
        (ParseDict(UP, messages.UplinkEvent(time={"seconds": -1})).SerializeToString(), Reason.TIME_INVALID),
        (ParseDict(UP, messages.UplinkEvent(time={"seconds": 2**60})).SerializeToString(), Reason.TIME_INVALID),
        (messages.UplinkEvent(time={"seconds": 2**60}).SerializeToString(), Reason.MALFORMED),  # mac: as JSON
    ],
)
def test_other_bytes_are_refused(payload: bytes, reason: Reason) -> None:
    assert refused(payload).reason is reason


def test_protobuf_is_imported_for_the_first_protobuf_message_only(shared_data: Path) -> None:
    topic, payload = sample(shared_data, "up")
    code = (
        "import sys; from connectors.network_servers.chirpstack import dialect as it\n"
        f"it.reader({topic!r})({payload!r}, 0); assert 'google.protobuf' not in sys.modules\n"
        f"it.reader({topic!r})({ParseDict(UP, messages.UplinkEvent()).SerializeToString()!r}, 0)\n"
        "assert 'google.protobuf' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@settings(max_examples=SEEDS)
@given(seed=st.integers(0, 2**32))
def test_only_payload_errors_escape(shared_data: Path, seed: int) -> None:
    known = [
        each for name in ("json_up", "pb_up", "json_status", "pb_log") for each in published(shared_data, f"app_{name}")
    ]
    known += [sample(shared_data, name) for name in ("up", "integration", "location")]
    read = sum(hold(dialect, topic, payload) > 0 for topic, payload in cases(seed, known))
    assert 0 < read < A_SEED, "a mutation that leaves everything valid, or nothing, finds little"
