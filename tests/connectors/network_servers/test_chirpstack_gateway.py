"""ChirpStack's gateway bridges: both encodings, both generations, and every captured message against the truth."""

from __future__ import annotations

import json
import tracemalloc
from base64 import b64decode, b64encode
from collections import Counter
from pathlib import Path
from typing import Any

import orjson
import pytest
from google.protobuf.json_format import ParseDict
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.network_servers import chirpstack_gateway
from connectors.network_servers.gateway_clock import from_gps
from connectors.network_servers.proto import chirpstack_gw_pb2 as gw
from pipeline.core.errors import PayloadError, Reason
from pipeline.core.times import parse
from pipeline.sdk.dialect import Event, Frame, Said
from tests.connectors.network_servers import fuzz
from tests.connectors.network_servers.capture import published, rows

EUI = "a84041ffff1e0b02"
TOPIC = f"eu868/gateway/{EUI}"
EUI_BYTES = b64encode(bytes.fromhex(EUI)).decode()
LORA = {"lora": {"bandwidth": 125000, "spreadingFactor": 7, "codeRate": "CR_4_5"}}
UP: dict[str, Any] = {
    "phyPayload": "QF0vhwEAAAACsyP+wes5H53y",
    "txInfo": {"frequency": 868_500_000, "modulation": LORA},
    "rxInfo": {"gatewayId": EUI, "rssi": -86, "snr": -15.5, "context": "7vxN+A==", "crcStatus": "CRC_OK"},
}
FRAME = bytes.fromhex("405d2f870100000002b323fec1eb391f9df2")
STATS: dict[str, Any] = {
    "gatewayId": EUI,
    "time": "2026-11-23T04:06:40Z",
    "location": {"latitude": 52.3702, "longitude": 4.8952, "altitude": 3.0, "source": "GPS"},
    "rxPacketsReceived": 11,
    "metadata": {"serial_number": "J-open-001"},
}


def read(payload: bytes, end: str = "event/up") -> Said:
    [said] = chirpstack_gateway.dialect.reader(f"{TOPIC}/{end}")(payload, 0)
    return said


def both(message: dict[str, Any], form: Any = gw.UplinkFrame) -> list[bytes]:
    """Return the message in JSON and in protobuf."""
    return [orjson.dumps(message), ParseDict(message, form()).SerializeToString()]


def frames(message: dict[str, Any]) -> Frame:
    """Read a frame in both encodings, which agree."""
    one, other = (read(each) for each in both(message))
    assert isinstance(one, Frame)
    assert one == other
    return one


def heard(**changes: Any) -> Frame:
    received = {name: value for name, value in (UP["rxInfo"] | changes).items() if value is not ...}
    return frames(UP | {"rxInfo": received})


def test_an_uplink() -> None:
    said = frames(UP)

    assert (said.phy_payload, said.frequency, said.data_rate, said.crc_ok) == (FRAME, 868_500_000, "SF7BW125", True)
    assert (said.reception.gateway, said.reception.rssi, said.reception.snr) == (EUI, -86, -15.5)
    assert (said.reception.time, said.reception.location) == (None, None)


def test_what_is_absent_is_the_default() -> None:
    assert heard(crcStatus=...).crc_ok is None
    assert heard(crcStatus="BAD_CRC").crc_ok is False
    assert (heard(rssi=...).reception.rssi, heard(snr=...).reception.snr) == (0, 0.0)
    assert heard(location={"longitude": 3.7}).reception.location == (3.7, 0.0)
    there = {"latitude": 51.0, "longitude": 3.7, "altitude": 12.5}
    assert heard(location=there).reception.location == (3.7, 51.0, 12.5)
    assert heard(location={}).reception.location is None


def test_minus_zero_is_zero() -> None:
    line = orjson.dumps(UP).replace(b"-15.5", b"-0")
    wire = gw.UplinkFrame.FromString(both(UP)[1])
    wire.rx_info.snr = -0.0

    for payload in (line, line.replace(b"-0,", b"-0.0,"), wire.SerializeToString()):
        said = read(payload)
        assert isinstance(said, Frame)
        assert str(said.reception.snr) == "0.0"


