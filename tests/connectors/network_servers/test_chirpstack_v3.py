"""ChirpStack v3: its three marshalers say the same, and each has its traps."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path
from typing import Any

import orjson
import pytest
from google.protobuf.json_format import MessageToDict, ParseDict
from google.protobuf.message import Message
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.network_servers.chirpstack_v3 import dialect
from connectors.network_servers.proto import chirpstack_v3_pb2 as messages
from pipeline.core.errors import PayloadError, Reason
from pipeline.sdk.dialect import Event
from pipeline.sdk.uplink import Names, Reception, Uplink
from tests.connectors.network_servers.fuzz import A_SEED, cases, hold
from tests.connectors.network_servers.test_recognition import recognised

EUI, ADDRESS = bytes.fromhex("0022a70e000001f5"), bytes.fromhex("008d9cec")
TOPIC = "application/1/device/0022a70e000001f5/event/"
WHO = {"applicationID": "1", "applicationName": "app", "deviceName": "kit", "devEUI": EUI.hex(), "tags": {"a": "b"}}
MESSAGES: dict[str, type[Message]] = {
    "up": messages.UplinkEvent,
    "join": messages.JoinEvent,
    "status": messages.StatusEvent,
    "ack": messages.AckEvent,
    "txack": messages.TxAckEvent,
    "error": messages.ErrorEvent,
    "location": messages.LocationEvent,
    "integration": messages.IntegrationEvent,
}
MARSHALERS = ("json_v3", "json", "protobuf")
SEEDS = 250  # x A_SEED cases


def sample(shared_data: Path, name: str) -> tuple[str, bytes]:
    written = orjson.loads((shared_data / "samples" / "chirpstack-v3" / f"{name}.json").read_bytes())
    return written["_topic"], orjson.dumps(written["payload"])


def marshalled(kind: str, marshaler: str, **told: Any) -> bytes:
    """Write an event, given in the words of `json_v3`, as one of the marshalers does."""
    message = {**WHO, **told}
    if marshaler == "json_v3":
        return orjson.dumps(message)
    for name in ("devEUI", "devAddr", "gatewayID"):
        if name in message:
            message[name] = b64encode(bytes.fromhex(message[name])).decode()
    if "object" in message:
        message["objectJSON"] = orjson.dumps(message.pop("object")).decode()
    message["rxInfo"] = [
        {**each, "gatewayID": b64encode(bytes.fromhex(each["gatewayID"])).decode()} for each in told.get("rxInfo", [])
    ]
    if kind not in {"up", "join"}:
        del message["rxInfo"]
    event = ParseDict(message, MESSAGES[kind]())
    if marshaler == "protobuf":
        return event.SerializeToString()
    return orjson.dumps(MessageToDict(event, always_print_fields_with_no_presence=True))


def said(kind: str, marshaler: str, **told: Any) -> Uplink | Event:
    [it] = dialect.reader(TOPIC + kind)(marshalled(kind, marshaler, **told), 7)
    assert isinstance(it, Uplink | Event)
    return it


def test_the_published_json_v3(shared_data: Path) -> None:
    topic, payload = sample(shared_data, "up-json_v3")
    [uplink] = dialect.reader(topic)(payload, 7)
    assert isinstance(uplink, Uplink)
    assert (uplink.device, uplink.payload, uplink.port, uplink.f_cnt) == ("3532363324003700", b"\0\1\2\3", 2, 0)
    assert (uplink.dev_addr, uplink.time, uplink.receptions(), uplink.fields) == (None, None, (), None)
    assert uplink.names() == Names(name="GirniDispositivo01", application="GirniAppPrueba01")


def test_the_published_protobuf_json(shared_data: Path) -> None:
    """EUIs and the DevAddr are Base64, and a place of zeros is none."""
    topic, payload = sample(shared_data, "up-protobuf-json")
    [uplink] = dialect.reader(topic)(payload, 7)
    assert isinstance(uplink, Uplink)
    assert (uplink.device, uplink.dev_addr, uplink.f_cnt, uplink.port) == (EUI.hex(), ADDRESS.hex(), 4, 1)
    assert (len(uplink.payload), uplink.payload[:4].hex(), uplink.fields) == (48, "6408c404", None)
    assert uplink.receptions() == (Reception("008066aa550ccc3a", rssi=-23, snr=11),)


@pytest.mark.parametrize("marshaler", MARSHALERS)
def test_every_marshaler_says_the_same(marshaler: str) -> None:
    heard = {
        "gatewayID": "008066aa550ccc3a", "time": "2026-11-23T04:07:04.163Z", "rssi": -23, "loRaSNR": 11.0,
        "location": {"latitude": 0.0, "longitude": -78.5, "altitude": 2850.0},
    }  # fmt: skip
    uplink = said(
        "up", marshaler, fCnt=70000, fPort=2, data="AAECAw==", object={"t": 21.5, "deep": {"list": [1, None]}},
        rxInfo=[heard],
    )  # fmt: skip
    assert isinstance(uplink, Uplink)
    assert (uplink.device, uplink.payload, uplink.port, uplink.f_cnt) == (EUI.hex(), b"\0\1\2\3", 2, 70000)
    assert uplink.fields == {"t": 21.5, "deep": {"list": [1, None]}}
    assert uplink.time == 1795406824163, "a gateway with GPS tells it, where the server does not"
    assert uplink.receptions() == (Reception("008066aa550ccc3a", -23, 11, 1795406824163, (-78.5, 0, 2850)),)
    assert uplink.names() == Names(name="kit", application="app", tags={"a": "b"})


@pytest.mark.parametrize("marshaler", ["json", "protobuf"])
def test_the_servers_time_goes_before_a_gateways(marshaler: str) -> None:
    heard = [{"gatewayID": "008066aa550ccc3a", "time": "2001-01-01T00:00:00Z"}]
    uplink = said("up", marshaler, fPort=2, devAddr=ADDRESS.hex(), rxInfo=heard, publishedAt="2026-11-23T04:07:04.163Z")
    assert isinstance(uplink, Uplink)
    assert (uplink.time, uplink.dev_addr, uplink.f_cnt, uplink.payload) == (1795406824163, ADDRESS.hex(), 0, b"")


@pytest.mark.parametrize("marshaler", ["json", "protobuf"])
def test_fsk_has_no_signal_to_noise_ratio(marshaler: str) -> None:
    heard = [{"gatewayID": "008066aa550ccc3a", "rssi": -23}]
    uplink = said("up", marshaler, fPort=2, rxInfo=heard, txInfo={"modulation": "FSK"})
    assert isinstance(uplink, Uplink)
    assert uplink.receptions() == (Reception("008066aa550ccc3a", rssi=-23),)


@pytest.mark.parametrize("marshaler", ["json", "protobuf"])
@pytest.mark.parametrize("snr", ["NaN", "Infinity"])
def test_what_is_no_number_is_no_signal_to_noise_ratio(marshaler: str, snr: str) -> None:
    uplink = said("up", marshaler, fPort=2, rxInfo=[{"gatewayID": "008066aa550ccc3a", "loRaSNR": snr}])
    assert isinstance(uplink, Uplink)
    assert uplink.receptions() == (Reception("008066aa550ccc3a", rssi=0),)


@pytest.mark.parametrize("marshaler", MARSHALERS)
def test_port_zero_is_no_application_data(marshaler: str) -> None:
    event = said("up", marshaler, fCnt=3, fPort=0, data="")
    assert isinstance(event, Event)
    assert (event.kind, event.device, event.details["deviceName"]) == ("mac", EUI.hex(), "kit")


@pytest.mark.parametrize("marshaler", MARSHALERS)
@pytest.mark.parametrize(
    ("kind", "expected", "told"),
    [
        ("join", "join", {"devAddr": ADDRESS.hex()}),
        ("ack", "ack", {"acknowledged": False, "fCnt": 4}),
        ("txack", "tx_ack", {"fCnt": 4}),
        ("error", "log", {"type": "UPLINK_FCNT_RESET", "error": "frame-counter reset", "fCnt": 4}),
        ("status", "status", {"margin": -5, "batteryLevel": 50.0}),
        ("status", "status", {"margin": 7, "externalPowerSource": True, "batteryLevel": 0.0}),
        ("location", "location", {"location": {"latitude": 51.05, "longitude": 3.72, "altitude": 8.0}}),
        ("integration", "integration", {"object": {"a": 1}}),
    ],
)
def test_the_other_events(marshaler: str, kind: str, expected: str, told: dict[str, Any]) -> None:
    event = said(kind, marshaler, **told)
    assert isinstance(event, Event)
    assert (event.kind, event.device, event.names().name) == (expected, EUI.hex(), "kit")
    assert event.state == ({"batteryLevel": 0.5} if told.get("batteryLevel") else {})
    assert event.location == ((3.72, 51.05, 8) if kind == "location" else None)
    assert {name: event.details[name] for name in told if name not in {"devAddr", "object", "location"}}.items() <= (
        told.items()
    )
    if marshaler != "protobuf":  # the keys tell the event where the topic does not
        [again] = dialect.reader("plant/sensors")(marshalled(kind, marshaler, **told), 7)
        assert isinstance(again, Event)
        assert again.kind == expected


def test_protobuf_needs_a_topic_that_says_what_it_is() -> None:
    with pytest.raises(PayloadError, match="a topic that ends in up"):
        dialect.reader("plant/sensors")(marshalled("ack", "protobuf"), 7)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"devEUI": None}, Reason.DEVICE_MISSING),
        ({"devEUI": "ACKnDgAAAQ=="}, Reason.DEVICE_INVALID),
        ({"devEUI": "ACKnDg=AAfU="}, Reason.DEVICE_INVALID),
        ({"devEUI": EUI.hex()[1:]}, Reason.DEVICE_INVALID),
        ({"devAddr": "AI2c"}, Reason.PAYLOAD_ERROR),
        ({"data": "AAECAw="}, Reason.PAYLOAD_ERROR),
        ({"fCnt": 1.5}, Reason.PAYLOAD_ERROR),
        ({"publishedAt": "soon"}, Reason.TIME_INVALID),
        ({"objectJSON": '{"a":'}, Reason.MALFORMED),
    ],
)
def test_wrong_values_are_refused(change: dict[str, Any], reason: Reason) -> None:
    message = {**WHO, "fPort": 2, "data": "AAECAw==", **change}
    with pytest.raises(PayloadError) as refused:
        dialect.reader(TOPIC + "up")(orjson.dumps(message), 7)
    assert refused.value.reason is reason


def test_protobuf_is_recognised_where_an_application_has_a_number() -> None:
    payload = marshalled("up", "protobuf", fPort=2)
    assert recognised(f"lora/{TOPIC}up", payload) == ["chirpstack_v3"]
    assert recognised(f"{TOPIC}up".replace("/1/", "/17c82e96-be03-4f38-aef3-f83d48582d97/"), payload) == ["chirpstack"]
    assert recognised("plant/sensors", payload) == []


@settings(max_examples=SEEDS)
@given(seed=st.integers(0, 2**32))
def test_only_payload_errors_escape(shared_data: Path, seed: int) -> None:
    heard = [
        {"gatewayID": "008066aa550ccc3a", "rssi": -1, "location": {"latitude": 1.0}, "time": "2026-11-23T04:07:04Z"}
    ]
    known = [sample(shared_data, "up-json_v3"), sample(shared_data, "up-protobuf-json")]
    for marshaler in MARSHALERS:
        up = marshalled("up", marshaler, fCnt=1, fPort=2, data="AAECAw==", object={"t": 1}, rxInfo=heard)
        known += [(f"{TOPIC}up", up), (f"{TOPIC}status", marshalled("status", marshaler, batteryLevel=50.0))]
    read = sum(hold(dialect, topic, payload) > 0 for topic, payload in cases(seed, known))
    assert 0 < read < A_SEED
