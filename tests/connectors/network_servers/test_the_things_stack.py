"""The Things Stack v3: its published messages, and what leaving out zeros means."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.network_servers.the_things_stack import KINDS, dialect
from pipeline.core.errors import PayloadError, Reason
from pipeline.sdk.uplink import Names, Reception
from tests.connectors.network_servers.fuzz import A_SEED, cases, hold
from tests.connectors.network_servers.messages import ARRIVAL, event, say, uplink
from tests.connectors.network_servers.samples import sample

TOPIC = "v3/app1@tenant1/devices/dev1/up"
IDS = {
    "device_id": "dev1",
    "application_ids": {"application_id": "app1"},
    "dev_eui": "0004A30B001C0530",
    "dev_addr": "00BCB929",
}
HEARD = {
    "gateway_ids": {"gateway_id": "gtw1", "eui": "9C5C8E00001A05C4"},
    "time": "2020-02-12T15:15:45.787Z",
    "rssi": -35,
    "location": {"latitude": 51.05, "longitude": 3.72, "altitude": 8, "source": "SOURCE_REGISTRY"},
}
TOLD = {
    "f_port": 1,
    "f_cnt": 7,
    "frm_payload": "gkHe",
    "decoded_payload": {"temperature": 1.0},
    "rx_metadata": [HEARD],
    "settings": {"data_rate": {"lora": {"bandwidth": 125000}}, "frequency": "868300000"},
    "version_ids": {"brand_id": "the-things-products", "model_id": "the-things-uno"},
    "attributes": {"room": "12", "n": 1},
    "received_at": "2020-02-12T15:15:45.789585559Z",
    "last_battery_percentage": {"value": 93.3},
}
SEEDS = 250  # x A_SEED cases


def up(key: str = "uplink_message", /, **changes: Any) -> dict[str, Any]:
    told = {name: value for name, value in {**TOLD, **changes}.items() if value is not ...}
    return {"end_device_ids": IDS, "received_at": "2020-02-12T15:15:46.014773143Z", key: told}


def test_an_uplink() -> None:
    read = uplink(dialect, TOPIC, up())
    assert (read.device, read.dev_addr, read.payload) == ("0004a30b001c0530", "00bcb929", b"\x82\x41\xde")
    assert (read.port, read.f_cnt, read.time, read.received_at) == (1, 7, 1581520545789, ARRIVAL)
    assert read.fields == {"temperature": 1.0}
    assert read.receptions() == (Reception("9c5c8e00001a05c4", -35, 0, 1581520545787, (3.72, 51.05, 8)),)
    assert read.names() == Names(
        name="dev1", brand="the-things-products", model="the-things-uno", application="app1", tags={"room": "12"}
    )


def test_what_is_left_out_is_zero() -> None:
    read = uplink(dialect, TOPIC, up(f_cnt=..., frm_payload=..., decoded_payload=..., received_at=..., settings=...))
    assert (read.f_cnt, read.payload, read.fields) == (0, b"", None)
    assert read.time == 1581520546014, "the Application Server's, where the Network Server tells none"
    assert read.receptions()[0].snr is None, "only LoRa has one"
    nobodies: list[dict[str, Any]] = [{"uplink_message": TOLD}, {"downlink_sent": {}}]
    for nobody in nobodies:
        with pytest.raises(PayloadError) as refused:
            say(dialect, TOPIC, nobody)
        assert refused.value.reason is Reason.DEVICE_MISSING


def test_the_published_uplink_has_no_port_and_so_no_application_data(shared_data: Path) -> None:
    told = event(dialect, *sample(shared_data, "the-things-stack-v3/uplink_message-1"))
    assert (told.kind, told.device, told.names().model) == ("mac", "0004a30b001c0530", "the-things-uno")
    assert told.details["uplink_message"]["frm_payload"] == "gkHe"


@pytest.mark.parametrize(
    ("name", "kind", "device"),
    [
        ("join_accept-0", "join", "0004a30b001c0530"),
        ("downlink_ack-2", "ack", "0004a30b001c0530"),
        ("downlink_failed-3", "downlink_failed", None),
        ("msg-4", "downlink_queued", None),
    ],
)
def test_the_published_events(shared_data: Path, name: str, kind: str, device: str | None) -> None:
    topic, payload = sample(shared_data, f"the-things-stack-v3/{name}")
    told = event(dialect, topic, payload)
    assert (told.kind, told.device, told.names().name) == (kind, device, "dev1")
    assert told.details == orjson.loads(payload)


@pytest.mark.parametrize("key", [key for key in KINDS if not key.startswith("uplink")])
def test_each_kind_is_told_by_its_key(key: str) -> None:
    place = {"latitude": 37.97, "longitude": 23.73, "altitude": 10, "source": "SOURCE_LORA_RSSI_GEOLOCATION"}
    keys = {"key": "AAAA"}
    told = event(dialect, "any/topic", {"end_device_ids": IDS, key: {"location": place, "app_s_key": keys}})
    assert (told.kind, told.device, told.time) == (KINDS[key], "0004a30b001c0530", None)
    assert told.location == ((23.73, 37.97, 10) if key == "location_solved" else None)
    assert told.details[key] == {"location": place}, "no key is kept"


def test_measurements_in_the_common_form_stand_beside_what_was_decoded() -> None:
    measured = [{"air": {"temperature": 21.5}}, {"air": {"temperature": 22.0}}]
    read = uplink(dialect, TOPIC, up(normalized_payload=measured))
    assert read.fields == {"temperature": 1.0, "normalized_payload": measured}
    one = uplink(
        dialect, f"{TOPIC}/normalized", up("uplink_normalized", decoded_payload=..., normalized_payload=measured[0])
    )
    assert one.fields == {"normalized_payload": measured[:1]}
    assert (one.payload, one.id) == (read.payload, read.id)


def test_what_is_simulated_is_no_reading() -> None:
    told = event(dialect, TOPIC, {**up(), "simulated": True})
    assert (told.kind, told.details["simulated"]) == ("integration", True)


def test_what_the_server_does_not_decrypt_is_refused() -> None:
    with pytest.raises(PayloadError) as refused:
        say(dialect, TOPIC, up(app_s_key={"key": "AAAA"}))
    assert refused.value.reason is Reason.ENCRYPTED


def test_gateways_of_other_networks() -> None:
    """Packet Broker gives all of them one id, and no place."""
    broker = {"gateway_ids": {"gateway_id": "packetbroker"}, "rssi": -100, "snr": 2}
    known = {**broker, "packet_broker": {"forwarder_gateway_eui": "0016C001F153A14C"}}
    read = uplink(dialect, TOPIC, up(rx_metadata=[broker, known, {"rssi": 1}, 5]))
    assert read.receptions() == (Reception("packetbroker", -100, 2), Reception("0016c001f153a14c", -100, 2))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"frm_payload": "gkH"}, Reason.PAYLOAD_ERROR),
        ({"frm_payload": {}}, Reason.PAYLOAD_ERROR),
        ({"f_port": 256}, Reason.PAYLOAD_ERROR),
        ({"f_cnt": "many"}, Reason.PAYLOAD_ERROR),
        ({"decoded_payload": [1]}, Reason.PAYLOAD_ERROR),
        ({"received_at": "soon"}, Reason.TIME_INVALID),
    ],
)
def test_wrong_values_are_refused(changes: dict[str, Any], reason: Reason) -> None:
    with pytest.raises(PayloadError) as refused:
        say(dialect, TOPIC, up(**changes))
    assert refused.value.reason is reason


def test_other_messages_are_refused() -> None:
    with pytest.raises(PayloadError, match="Expected uplink_message"):
        say(dialect, TOPIC, {"end_device_ids": IDS})


@settings(max_examples=SEEDS)
@given(seed=st.integers(0, 2**32))
def test_only_payload_errors_escape(shared_data: Path, seed: int) -> None:
    names = ("join_accept-0", "downlink_ack-2", "downlink_failed-3", "msg-4", "uplink_message-1")
    known = [sample(shared_data, f"the-things-stack-v3/{name}") for name in names]
    known += [(TOPIC, orjson.dumps(up(normalized_payload=[{"air": {}}])))] * 5
    read = sum(hold(dialect, topic, payload) > 0 for topic, payload in cases(seed, known))
    assert 0 < read < A_SEED