def test_what_is_longer_than_it_need_be_fills_no_memory() -> None:
    wire = gw.UplinkFrameHead.FromString(both(UP | {"rxInfo": UP["rxInfo"] | {"location": {"longitude": 3.7}}})[1])
    sent, where, padded = wire.tx_info, wire.rx_info.location, b"\xfa\x7f\x80\x80\x04"  # field 2047: 65,536 bytes
    tracemalloc.start()
    for number in range(50):
        wire.tx_info, wire.rx_info.location = (each + padded + bytes([number]) * 65_536 for each in (sent, where))
        assert read(wire.SerializeToString()) == heard(location={"longitude": 3.7})
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held < 1_000_000


@pytest.mark.parametrize(
    ("modulation", "data_rate", "snr"),
    [
        (LORA, "SF7BW125", -15.5),
        ({"fsk": {"datarate": 50_000}}, "50000", None),
        ({"lrFhss": {"operatingChannelWidth": 137_000, "gridSteps": 52, "codeRate": "CR_4_6"}}, "M0CW137", -15.5),
        ({"lora": {"bandwidth": 812_500, "spreadingFactor": 12}}, "SF12BW812", -15.5),
    ],
)
def test_modulations(modulation: dict[str, Any], data_rate: str, snr: float | None) -> None:
    said = frames(UP | {"txInfo": {"frequency": 868_500_000, "modulation": modulation}})

    assert (said.data_rate, said.reception.snr) == (data_rate, snr)


@pytest.mark.parametrize(
    ("changes", "time"),
    [
        ({"gwTime": "2026-11-23T04:06:44.869515Z"}, 1795406804869),
        ({"timeSinceGpsEpoch": "1479442022.869s"}, 1795406804869),
        ({"timeSinceGpsEpoch": "1479442022s", "gwTime": "2026-11-23T05:06:44Z"}, 1795406804000),
        ({"timeSinceGpsEpoch": "0s", "gwTime": "2026-11-23T04:06:44.869515Z"}, 1795406804869),
        ({"gwTime": "1970-01-01T00:01:07Z"}, None),
        ({"gwTime": "2014-12-31T23:59:59Z"}, None),
    ],
)
def test_when_it_was_heard(changes: dict[str, Any], time: int | None) -> None:
    assert heard(**changes).reception.time == time


def test_a_bridge_of_v3() -> None:
    """Its EUI is in Base64, its bandwidth in kHz, and the parts have other names; in protobuf, other fields."""
    line = {
        "phyPayload": UP["phyPayload"],
        "txInfo": {
            "frequency": 868_500_000,
            "modulation": "LORA",
            "loRaModulationInfo": {"bandwidth": 125, "spreadingFactor": 7, "codeRate": "4/5"},
        },
        "rxInfo": {
            "gatewayID": EUI_BYTES,
            "time": "2026-11-23T04:06:44.869515Z",
            "timeSinceGPSEpoch": "1479442022.869s",
            "rssi": -86,
            "loRaSNR": -15.5,
            "crcStatus": "CRC_OK",
        },
    }
    legacy = {
        "phyPayload": UP["phyPayload"],
        "txInfoLegacy": {"frequency": 868_500_000, "loraModulationInfo": {"bandwidth": 125, "spreadingFactor": 7}},
        "rxInfoLegacy": {
            "gatewayId": EUI_BYTES,
            "time": "2026-11-23T04:06:44.869515Z",
            "timeSinceGpsEpoch": "1479442022.869s",
            "rssi": -86,
            "loraSnr": -15.5,
            "crcStatus": "CRC_OK",
        },
    }

    expected = heard(timeSinceGpsEpoch="1479442022.869s")

    assert read(orjson.dumps(line)) == expected
    assert frames(legacy) == expected


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ({"phyPayload": "QA=="}, "Expected an object as txInfo, got nothing."),
        (UP | {"rxInfo": 7}, "Expected an object as rxInfo, got 7."),
        (UP | {"txInfo": {"modulation": LORA}}, "Expected a frequency in Hz; it is absent."),
        (UP | {"txInfo": {"frequency": 1}}, "Expected a modulation, lora, fsk or lrFhss; there is none."),
        (UP | {"rxInfo": {"rssi": -7}}, "Expected an EUI of 16 hex digits; it is absent."),
        (UP | {"rxInfo": {"gatewayId": "AAAAAAAAAAA*"}}, 'Expected an EUI of 16 hex digits, got "AAAAAAAAAAA*".'),
        (UP | {"phyPayload": "*"}, 'Expected bytes in Base64 as phyPayload, got "*".'),
    ],
)
def test_what_is_no_uplink_is_refused_in_a_sentence(message: dict[str, Any], said: str) -> None:
    with pytest.raises(PayloadError) as problem:
        read(orjson.dumps(message))

    assert str(problem.value) == said


