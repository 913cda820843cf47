"""Datagrams of packet forwarders: the protocol's own examples, every captured one, and any JSON."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.network_servers import semtech_udp
from connectors.network_servers.gateway_clock import from_gps
from pipeline.core.errors import PayloadError, Reason
from pipeline.core.times import parse
from pipeline.sdk.dialect import Event, Frame, Said
from tests.connectors.network_servers import fuzz
from tests.connectors.network_servers.capture import rows

EUI = "a84041ffff1e0b02"
PLAIN = {"freq": 868.1, "stat": 1, "modu": "LORA", "datr": "SF7BW125", "rssi": -40, "lsnr": 5.5, "data": "QAECAwQ="}


def read(body: bytes, kind: str = "push_data") -> list[Said]:
    return list(semtech_udp.dialect.reader(f"{EUI}/{kind}")(body, 0))


def frame(**different: Any) -> Frame:
    received = {name: value for name, value in (PLAIN | different).items() if value is not ...}
    [said] = read(json.dumps({"rxpk": [received]}).encode())
    assert isinstance(said, Frame)
    return said


def refusal(body: bytes, kind: str = "push_data") -> PayloadError:
    with pytest.raises(PayloadError) as problem:
        read(body, kind)
    return problem.value


def test_the_protocols_own_examples(shared_data: Path) -> None:
    """Two of the three frames are written without padding, one of them in the alphabet for URLs; all in 2013."""
    payload = json.loads((shared_data / "samples" / "semtech-udp" / "rxpk-0.json").read_text())["payload"]

    frames = [each for each in read(orjson.dumps(payload)) if isinstance(each, Frame)]

    assert [len(each.phy_payload) for each in frames] == [each["size"] for each in payload["rxpk"]] == [32, 16, 32]
    assert frames[0].phy_payload.hex().startswith("f834b8086683")
    assert frames[1].phy_payload == b"TEST_PACKET_1234"
    assert [each.frequency for each in frames] == [866_349_812, 869_100_000, 863_009_810]
    assert [each.data_rate for each in frames] == ["SF7BW125", "50000", "SF10BW125"]
    assert [(each.reception.rssi, each.reception.snr) for each in frames] == [(-35, 5.1), (-75, None), (-38, 5.5)]
    assert {each.reception.time for each in frames} == {None}
    assert {each.reception.gateway for each in frames} == {EUI}


def test_the_protocols_own_statistics(shared_data: Path) -> None:
    payload = json.loads((shared_data / "samples" / "semtech-udp" / "stat-1.json").read_text())["payload"]

    [said] = read(orjson.dumps(payload))

    assert said == Event(
        "gateway_stats",
        gateway=EUI,
        details=payload["stat"],
        location=(3.2523, 46.24, 145),
        packets=(2, 2),
        verified=False,
    )  # 2014 is no time


@pytest.mark.parametrize("name", ["txpk-2.json", "txpk-3.json"])
def test_what_a_server_sends_is_refused(shared_data: Path, name: str) -> None:
    payload = json.loads((shared_data / "samples" / "semtech-udp" / name).read_text())["payload"]

    assert str(refusal(orjson.dumps(payload))) == "Expected `rxpk` or `stat`; there is neither."


def test_an_acknowledged_downlink_of_another_server(shared_data: Path) -> None:
    payload = json.loads((shared_data / "samples" / "semtech-udp" / "txpk_ack-4.json").read_text())["payload"]

    assert read(orjson.dumps(payload), "tx_ack") == [Event("gateway_ack", gateway=EUI, details=payload, verified=False)]
    assert read(b"", "tx_ack") == read(b"\0", "tx_ack") == [Event("gateway_ack", gateway=EUI, verified=False)]


@pytest.mark.parametrize(("stat", "crc_ok"), [(1, True), (-1, False), (0, False), (..., None), ("1", None)])
def test_what_the_gateway_knows_of_the_checksum(stat: object, crc_ok: bool | None) -> None:
    assert frame(stat=stat).crc_ok is crc_ok


@pytest.mark.parametrize(
    ("changes", "time"),
    [
        ({}, None),
        ({"time": "2026-11-23T04:06:40.833523Z"}, 1795406800833),
        ({"tmms": 1479442018833}, 1795406800833),
        ({"tmms": 1479442018833, "time": "2026-11-23T05:06:40Z"}, 1795406800833),
        ({"tmms": 0, "time": "2026-11-23T04:06:40.833523Z"}, 1795406800833),
        ({"tmms": True}, None),
        ({"tmms": 10**40}, None),
        ({"time": "1970-01-01T00:00:07Z"}, None),
        ({"time": "2026-11-23T04:06:40"}, None),
        ({"time": 7}, None),
    ],
)
def test_when_it_was_heard(changes: dict[str, Any], time: int | None) -> None:
    assert frame(**changes).reception.time == time


def test_the_best_antenna_counts() -> None:
    signals = [{"ant": 0, "rssic": -90, "lsnr": 1.0}, {"ant": 1, "rssic": -95, "lsnr": 7.0}]

    heard = frame(rsig=signals, rssi=..., lsnr=...).reception
    assert (heard.rssi, heard.snr) == (-95, 7.0)
    fsk = frame(rsig=[{"rssic": -90}, {"rssic": -70}], rssi=-90, lsnr=..., datr=50_000).reception
    assert (fsk.rssi, fsk.snr) == (-70, None)
    assert frame(rsig="x").reception == frame().reception


def test_receptions_of_one_transmission_are_one_frame() -> None:
    weak, other = PLAIN | {"lsnr": -7, "brd": 1}, PLAIN | {"freq": 868.3}

    frames = [each for each in read(orjson.dumps({"rxpk": [weak, PLAIN, other]})) if isinstance(each, Frame)]

    assert [(each.frequency, each.reception.snr) for each in frames] == [(868_100_000, 5.5), (868_300_000, 5.5)]


def test_an_empty_list_says_nothing() -> None:
    assert read(b'{"rxpk":[]}') == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"freq": ...}, "Expected a frequency in MHz as freq, got nothing."),
        ({"freq": 0}, "Expected a frequency in MHz as freq, got 0."),
        ({"freq": 868_100_000}, "Expected a frequency in MHz as freq, got 868100000."),
        ({"data": ...}, "Expected a frame in Base64 as data, got nothing."),
        ({"data": "QAE*"}, 'Expected a frame in Base64 as data, got "QAE*".'),
        ({"data": "Q"}, 'Expected a frame in Base64 as data, got "Q".'),
        ({"data": "\u00e9" * 4}, "Expected a frame in Base64 as data, got "),
        ({"data": "QAEC" * 300}, "Expected a frame in Base64 as data, got "),
        ({"datr": ...}, "Expected a data rate as datr, got nothing."),
        ({"datr": "SF" * 20}, "Expected a data rate as datr, got "),
        ({"datr": []}, "Expected bits per second as datr from 0 to 10000000, got an array."),
    ],
)
def test_what_is_no_frame_is_refused_in_a_sentence(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(PayloadError) as problem:
        frame(**changes)

    assert str(problem.value).startswith(said)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", Reason.MALFORMED),
        (b'{"rxpk":[{"tmst":1,', Reason.MALFORMED),
        (b"[]", Reason.NOT_AN_OBJECT),
        (b"{}", Reason.PAYLOAD_ERROR),
        (b'{"rxpk":{}}', Reason.PAYLOAD_ERROR),
        (b'{"rxpk":[7]}', Reason.PAYLOAD_ERROR),
        (b'{"stat":[]}', Reason.PAYLOAD_ERROR),
    ],
)
def test_what_is_no_datagram_is_refused(body: bytes, reason: Reason) -> None:
    assert refusal(body).reason is reason


def test_more_frames_than_a_concentrator_holds() -> None:
    assert len(read(orjson.dumps({"rxpk": [PLAIN | {"freq": 860 + n / 100} for n in range(255)]}))) == 255
    with pytest.raises(PayloadError, match="at most 255"):
        read(orjson.dumps({"rxpk": [PLAIN] * 256}))


def test_topics() -> None:
    assert refusal(b"{}", "pull_data").reason is Reason.PAYLOAD_ERROR
    with pytest.raises(PayloadError) as problem:
        semtech_udp.dialect.reader("gate/push_data")(b"{}", 0)
    assert problem.value.reason is Reason.DEVICE_INVALID
    assert semtech_udp.dialect.recognises(f"{EUI}/push_data", b"{}", {})
    assert not semtech_udp.dialect.recognises(f"{EUI}/up", b"{}", {})
    assert semtech_udp.dialect.raw


def test_every_captured_datagram_is_what_the_truth_says(shared_data: Path) -> None:
    heard = {
        (gateway["gateway_id"], gateway["udp_token"], each.get("phy_hex")): (each, gateway)
        for each in rows(shared_data, "truth")
        for gateway in each["gateways"]
        if "udp_token" in gateway
    }
    met, counts = set(), Counter[str]()
    for line in rows(shared_data, "udp"):
        data = bytes.fromhex(line["hex"])
        kind = {"PUSH_DATA": "push_data", "TX_ACK": "tx_ack"}.get(line["type"])
        if line["dir"] != "gw->bridge" or kind is None:
            continue
        gateway, token = line["gw"], int.from_bytes(data[1:3], "little")
        try:
            said = semtech_udp.dialect.reader(f"{gateway}/{kind}")(data[12:], 0)
        except PayloadError as problem:
            counts[f"{heard[gateway, token, None][0]['note']}: {problem.reason.value}"] += 1
            continue
        for each in said:
            counts[each.kind if isinstance(each, Event) else "frame"] += 1
            if isinstance(each, Frame):
                key = (gateway, token, each.phy_payload.hex())
                met.add(key)
                if key in heard:
                    _agrees(each, *heard[key])
                else:
                    counts[heard[gateway, token, None][0]["note"]] += 1
    assert {key for key in heard if key[2]} <= met
    assert counts == {
        "frame": 586,
        "gateway_stats": 28,
        "gateway_ack": 108,
        "truncated JSON: malformed": 2,
        "no JSON: malformed": 2,
        "bad datr": 2,
        "codr OFF and unpadded base64": 2,
    }


def _agrees(frame: Frame, truth: dict[str, Any], at: dict[str, Any]) -> None:
    heard = frame.reception
    assert (heard.gateway, heard.rssi) == (at["gateway_id"], at["rssi"])
    assert heard.snr == (None if truth.get("datr") == 50_000 else at["snr"])
    assert frame.crc_ok is {1: True, -1: False, 0: False}[at.get("crc_stat", 1)]
    by_gps, told = at.get("tmms"), at.get("time")
    assert heard.time == (from_gps(by_gps) if by_gps else parse(told, "iso"))
    assert heard.gps is (by_gps is not None)
    if "freq_hz" in truth:
        assert (frame.frequency, frame.data_rate) == (truth["freq_hz"], str(truth["datr"]))


GOOD: dict[str, Any] = {
    "rxpk": [PLAIN | {"tmms": 1479442018833, "time": "2026-11-23T04:06:40Z", "rsig": [{"rssic": -90, "lsnr": 1.0}]}],
    "stat": {"time": "2026-11-23 04:06:40 GMT", "lati": 52.3731, "long": 4.8922, "alti": 12, "meta": {"fw": "1.2"}},
}


MESSAGES = [
    (f"{EUI}/push_data", orjson.dumps(GOOD)),
    (f"{EUI}/push_data", orjson.dumps({"rxpk": [PLAIN]})),
    (f"{EUI}/tx_ack", b'{"txpk_ack":{"error":"COLLISION_PACKET"}}'),
]


@settings(max_examples=200)
@given(st.integers(0, 2**32))
def test_any_message(seed: int) -> None:
    for topic, payload in fuzz.cases(seed, MESSAGES):
        fuzz.hold(semtech_udp.dialect, topic, payload)
