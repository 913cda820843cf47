"""`headrace explain` on feeds with a dialect: golden transcripts, and what each hop says when it goes another way."""

from __future__ import annotations

import json
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.__main__ import main
from tests.connectors.network_servers import messages
from tests.pipeline.cli.commands.golden_text import hold
from tests.pipeline.lorawan.test_identify import CHIRPSTACK, CONNECTOR, DEVICE
from tests.pipeline.network_flow import written
from tests.support.lorawan import data_up, session

TOPIC, UP = CHIRPSTACK
HEARD = {**UP, "txInfo": {"frequency": 868100000, "modulation": {"lora": {"spreadingFactor": 7}}}}
STATUS = {"time": UP["time"], "deviceInfo": UP["deviceInfo"], "margin": 7, "batteryLevel": 50.0}
DECODED = {
    "model": "WeatherObserved",
    "device": {"field": "none"},
    "observed_at": "arrival",
    "attributes": {"temperature": {"field": "t.celsius", "unit": "degC"}},
}


class Explained:
    """A configuration with one feed of a network, and what `explain` says on it."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self._folder = folder
        self._capsys = capsys

    def __call__(
        self, payload: Any, *more: str, topic: str = TOPIC, devices: Any = (DEVICE,), **feed: Any
    ) -> tuple[int, str]:
        (self._folder / "own").mkdir(exist_ok=True)
        (self._folder / "own" / "five.py").write_text(CONNECTOR)
        top = {"connector_paths": ["own"], **feed.pop("top", {})}
        file = self._folder / "city.yaml"
        file.write_text(written(self._folder, devices, top=top, **feed))
        at = ["--at", "2023-12-12T15:05:19Z"]
        text = payload if isinstance(payload, str) else json.dumps(payload)
        code = main(["explain", str(file), "--topic", topic, "--payload", text, *at, *more])
        out, err = self._capsys.readouterr()
        return code, out + err


@pytest.fixture
def explained(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Explained:
    return Explained(tmp_path, capsys)


def test_an_uplink(explained: Explained) -> None:
    code, out = explained({**HEARD, "object": {"t": 16.0}}, "--partitions", "6")
    assert code == 0
    hold("explain_uplink.txt", out)


def test_an_event(explained: Explained) -> None:
    code, out = explained(STATUS, topic=TOPIC.replace("/up", "/status"))
    assert code == 0
    hold("explain_event.txt", out)


def test_a_device_that_is_not_registered(explained: Explained) -> None:
    code, out = explained(HEARD, devices=[{**DEVICE, "dev_eui": "f" * 16}])
    assert code == 1
    hold("explain_device_unknown.txt", out)
    row = out.partition("with its location:  - ")[2]
    assert yaml.safe_load(row) == {"key": "th-17", "dev_eui": messages.DEVICE, "connector": "nobody/five"}


def test_without_a_registry_it_says_which_key_names_one(explained: Explained) -> None:
    code, out = explained({**HEARD, "deviceInfo": {"devEui": messages.DEVICE}}, devices=None)
    assert code == 1
    assert "connector_unknown" in out
    assert "into a file that the configuration names by `devices: devices.yaml`, with its location:" in out


def test_for_a_program(explained: Explained) -> None:
    code, out = explained(HEARD, "--format", "json")
    said = json.loads(out)
    assert code == 0
    [uplink] = said["network"]["uplinks"]
    assert (said["network"]["dialect"], said["network"]["recognised"]) == ("chirpstack", True)
    assert (uplink["device"], uplink["f_cnt"], uplink["payload"]) == (messages.DEVICE, messages.F_CNT, "02300040a0")
    assert uplink["gateways"] == [{"name": messages.GATEWAY, "rssi": -83, "snr": 9.5}]
    assert (said["connector"], said["model"], said["route"]) == ("nobody/five", "WeatherObserved", None)
    assert [record["topic"] for record in said["records"]] == [
        "bench.WeatherObserved.v1",
        "bench.DeviceModel.v1",
        "bench.Device.v1",
    ]


def test_the_dialect_that_the_feed_names_and_one_that_nobody_recognises(explained: Explained) -> None:
    assert "chirpstack, as the feed says" in explained(HEARD, dialect="chirpstack")[1]
    code, out = explained("{}", topic="a/b")
    assert code == 1
    assert "dialect     none recognises the message" in out
    assert "dialect_unknown" in out


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ({"deviceProfileName": "nobody/five"}, "device profile names it"),
        ({"deviceProfileName": "x", "tags": {"connector": "nobody/five"}}, "tag connector names it"),
    ],
)
def test_the_servers_names_choose_the_connector(explained: Explained, names: dict[str, Any], words: str) -> None:
    told = {**HEARD, "deviceInfo": {"devEui": messages.DEVICE, **names}}
    _, out = explained(told, devices=None)
    assert f"nobody/five, model WeatherObserved: the network server's {words}" in out
    assert "there is no registry, so that any is accepted" in out


def test_nothing_names_a_connector(explained: Explained) -> None:
    told = {**HEARD, "deviceInfo": {"devEui": messages.DEVICE, "deviceProfileName": "x"}}
    code, out = explained(told, devices=None)
    assert code == 1
    assert "connector   none: neither the registry nor the network server" in out
    assert "connector: vendor/device}" in out


def test_what_the_server_has_decoded(explained: Explained) -> None:
    told = {**HEARD, "object": {"t": {"celsius": 21.5}, "hum": 3}}
    code, out = explained(told, devices=[{**DEVICE, "connector": "decoded"}], top={"connectors": {"decoded": DECODED}})
    assert code == 0
    assert "decoded     the network server, 2 fields" in out
    assert "hum        3     - nothing takes it" in out


def test_the_time_of_the_network_that_is_wrong(explained: Explained) -> None:
    _, out = explained({**HEARD, "time": "2031-12-12T15:05:18.519+00:00"})
    assert "of arrival: the network's time is too old or ahead (flagged `clock`)" in out


def test_the_copy_that_is_not_preferred(explained: Explained) -> None:
    code, out = explained(HEARD, devices=[{**DEVICE, "prefer": "raw"}])
    assert code == 0
    assert "duplicate   its other copy counts" in out


def test_a_payload_that_the_connector_refuses(explained: Explained) -> None:
    code, out = explained({**HEARD, "data": "AjA="})
    assert code == 1
    assert "payload  2 bytes: 0230" in out
    assert "expected 5 bytes, got 2" in out
    assert "decoded     the decoder of nobody/five@1: nothing" in out


KEYS = session("01ab23cd")
SENT = data_up(KEYS, 65_536 + 3, bytes.fromhex("02300040a0"), 2)
GATEWAY = {"dialect": "chirpstack_gateway"}
SESSION = {
    "dev_addr": KEYS.dev_addr,
    "nwk_s_key": bytes(KEYS.nwk_s_key).hex(),
    "app_s_key": bytes(KEYS.app_s_key).hex(),
}
BRIDGED = f"eu868/gateway/{messages.GATEWAY}/event/up"


def bridged(phy_payload: bytes) -> dict[str, Any]:
    return {
        "phyPayload": b64encode(phy_payload).decode(),
        "txInfo": {
            "frequency": 868100000,
            "modulation": {"lora": {"bandwidth": 125000, "spreadingFactor": 7, "codeRate": "CR_4_5"}},
        },
        "rxInfo": {"gatewayId": messages.GATEWAY, "rssi": -83, "snr": 9.5, "crcStatus": "CRC_OK"},
    }


def test_a_frame_straight_from_a_gateway(explained: Explained) -> None:
    code, out = explained(bridged(SENT), topic=BRIDGED, devices=[{**DEVICE, "sessions": [SESSION]}], **GATEWAY)
    assert code == 0
    hold("explain_frame.txt", out)
    assert SESSION["app_s_key"] not in out


@pytest.mark.parametrize(
    ("phy_payload", "code", "words"),
    [
        (data_up(session("01ab23ce"), 3, b"x", 2), 0, "session     foreign: no session in the registry"),
        (SENT[:-1] + b"\0", 1, "session     mic_invalid: a session in the registry has its DevAddr"),
        (b"\xe0\1", 1, "session     frame_invalid: it is nothing"),
    ],
)
def test_a_frame_that_is_not_published(explained: Explained, phy_payload: bytes, code: int, words: str) -> None:
    devices = [{**DEVICE, "sessions": [SESSION]}]
    found, out = explained(bridged(phy_payload), topic=BRIDGED, devices=devices, **GATEWAY)
    assert found == code
    assert words in out
    assert ("filtered    as `frames:` of the feed says" in out) is (code == 0)


def test_a_retained_message_that_does_not_tell_when(explained: Explained) -> None:
    code, out = explained({each: HEARD[each] for each in HEARD if each != "time"}, "--retained")
    assert code == 0
    assert "filtered    a retained message is an old value sent anew, and this one does not tell when" in out


def test_many_gateways_are_cut(explained: Explained) -> None:
    many = [{"gatewayId": f"{number:016x}", "rssi": -90} for number in range(11)]
    _, out = explained({**HEARD, "rxInfo": many, "data": b64encode(bytes(200)).decode()})
    assert out.count("    gateway  ") == 8
    assert "             and 3 gateways more" in out
    assert f"payload  200 bytes: {'0' * 128}...\n" in out


@pytest.mark.parametrize(
    ("allowed", "refused", "elsewhere"),
    [
        ({}, False, False),
        ({"gateways": [messages.GATEWAY]}, False, False),
        ({"gateways": ["0102030405060709"]}, True, False),
        ({"gateways": [messages.GATEWAY], "addresses": ["192.0.2.0/24"]}, False, True),
    ],
)
def test_whom_a_feed_of_datagrams_does_not_listen_to(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], allowed: dict[str, Any], refused: bool, elsewhere: bool
) -> None:
    content = yaml.safe_load(written(tmp_path))
    content["feeds"] = {"packets": {"kind": "semtech_udp", "listen": "127.0.0.1:1700", **allowed}}
    file = tmp_path / "city.yaml"
    file.write_text(yaml.safe_dump(content))
    stat = {"stat": {"time": "2023-12-12 15:05:18 GMT", "rxnb": 2, "rxok": 2}}
    main(["explain", str(file), "--topic", f"{messages.GATEWAY.upper()}/push_data", "--payload", json.dumps(stat)])
    out = capsys.readouterr().out
    assert (
        f"note        `gateways` of the feed does not list {messages.GATEWAY}: the worker refuses" in out
    ) is refused
    assert ("note        The feed listens to 192.0.2.0/24 only" in out) is elsewhere


def test_a_datagram_of_a_packet_forwarder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    heard = {"tmst": 1, "freq": 868.1, "stat": 1, "modu": "LORA", "datr": "SF7BW125", "codr": "4/5", "rssi": -83}
    frames = [data_up(KEYS, f_cnt, bytes.fromhex("02300040a0"), 2) for f_cnt in (3, 4)]
    datagram = {
        "rxpk": [{**heard, "lsnr": 9.5, "size": len(each), "data": b64encode(each).decode()} for each in frames],
        "stat": {"time": "2023-12-12 15:05:18 GMT", "rxnb": 2, "rxok": 2, "rxfw": 2},
    }
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "five.py").write_text(CONNECTOR)
    content = yaml.safe_load(written(tmp_path, [{**DEVICE, "sessions": [SESSION]}], top={"connector_paths": ["own"]}))
    content["feeds"] = {"packets": {"kind": "semtech_udp", "listen": "127.0.0.1:1700"}}
    file = tmp_path / "city.yaml"
    file.write_text(yaml.safe_dump(content))
    topic = f"{messages.GATEWAY}/push_data"
    code = main(["explain", str(file), "--topic", topic, "--payload", json.dumps(datagram)])
    out, _ = capsys.readouterr()
    assert code == 0
    assert "feed        packets: `+/push_data` takes the topic" in out
    assert out.count("raw frame   868.1 MHz, SF7BW125, CRC right") == 2
    assert ["FCnt 3," in out, "FCnt 4," in out] == [True, True]
    assert f"event       gateway_stats of gateway {messages.GATEWAY}" in out
    assert "The message holds 2 uplinks; what follows them is that of the first." in out
    assert out.count("topic      bench.WeatherObserved.v1") == 2


@pytest.mark.parametrize("row", [None, {}, {"connector": "nobody/five"}])
@pytest.mark.parametrize("tag", [None, "decoded", "no/such"])
@pytest.mark.parametrize("unknown", ["accept", "dead_letter"])
def test_it_names_the_connector_that_the_worker_takes(
    explained: Explained, row: dict[str, Any] | None, tag: str | None, unknown: str
) -> None:
    """Whatever the registry and the network server say, and whichever of them goes first."""
    device = {name: value for name, value in DEVICE.items() if name != "connector"}
    devices = [{**device, **(row or {}), "dev_eui": "f" * 16 if row is None else messages.DEVICE}]
    info = {"devEui": messages.DEVICE, "tags": {} if tag is None else {"connector": tag}}
    decoded = {**DECODED, "location": [3.7, 51.0]}
    top = {"connectors": {"decoded": decoded}, "unknown_devices": unknown}
    told = {**HEARD, "deviceInfo": info, "object": {"t": {"celsius": 21.5}}}
    _, out = explained(told, "--format", "json", devices=devices, top=top)
    said = json.loads(out)
    taken = {record["headers"].get("ce_connector", "").partition("@")[0] for record in said["records"]} or {""}
    assert taken == {said["connector"] or ""}
