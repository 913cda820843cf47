"""Feeds of a LoRaWAN network through all stages: dialects, devices, events, and what tells readings apart."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from time import process_time
from timeit import repeat
from typing import Any

import orjson
import pytest

from pipeline.core.delivery import INVALID_TOPIC, Broken, Cut, Fate, Lane, Ledger, Message, split_records
from pipeline.core.errors import PayloadError, Reason
from pipeline.core.record import Record
from pipeline.devices.registry import Device, DeviceRegistry
from pipeline.encode.dead_letter import DeadLetters, Refusals
from pipeline.lorawan import statistics as overheard
from pipeline.lorawan.identify import ConnectorMatcher
from pipeline.normalise.records import RecordBuffer
from pipeline.observe.metrics import Metrics
from pipeline.sdk.uplink import Names
from tests.connectors.network_servers import messages
from tests.connectors.network_servers.messages import UPLINKS
from tests.connectors.network_servers.test_one_transmission import WITHOUT_DEV_ADDR
from tests.pipeline.flow import Memory, headers_of
from tests.pipeline.lorawan.rig import Clock
from tests.pipeline.network_flow import PLACE, NetworkFlow
from tests.support.lorawan import join_request

CONNECTOR = '''"""A device of tests. Its bytes: tenths of a degree above -40, % of humidity, one that means nothing."""
import struct
from headrace import Attribute, Connector, PayloadError

FRAME = struct.Struct(">HHB")

def decode(uplink):
    if len(uplink.payload) != FRAME.size:
        raise PayloadError(f"expected {FRAME.size} bytes, got {len(uplink.payload)}")
    temperature, humidity, _ = FRAME.unpack(uplink.payload)
    return {"temperature": temperature / 10 - 40, "humidity": humidity}

connector = Connector(
    vendor="nobody", devices=("five",), owner="@tests", model="WeatherObserved", decode=decode,
    attributes={"temperature": Attribute("temperature", unit="degC"),
                "relativeHumidity": Attribute("humidity", unit="%")},
)
'''
DEVICE: dict[str, Any] = {
    "key": "th-17",
    "dev_eui": messages.DEVICE,
    "connector": "nobody/five",
    "location": PLACE,
}
CHIRPSTACK: tuple[str, dict[str, Any]] = (
    "application/17c82e96-be03-4f38-aef3-f83d48582d97/device/0011223344556677/event/up",
    {
        "deduplicationId": "3ac7e3c4-4401-4b8d-9386-a5c902f9202d",
        "time": "2023-12-12T15:05:18.519+00:00",
        "deviceInfo": {"devEui": messages.DEVICE, "deviceName": "th-17", "deviceProfileName": "nobody/five"},
        "devAddr": messages.DEV_ADDR,
        "fCnt": messages.F_CNT,
        "fPort": messages.PORT,
        "data": "AjAAQKA=",
        "rxInfo": [{"gatewayId": messages.GATEWAY, "rssi": -83, "snr": 9.5}],
    },
)
ARRIVAL = messages.ARRIVAL
DISCRIMINATOR = f"{messages.DEV_ADDR}-{messages.F_CNT}-{messages.PORT}"


def flow(
    folder: Path, devices: list[dict[str, Any]] | None = None, *, connector: str = CONNECTOR, **more: Any
) -> NetworkFlow:
    (folder / "own").mkdir(exist_ok=True)
    (folder / "own" / "five.py").write_text(connector)
    return NetworkFlow(folder, devices, top={"connector_paths": ["own"], **more.pop("top", {})}, **more)


def weather(records: list[Record]) -> Record:
    [record] = [each for each in records if each.destination.topic == "bench.WeatherObserved.v1"]
    return record


@pytest.mark.parametrize("name", UPLINKS)
def test_one_transmission_is_one_record_whoever_tells_it(name: str, tmp_path: Path) -> None:
    told = weather(flow(tmp_path, [DEVICE]).put(CHIRPSTACK, arrival=ARRIVAL))
    record = weather(flow(tmp_path, [DEVICE]).put(UPLINKS[name], arrival=ARRIVAL))
    assert record.value == told.value
    assert record.destination.key == told.destination.key == b"urn:ngsi-ld:WeatherObserved:bench:th-17"
    headers = headers_of(record)
    wanted = headers_of(told)
    if name in WITHOUT_DEV_ADDR:  # they tell no DevAddr: the network's time stands for it
        wanted["ce_id"] = f"WeatherObserved:th-17:{messages.F_CNT}-{messages.PORT}-{messages.TIME}"
    assert headers == wanted


def test_the_record(tmp_path: Path) -> None:
    record = weather(flow(tmp_path, [DEVICE]).put(CHIRPSTACK, arrival=ARRIVAL))
    entity = orjson.loads(record.value)
    assert entity["temperature"]["value"] == 16.0
    assert entity["relativeHumidity"]["value"] == 0.64
    assert entity["location"]["value"]["coordinates"] == PLACE
    headers = headers_of(record)
    assert headers["ce_id"] == f"WeatherObserved:th-17:{DISCRIMINATOR}"
    assert headers["ce_time"] == "2023-12-12T15:05:18.519Z"
    assert headers["ce_connector"] == "nobody/five@1"
    assert "ce_idclass" not in headers


@pytest.mark.parametrize("again", [False, True], ids=["a new topic", "a known topic"])
def test_a_payload_too_long_is_decoded_by_no_dialect(again: bool, tmp_path: Path) -> None:
    network = flow(tmp_path, [DEVICE], max_payload="4KiB")
    if again:
        network.put(CHIRPSTACK, arrival=ARRIVAL)
    topic, said = CHIRPSTACK
    long = orjson.dumps({**said, "more": "x" * 5000})
    for payload in (long, Cut(long, 9_000_000)):
        [letter] = network.put((topic, payload), arrival=ARRIVAL + 1000)
        assert headers_of(letter)["ce_reason"] == Reason.PAYLOAD_TOO_LARGE.value


def test_a_packet_that_breaks_the_rules_is_read_by_no_dialect(tmp_path: Path) -> None:
    topic, said = CHIRPSTACK
    broken = Broken(orjson.dumps(said), 10_000, "its QoS is 3")
    [letter] = flow(tmp_path, [DEVICE]).put((INVALID_TOPIC + topic, broken), arrival=ARRIVAL)
    assert headers_of(letter)["ce_reason"] == Reason.PACKET_INVALID.value
    assert headers_of(letter)["ce_sourcetopic"] == topic


def test_the_same_message_again_is_the_same_record(tmp_path: Path) -> None:
    network = flow(tmp_path, [DEVICE])
    first = weather(network.put(CHIRPSTACK, arrival=ARRIVAL))
    again = weather(network.put(CHIRPSTACK, arrival=ARRIVAL + 90_000))
    assert again.value == first.value
    assert headers_of(again)["ce_id"] == headers_of(first)["ce_id"]


def test_a_device_is_presented_at_first_sight_with_its_signal(tmp_path: Path) -> None:
    network = flow(tmp_path, [DEVICE])
    topics = [record.destination.topic for record in network.put(CHIRPSTACK, arrival=ARRIVAL)]
    assert topics == ["bench.WeatherObserved.v1", "bench.DeviceModel.v1", "bench.Device.v1"]
    [_, _, device] = flow(tmp_path, [DEVICE]).put(CHIRPSTACK, arrival=ARRIVAL)
    entity = orjson.loads(device.value)
    assert entity["id"] == "urn:ngsi-ld:Device:bench:th-17"
    assert entity["rssi"]["value"] == -83.0
    assert [each.destination.topic for each in network.put(CHIRPSTACK, arrival=ARRIVAL + 1)] == [
        "bench.WeatherObserved.v1"
    ]
    assert len(network.put(CHIRPSTACK, arrival=ARRIVAL + 3_600_001)) == 3


def test_how_well_it_was_heard_is_sampled_each_second(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(overheard, "monotonic", lambda: now[0])
    network = flow(tmp_path, [DEVICE])
    radio, (topic, told) = network.shared.radio["city"], CHIRPSTACK
    uplink = topic, {**told, "txInfo": {"modulation": {"lora": {"spreadingFactor": 7}}}}
    for later, seconds in enumerate((0.0, 0.5, 0.49, 0.02)):
        now[0] += seconds
        network.put(uplink, arrival=ARRIVAL + later)
    assert (radio.rssi.total, radio.snr.total) == (-83.0 * 2, 9.5 * 2)
    metrics = Metrics("1", [])
    metrics.radio = network.shared.radio
    counted = {name: value for name, labels, value in metrics.samples() if labels.get("le") == "+Inf"}
    assert counted == {"headrace_reception_rssi_dbm_bucket": 2, "headrace_reception_snr_db_bucket": 2}


def test_the_connectors_own_interval_says_when_a_device_is_presented_again(tmp_path: Path) -> None:
    own = {"use": DEVICE["connector"], "device": {"field": "device"}, "device_interval": "10min"}
    network = flow(tmp_path, [{**DEVICE, "connector": "mine"}], top={"connectors": {"mine": own}})
    assert len(network.put(CHIRPSTACK, arrival=ARRIVAL)) == 3
    assert len(network.put(CHIRPSTACK, arrival=ARRIVAL + 599_999)) == 1
    assert len(network.put(CHIRPSTACK, arrival=ARRIVAL + 600_000)) == 3


def test_who_speaks_is_noted_by_key_on_both_paths(tmp_path: Path) -> None:
    network = flow(tmp_path, [DEVICE])
    for later in (0, 1000, 2000):  # presented at first, then nothing but a record
        network.put(CHIRPSTACK, arrival=ARRIVAL + later)
        assert network.watch.devices.find("th-17").last == ARRIVAL + later
    broken = (CHIRPSTACK[0], {**CHIRPSTACK[1], "data": "AA=="})
    network.put(broken, arrival=ARRIVAL + 3000)
    assert network.watch.devices.find("th-17").last == ARRIVAL + 2000  # nothing of it was published
    network.take(DeviceRegistry([replace(device, key="th-18") for device in network.config.registered]))
    network.put(CHIRPSTACK, arrival=ARRIVAL + 4000)
    assert network.watch.devices.find("th-18").last == ARRIVAL + 4000
    assert network.watch.devices.find("th-18").called[0] == "nobody/five"


def test_a_device_that_is_not_registered_is_refused(tmp_path: Path) -> None:
    network = flow(tmp_path, [{**DEVICE, "dev_eui": "ffffffffffffffff"}])
    [letter] = network.put(CHIRPSTACK, arrival=ARRIVAL)
    assert headers_of(letter)["ce_reason"] == Reason.DEVICE_UNKNOWN.value
    assert network.strangers == [messages.DEVICE]


@pytest.mark.parametrize(("policy", "reason"), [(None, "device_unknown"), ("accept", None)])
def test_the_registry_holds_for_devices_of_routes_too(policy: str | None, reason: str | None, tmp_path: Path) -> None:
    inline = {
        "model": "WeatherObserved",
        "device": {"topic": "device"},
        "observed_at": "arrival",
        "location": PLACE,
        "attributes": {"temperature": {"field": "t", "unit": "degC"}},
    }
    routes = [{"topic": "a/{device}", "connector": "decoded"}]
    top = {"connectors": {"decoded": inline}, **({} if policy is None else {"unknown_devices": policy})}
    devices = [{"key": "roof", "aliases": ["17"], "location": [3.0, 51.0]}]
    network = flow(tmp_path, devices, dialect=None, routes=routes, top=top)
    known, stranger = network.put(("a/17", {"t": 21}), ("a/18", {"t": 21}), arrival=ARRIVAL)
    entity = orjson.loads(known.value)
    assert entity["id"] == "urn:ngsi-ld:WeatherObserved:bench:roof"
    assert entity["location"]["value"]["coordinates"] == [3.0, 51.0]
    assert headers_of(stranger).get("ce_reason") == reason
    assert network.strangers == ([] if reason is None else ["18"])


def test_without_a_registry_the_servers_names_choose_the_connector(tmp_path: Path) -> None:
    network = flow(tmp_path)
    letter = network.put(CHIRPSTACK, arrival=ARRIVAL)[-1]
    assert headers_of(letter)["ce_reason"] == Reason.LOCATION_MISSING.value  # the model wants one; nobody has it
    message = orjson.loads(orjson.dumps(CHIRPSTACK[1]))
    message["deviceInfo"]["deviceProfileName"] = "something else"
    [letter] = network.put((CHIRPSTACK[0], message), arrival=ARRIVAL + 3_600_001)
    assert headers_of(letter)["ce_reason"] == Reason.CONNECTOR_UNKNOWN.value
    assert '"something else"' in headers_of(letter)["ce_detail"]


def test_an_inline_connector_takes_what_the_server_has_decoded(tmp_path: Path) -> None:
    inline = {
        "model": "WeatherObserved",
        "device": {"field": "none"},
        "observed_at": "arrival",
        "attributes": {"temperature": {"field": "t.celsius", "unit": "degC"}},
    }
    network = flow(tmp_path, [{**DEVICE, "connector": "decoded"}], top={"connectors": {"decoded": inline}})
    message = {**CHIRPSTACK[1], "object": {"t": {"celsius": 21.5}}}
    record = weather(network.put((CHIRPSTACK[0], message), arrival=ARRIVAL))
    assert orjson.loads(record.value)["temperature"]["value"] == 21.5
    assert headers_of(record)["ce_id"] == f"WeatherObserved:th-17:{DISCRIMINATOR}"


def test_another_registry_is_in_force_from_the_next_message(tmp_path: Path) -> None:
    network = flow(tmp_path, [DEVICE])
    weather(network.put(CHIRPSTACK, arrival=ARRIVAL))
    moved = Device("roof", dev_eui=messages.DEVICE, connector="nobody/five", location=(3.0, 51.0))
    network.take(DeviceRegistry([moved]))
    record = weather(network.put(CHIRPSTACK, arrival=ARRIVAL))
    assert orjson.loads(record.value)["id"] == "urn:ngsi-ld:WeatherObserved:bench:roof"
    assert orjson.loads(record.value)["location"]["value"]["coordinates"] == [3.0, 51.0]


@pytest.mark.parametrize(("prefer", "published"), [("server", True), ("raw", False), (None, True)])
def test_the_copy_that_is_preferred_is_published(prefer: str | None, published: bool, tmp_path: Path) -> None:
    network = flow(tmp_path, [DEVICE if prefer is None else {**DEVICE, "prefer": prefer}])
    assert bool(network.put(CHIRPSTACK, arrival=ARRIVAL)) is published


def test_an_event_is_a_record_and_its_state_goes_into_the_device(tmp_path: Path) -> None:
    network = flow(tmp_path, [DEVICE])
    topic = CHIRPSTACK[0].replace("/up", "/status")
    status = {
        "time": CHIRPSTACK[1]["time"],
        "deviceInfo": CHIRPSTACK[1]["deviceInfo"],
        "margin": 7,
        "batteryLevel": 50.0,
    }
    event, _, device = network.put((topic, status), arrival=ARRIVAL)
    assert event.destination.topic == "bench.device-events.v1"
    assert event.destination.key == b"urn:ngsi-ld:Device:bench:th-17"
    value = orjson.loads(event.value)
    assert (value["event"], value["devEui"], value["details"]) == ("status", messages.DEVICE, status)
    assert orjson.loads(device.value)["batteryLevel"]["value"] == 0.5
    [_, _, whole] = network.put(CHIRPSTACK, arrival=ARRIVAL + 3_600_001)
    assert orjson.loads(whole.value)["batteryLevel"]["value"] == 0.5
    assert orjson.loads(whole.value)["rssi"]["value"] == -83.0


def test_the_device_tells_what_its_frame_counter_tells(tmp_path: Path) -> None:
    network = flow(tmp_path, [DEVICE])
    for f_cnt in (53, 54, 54, 57):
        network.put((CHIRPSTACK[0], {**CHIRPSTACK[1], "fCnt": f_cnt}), arrival=ARRIVAL)
    [_, _, device] = network.put((CHIRPSTACK[0], {**CHIRPSTACK[1], "fCnt": 58}), arrival=ARRIVAL + 3_600_001)
    state = orjson.loads(device.value)["deviceState"]["value"]
    assert state == "frames received 4, missing 2, duplicate 1, reset 0, refused 0"
    total = network.shared.frames.total
    assert (total.received, total.missing, total.duplicate, total.reset) == (4, 2, 1, 0)


def test_a_frame_that_is_lost_here_is_told_apart_from_one_that_is_lost_on_air(tmp_path: Path) -> None:
    network = flow(tmp_path, [DEVICE])
    up, told = CHIRPSTACK
    network.put((up, {**told, "fCnt": 53}), arrival=ARRIVAL)
    [letter] = network.put((up, {**told, "fCnt": 55, "data": "AA=="}), arrival=ARRIVAL)  # 54 never came
    assert letter.message is None
    [_, _, device] = network.put((up, {**told, "fCnt": 56}), arrival=ARRIVAL + 3_600_001)
    state = orjson.loads(device.value)["deviceState"]["value"]
    assert state == "frames received 3, missing 1, duplicate 0, reset 0, refused 1"
    assert network.shared.frames.total.refused == 1


def test_a_gateway_is_a_device_too(tmp_path: Path) -> None:
    network = flow(tmp_path, [DEVICE], dialect="chirpstack_gateway")
    gateway = "eu868/gateway/0016c001f153a14c/"
    stats = {
        "gatewayId": "0016c001f153a14c",
        "time": CHIRPSTACK[1]["time"],
        "location": {"latitude": 51.05, "longitude": 3.71},
        "rxPacketsReceived": 4,
        "rxPacketsReceivedOk": 3,
    }
    event, device = network.put((gateway + "event/stats", stats), arrival=ARRIVAL)
    assert orjson.loads(event.value)["event"] == "gateway_stats"
    entity = orjson.loads(device.value)
    assert entity["id"] == "urn:ngsi-ld:Device:bench:0016c001f153a14c"
    assert entity["location"]["value"]["coordinates"] == [3.71, 51.05]
    assert entity["deviceState"]["value"] == "ONLINE"
    assert event.destination.key == device.destination.key
    ledger = network.shared.raw["city"]
    assert (ledger.packets, ledger.packets_ok) == (4, 3)
    gone = (gateway + "state/conn", {"gatewayId": "0016c001f153a14c"})
    [_, device] = network.put(gone, arrival=ARRIVAL + 1, retained=True)
    assert network.watch.gateways.find("0016c001f153a14c").last == ARRIVAL  # that it is gone is no word of its own
    entity = orjson.loads(device.value)
    assert entity["deviceState"]["value"] == "OFFLINE"
    assert entity["location"]["value"]["coordinates"] == [3.71, 51.05]


@pytest.mark.parametrize("said", ["x" * 100_000, "on\nline"])
def test_a_text_that_is_no_state_stays_in_the_event(said: str, tmp_path: Path) -> None:
    network = flow(tmp_path, [DEVICE], dialect="aws_iot")
    radio = {"GatewayEui": "0016c001f153a14c"}
    told = {"WirelessGatewayId": "g", "timestamp": CHIRPSTACK[1]["time"], "LoRaWAN": radio}
    [event] = network.put(("gateways", {**told, "eventType": said}))
    assert orjson.loads(event.value)["details"]["eventType"] == said
    [_, device] = network.put(("gateways", {**told, "eventType": "connected"}))
    assert orjson.loads(device.value)["deviceState"]["value"] == "connected"


def test_a_datagram_of_many_broken_frames_is_one_dead_letter(tmp_path: Path) -> None:
    network = flow(tmp_path, [DEVICE], dialect="semtech_udp", frames={"crc_error": "dead_letter"})
    broken = [{"freq": 868.1, "datr": "SF7BW125", "data": f"4AAA{n:04d}", "stat": 1 - n % 2} for n in range(100)]
    with Clock() as clock:
        [crc] = network.put(("0016c001f153a14c/push_data", {"rxpk": broken}))
        clock.advance(2)
    assert network.memory.records == [crc]
    assert headers_of(crc)["ce_reason"] == "crc_invalid"
    assert network.ledger.fates[Fate.DEAD_LETTERED] == 1
    assert network.ledger.conserved()
    assert network.ledger.in_flight() == 0


STATUS = {  # frames that vendors document and that measure nothing: which become a Device, and which nothing at all
    "dragino/lht65n": (("0b010001000b3a", 5, "firmwareVersion"), ("0cb6010ac30ac4", 3, None)),
    "milesight/em300-th": (("ff0a0101", 85, "firmwareVersion"), ("fe03b004", 85, None), ("ff0bff", 85, None)),
    "milesight/am103": (("ff0a0101", 85, "firmwareVersion"), ("fe03b004", 85, None)),
    "milesight/ws302": (("ff0a0101", 85, "firmwareVersion"), ("fe10ff", 85, None)),
    "netvox/ra08b": (("01a0000a01202209150000", 6, "firmwareVersion"), ("81a0000000000000000000", 7, None)),
    "sensecap/s2120": (("0364", 3, "batteryLevel"), ("0600", 3, None)),
    "elsys/ers": (("3e0c07000000a00b000000", 6, None),),
}


@pytest.mark.parametrize("connector", STATUS)
def test_status_frames_of_each_family_are_no_dead_letters(tmp_path: Path, connector: str) -> None:
    device = {"key": "a", "dev_eui": messages.DEVICE, "connector": connector, "location": [4.9, 52.3]}
    network = flow(tmp_path, [device])
    topic, uplink = CHIRPSTACK

    def sent(payload: str, port: int, f_cnt: int) -> list[Record]:
        data = b64encode(bytes.fromhex(payload)).decode()
        return network.put((topic, uplink | {"data": data, "fPort": port, "fCnt": f_cnt}))

    for f_cnt, (payload, port, attribute) in enumerate(STATUS[connector], 10):
        first, filtered = sent(payload, port, f_cnt), network.ledger.fates[Fate.FILTERED]
        # At first sight a device is published, whatever its frame tells.
        kinds = {entity["type"]: entity for entity in map(orjson.loads, (record.value for record in first))}
        assert set(kinds) <= {"Device", "DeviceModel"}
        if attribute is not None:
            assert attribute in kinds["Device"]
        assert sent(payload, port, f_cnt + 100) == []
        assert network.ledger.fates[Fate.FILTERED] == filtered + 1
    assert network.ledger.fates[Fate.DEAD_LETTERED] == 0


def test_events_of_one_datagram_have_ids_of_their_own(tmp_path: Path) -> None:
    network = flow(tmp_path, [DEVICE], dialect="semtech_udp")
    joins = [b64encode(join_request(messages.DEVICE, nonce=nonce)).decode() for nonce in (1, 2)]
    heard = [{"freq": 868.1, "datr": "SF7BW125", "stat": 1, "data": each} for each in joins]
    with Clock() as clock:
        network.put(("0016c001f153a14c/push_data", {"rxpk": heard}))
        clock.advance(2)
    told = [headers_of(each) for each in network.memory.records]
    assert [each["ce_type"] for each in told] == ["org.headrace.DeviceEvent.join"] * 2
    assert len({each["ce_id"] for each in told}) == 2


def test_what_nothing_proves_says_so(tmp_path: Path) -> None:
    network = flow(tmp_path, [DEVICE], dialect="semtech_udp")
    join = {"freq": 868.1, "datr": "SF7BW125", "stat": 1, "data": b64encode(join_request(messages.DEVICE)).decode()}
    with Clock() as clock:
        [told] = network.put(("0016c001f153a14c/push_data", {"stat": {"rxnb": 1}}))
        assert headers_of(told)["ce_verified"] == "false"
        assert orjson.loads(told.value)["verified"] is False
        network.put(("0016c001f153a14c/push_data", {"rxpk": [join]}))
        clock.advance(2)
    assert [headers_of(each)["ce_verified"] for each in network.memory.records] == ["false"]
    told_by_server = flow(tmp_path, [DEVICE]).put((CHIRPSTACK[0].replace("/up", "/join"), CHIRPSTACK[1]))
    assert "ce_verified" not in headers_of(told_by_server[0])


def test_an_event_of_a_raw_frame_has_one_id_whenever_it_comes(tmp_path: Path) -> None:
    join = {"freq": 868.1, "datr": "SF7BW125", "stat": 1, "data": b64encode(join_request(messages.DEVICE)).decode()}
    told = []
    with Clock() as clock:
        for arrival in (ARRIVAL, ARRIVAL + 5_000):  # before and after a restart; no gateway has GPS
            network = flow(tmp_path, [DEVICE], dialect="semtech_udp")
            network.put(("0016c001f153a14c/push_data", {"rxpk": [join]}), arrival=arrival)
            clock.advance(2)
            told += [headers_of(each) for each in network.memory.records]
    first, again = told
    assert first["ce_id"] == again["ce_id"]
    assert first["ce_time"] != again["ce_time"]
    assert "ce_idclass" not in first


def test_an_event_has_one_id_in_whatever_order_its_words_come(tmp_path: Path) -> None:
    """As of a map in protobuf, whose order is another one in each process."""
    network = flow(tmp_path, [DEVICE])
    tags = {"street": "north", "zone": "4"}
    told = []
    for margin, each in ((7, tags), (7, dict(reversed(tags.items()))), (8, tags)):
        info: dict[str, Any] = {"devEui": messages.DEVICE, "tags": each}
        joined = {"time": CHIRPSTACK[1]["time"], "deviceInfo": info, "margin": margin}
        told += network.put((CHIRPSTACK[0].replace("/up", "/join"), joined), arrival=ARRIVAL)
    first, again, other = (headers_of(each)["ce_id"] for each in told)
    assert first == again != other


def test_a_message_that_no_dialect_recognises(tmp_path: Path) -> None:
    network = flow(tmp_path, [DEVICE])
    letters = network.put(("a/b", {"hello": 1}), ("a/b", b"\xff"), ("a/c", b""), arrival=ARRIVAL)
    assert {headers_of(letter)["ce_reason"] for letter in letters} == {Reason.DIALECT_UNKNOWN.value}


def test_a_topic_that_speaks_another_dialect_is_recognised_anew(tmp_path: Path) -> None:
    network = flow(tmp_path, [DEVICE])
    for topic, told in (CHIRPSTACK, UPLINKS["helium"], UPLINKS["tektelic"], CHIRPSTACK):
        record = weather(network.put((CHIRPSTACK[0], told), arrival=ARRIVAL))
        assert headers_of(record)["ce_id"] == f"WeatherObserved:th-17:{DISCRIMINATOR}", topic


def test_a_payload_that_the_connector_refuses_is_a_dead_letter(tmp_path: Path) -> None:
    network = flow(tmp_path, [DEVICE])
    short = {**CHIRPSTACK[1], "data": "AjA="}
    letter = network.put((CHIRPSTACK[0], short), arrival=ARRIVAL)[-1]
    headers = headers_of(letter)
    assert (headers["ce_reason"], headers["ce_detail"]) == ("payload_error", "expected 5 bytes, got 2")
    assert headers["ce_connector"] == "nobody/five@1"


def test_a_wrong_clock_of_the_server_is_flagged(tmp_path: Path) -> None:
    ahead = {**CHIRPSTACK[1], "time": "2031-12-12T15:05:18.519+00:00"}
    record = weather(flow(tmp_path, [DEVICE]).put((CHIRPSTACK[0], ahead), arrival=ARRIVAL))
    assert headers_of(record)["ce_quality"] == "clock"
    assert headers_of(record)["ce_id"] == f"WeatherObserved:th-17:{DISCRIMINATOR}"


COUNTING = CONNECTOR.replace(
    "def decode(uplink):",
    """DECODED = []