@pytest.mark.parametrize(
    ("payload", "end", "reason"),
    [
        (b"", "event/up", Reason.PAYLOAD_ERROR),
        (b"\xff\xff", "event/up", Reason.MALFORMED),
        (b"{", "event/up", Reason.MALFORMED),
        (b"", "state/conn", Reason.MALFORMED),
        (b"\xff", "event/stats", Reason.MALFORMED),
        (b"{}", "event/stats", Reason.DEVICE_MISSING),
        (b'{"gatewayId":"a84041ffff1e0b02","state":"GONE"}', "state/conn", Reason.PAYLOAD_ERROR),
        (b"{}", "command/down", Reason.PAYLOAD_ERROR),
        (b"{}", "", Reason.PAYLOAD_ERROR),
    ],
)
def test_what_is_refused_for_which_reason(payload: bytes, end: str, reason: Reason) -> None:
    with pytest.raises(PayloadError) as problem:
        read(payload, end)

    assert problem.value.reason is reason


def test_a_time_beyond_all_years_is_refused() -> None:
    wire = gw.GatewayStats(gateway_id=EUI)
    wire.time.seconds = 10**15

    with pytest.raises(PayloadError, match="Expected a GatewayStats in protobuf"):
        read(wire.SerializeToString(), "event/stats")


def test_statistics() -> None:
    for payload in both(STATS, gw.GatewayStats):
        assert read(payload, "event/stats") == Event(
            "gateway_stats",
            gateway=EUI,
            time=1795406800000,
            details=STATS,
            location=(4.8952, 52.3702, 3.0),
            packets=(11, 0),
        )


@pytest.mark.parametrize(("told", "state"), [({"state": "ONLINE"}, "ONLINE"), ({}, "OFFLINE")])
@pytest.mark.parametrize("name", [{"gatewayId": EUI}, {"gatewayIdLegacy": EUI_BYTES}])
def test_a_connection_that_tells_no_state_is_off(told: dict[str, str], state: str, name: dict[str, str]) -> None:
    for payload in both(name | told, gw.ConnState):
        said = read(payload, "state/conn")
        assert isinstance(said, Event)
        assert (said.kind, said.gateway, said.state) == ("gateway_state", EUI, {"deviceState": state})
        assert said.details == name | {"state": state}


@pytest.mark.parametrize(
    ("end", "kind", "form", "message"),
    [
        ("event/ack", "gateway_ack", gw.DownlinkTxAck, {"downlinkId": 7, "items": [{"status": "OK"}, {}]}),
        ("event/exec", "gateway_exec", gw.GatewayCommandExecResponse, {"execId": 4243, "stdout": "aGVsbG8="}),
        ("event/raw", "gateway_raw", gw.RawPacketForwarderEvent, {"payload": "aGVsbG8="}),
        ("event/mesh", "gateway_mesh", gw.MeshEvent, {"relayId": "01020304", "time": "2026-11-23T04:06:40Z"}),
    ],
)
def test_other_events(end: str, kind: str, form: Any, message: dict[str, Any]) -> None:
    for payload in both(message | {"gatewayId": EUI}, form):
        said = read(payload, end)
        assert isinstance(said, Event)
        assert (said.kind, said.gateway, said.details) == (kind, EUI, message | {"gatewayId": EUI})


@pytest.mark.parametrize("name", ["up", "stats", "ack", "exec", "raw"])
def test_the_bridges_own_documentation(shared_data: Path, name: str) -> None:
    sample = json.loads((shared_data / "samples" / "chirpstack-gateway-bridge" / f"{name}.json").read_text())

    [said] = chirpstack_gateway.dialect.reader(sample["_topic"])(orjson.dumps(sample["payload"]), 0)

    if isinstance(said, Frame):
        assert said.reception.gateway == "0016c001f153a14c"
        assert (said.reception.snr, said.reception.time) == (13.75, 1659537463383)
    else:
        assert isinstance(said, Event)
        assert (said.gateway, said.details) == ("0016c001f153a14c", sample["payload"])


FILES = {"json_up": 177, "json_eu868_up": 16, "pb_up": 409}
COUNTS = {
    "json_ack": 25, "json_eu868_ack": 7, "json_conn": 2, "json_eu868_conn": 2, "json_stats": 6, "json_eu868_stats": 6,
    "json_exec": 2, "pb_ack": 81, "pb_conn": 6, "pb_exec": 2, "pb_raw": 2, "pb_stats": 29,
}  # fmt: skip


@pytest.mark.parametrize("name", COUNTS)
def test_every_captured_event(shared_data: Path, name: str) -> None:
    """The gateway is right also where the bridge writes a wrong one into the topic of `exec`."""
    count = 0
    for topic, payload in published(shared_data, f"gw_{name}"):
        assert chirpstack_gateway.dialect.recognises(topic, payload, None)
        [said] = chirpstack_gateway.dialect.reader(topic)(payload, 0)
        assert isinstance(said, Event)
        assert said.kind == f"gateway_{name.rpartition('_')[2].replace('conn', 'state')}"
        assert said.gateway in {EUI, "a84041ffff1e0a01", "0016c001f10c0c03", "58a0cbfffe800d04"}
        assert said.gateway in topic or name.endswith("exec")
        count += 1
    assert count == COUNTS[name]


def test_retained_states_are_read(shared_data: Path) -> None:
    states = {}
    for topic, payload in published(shared_data, "retained_replay"):
        [said] = chirpstack_gateway.dialect.reader(topic)(payload, 0)
        assert isinstance(said, Event)
        states[topic] = (said.kind, said.state["deviceState"])

    assert len(states) == 5
    assert set(states.values()) == {("gateway_state", "ONLINE")}


@pytest.mark.parametrize(("name", "count"), FILES.items())
def test_every_captured_uplink_is_what_the_truth_says(shared_data: Path, name: str, count: int) -> None:
    truth: dict[tuple[str, str], list[tuple[dict[str, Any], dict[str, Any]]]] = {}
    for each in rows(shared_data, "truth"):
        for at in each["gateways"]:
            truth.setdefault((at["gateway_id"], each.get("phy_hex", "")), []).append((each, at))
    counts = Counter[str]()
    for topic, payload in published(shared_data, f"gw_{name}"):
        assert chirpstack_gateway.dialect.recognises(topic, payload, None)
        [said] = chirpstack_gateway.dialect.reader(topic)(payload, 0)
        assert isinstance(said, Frame)
        known = truth.get((said.reception.gateway, said.phy_payload.hex()), [])
        counts["met" if any(_agrees(said, *each) for each in known) else "unknown"] += 1
    assert counts == {"met": count}


def _agrees(frame: Frame, truth: dict[str, Any], at: dict[str, Any]) -> bool:
    heard = frame.reception
    signals = [(at["rssi"], at["snr"])]
    if at.get("antennas"):  # the second hears it 3 dBm and 1 dB weaker, as a frame of its own
        signals.append((at["rssi"] - 3, round(at["snr"] - 1, 1)))
    by_gps, told = at.get("tmms"), at.get("time")
    if at["via"] == "basics_station":
        info = at["upinfo"]
        by_gps, told = info["gpstime"] // 1000, None
        if not by_gps:
            return _alike(frame, truth) and heard.time == int(info["rxtime"] * 1000)
    time = from_gps(by_gps) if by_gps else parse(told, "iso")
    fsk = frame.data_rate == "50000"
    return (
        _alike(frame, truth)
        and (heard.time, heard.gps) == (time, bool(by_gps))
        and any(heard.rssi == rssi and heard.snr == (None if fsk else snr) for rssi, snr in signals)
        and frame.crc_ok is {1: True, -1: False}[at.get("crc_stat", 1)]
    )


def _alike(frame: Frame, truth: dict[str, Any]) -> bool:
    return "freq_hz" not in truth or (frame.frequency, frame.data_rate) == (truth["freq_hz"], str(truth["datr"]))


MESSAGES = [
    *((f"{TOPIC}/event/up", each) for each in both(UP)),
    *((f"{TOPIC}/event/up", each) for each in both(UP | {"rxInfo": UP["rxInfo"] | {"location": STATS["location"]}})),
    *((f"{TOPIC}/event/stats", each) for each in both(STATS, gw.GatewayStats)),
    *((f"{TOPIC}/state/conn", each) for each in both({"gatewayId": EUI, "state": "ONLINE"}, gw.ConnState)),
    (f"{TOPIC}/event/raw", b64decode("GkZ7Im1zZ3R5cGUiOiAiYWxhcm0ifSIQNThhMGNiZmZmZTgwMGQwNA==")),
]


@settings(max_examples=200)
@given(st.integers(0, 2**32))
def test_any_message(seed: int) -> None:
    for topic, payload in fuzz.cases(seed, MESSAGES):
        fuzz.hold(chirpstack_gateway.dialect, topic, payload)