def decode(uplink):
    DECODED.append(uplink.payload)
    if uplink.payload == b"stop" and DECODED.count(b"stop") == 1:
        raise KeyboardInterrupt
    if len(uplink.payload) == 1:
        raise PayloadError(f"decoded {DECODED.count(uplink.payload)} times")""",
)


def test_a_payload_is_decoded_once_also_if_the_connector_refuses_it(tmp_path: Path) -> None:
    network = flow(tmp_path, [DEVICE], connector=COUNTING)
    topic, said = CHIRPSTACK
    network.put(CHIRPSTACK, arrival=ARRIVAL)
    [letter] = network.put((topic, {**said, "data": "Ag=="}), arrival=ARRIVAL)
    assert headers_of(letter)["ce_detail"] == "decoded 1 times"


def test_a_request_to_stop_is_not_lost_in_a_decoder(tmp_path: Path) -> None:
    network = flow(tmp_path, [DEVICE], connector=COUNTING)
    topic, said = CHIRPSTACK
    network.put(CHIRPSTACK, arrival=ARRIVAL)
    with pytest.raises(KeyboardInterrupt):
        network.put((topic, {**said, "data": b64encode(b"stop").decode()}), arrival=ARRIVAL)


def test_a_device_tells_how_many_frames_came_before_the_uplink_that_presents_it(tmp_path: Path) -> None:
    """Also if the next ones came with the same read."""
    topic, said = CHIRPSTACK
    later = [(topic, {**said, "fCnt": said["fCnt"] + number}) for number in (1, 2)]
    records = flow(tmp_path, [DEVICE]).put(CHIRPSTACK, *later, arrival=ARRIVAL)
    [device] = [orjson.loads(each.value) for each in records if each.destination.topic == "bench.Device.v1"]
    assert device["deviceState"]["value"].startswith("frames received 1, missing 0")


def test_the_names_of_a_server_are_looked_at_as_far_as_a_connectors_reach() -> None:
    """A profile of 250 KB took 16 ms: here it takes less than to write it in lower case."""
    matcher, names = ConnectorMatcher(["milesight/em300-th"]), Names(profile="1." * 125_000)

    def cost(work: Callable[[], object]) -> float:
        return min(repeat(work, number=1, repeat=9, timer=process_time))

    assert matcher(names) is None
    assert matcher(Names(profile="Milesight EM300-TH")) == "milesight/em300-th"
    assert cost(lambda: matcher(names)) < cost(lambda: str(names.profile).lower())


def test_a_message_of_many_frames_has_one_dead_letter_whichever_stage_refuses_them() -> None:
    """A datagram of 255 frames that no decoder takes was kept 255 times."""
    memory, ledger = Memory(), Ledger()
    refusals = Refusals("city", DeadLetters("bench", "bench.dead-letter.v1"), memory, memory)
    message, other = Message("a", b"datagram", ARRIVAL), Message("a", b"datagram", ARRIVAL)
    lane: Lane[None] = Lane(None, 10, ledger=ledger)
    parent = lane.receive(2, None)
    for each, frames in ((message, 255), (other, 1)):
        delivery = split_records(parent, frames)
        buffer = RecordBuffer(delivery, refusals)
        for _ in range(frames):
            buffer.refuse(each, PayloadError("expected 5 bytes"), "decode", "nobody/five@1")
        buffer.close()
    assert len(memory.records) == 2
    assert ledger.fates[Fate.DEAD_LETTERED] == 2
    assert ledger.conserved()
    assert not ledger.in_flight()
