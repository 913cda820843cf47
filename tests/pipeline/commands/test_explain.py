"""`headrace explain`: golden transcripts, and every way in which a message can be given."""

import io
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from pipeline.__main__ import main
from tests.pipeline.commands.golden_text import EXAMPLE, hold
from tests.pipeline.flow import READING
from tests.pipeline.vendor_flow import TH1, VENDORS, written

PAYLOAD = {"field": "data", "encoding": "hex"}
AT = ["--at", "2026-01-21T12:53:21Z"]


def explain(
    capsys: pytest.CaptureFixture[str], payload: Any, *more: str, config: Path = EXAMPLE, topic: str = "city/aq/0001"
) -> tuple[int, str]:
    text = payload if isinstance(payload, str) else json.dumps(payload)
    code = main(["explain", str(config), "--topic", topic, "--payload", text, *AT, *more])
    out, err = capsys.readouterr()
    return code, out + err


def changed(tmp_path: Path, connector: dict[str, Any] | None = None, **changes: Any) -> Path:
    content = yaml.safe_load(EXAMPLE.read_text())
    content["connectors"]["city-aq"] |= connector or {}
    content["feeds"]["city"] |= changes.pop("feed", {})
    file = tmp_path / "city.yaml"
    file.write_text(yaml.safe_dump({**content, **changes}))
    return file


@pytest.mark.parametrize(
    ("name", "payload", "outcome"),
    [
        ("good", READING, 0),
        ("implausible", {**READING, "temperature": 99.5, "pm10": "x", "no2": -1}, 0),
        ("wrong_clock", {**READING, "ts": READING["ts"] + 7_200_000}, 0),
        ("dead_letter", {**READING, "lat": 0, "lon": 0}, 1),
        ("malformed", "{broken", 1),
    ],
)
def test_golden_transcripts(capsys: pytest.CaptureFixture[str], name: str, payload: Any, outcome: int) -> None:
    code, out = explain(capsys, payload)
    assert code == outcome
    hold(f"explain_{name}.txt", out)


def test_for_a_program(capsys: pytest.CaptureFixture[str]) -> None:
    code, out = explain(capsys, READING, "--format", "json")
    said = json.loads(out)
    assert code == 0
    assert said["outcome"] == "published"
    assert {"path": "battery", "value": 3.61, "used_by": None} in said["fields"]
    [record] = said["records"]
    assert record["key"] == "urn:ngsi-ld:AirQualityObserved:bench:aq-0001"
    assert record["partition"] == {"number": 0, "count": 6}
    assert record["headers"]["ce_time"] == "2026-01-21T12:53:20.000Z"

    code, out = explain(capsys, "{", "--format", "json")
    assert code == 1
    assert json.loads(out)["dead_letter"]["reason"] == "malformed"


def test_the_payload_is_a_file_standard_input_or_hexadecimal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "reading.json"
    file.write_text(json.dumps(READING))
    expected = explain(capsys, READING)

    assert explain(capsys, str(file)) == expected
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(file.read_bytes())))
    assert explain(capsys, "-") == expected
    assert explain(capsys, file.read_bytes().hex(" "), "--hex") == expected


@pytest.mark.parametrize(
    ("payload", "more", "said"),
    [
        ("nothing.json", [], "There is no file nothing.json."),
        ("xyz", ["--hex"], "pairs of hexadecimal digits"),
        ("{}", ["--at", "today"], "RFC 3339"),
        ("{}", ["--feed", "town"], "no feed town; it has city"),
        ("{}", ["--partitions", "0"], "1 or more"),
    ],
)
def test_arguments_that_cannot_be_used(
    capsys: pytest.CaptureFixture[str], payload: str, more: list[str], said: str
) -> None:
    code, out = explain(capsys, payload, *more)
    assert code == 2
    assert said in out


def test_no_route_and_no_subscription(capsys: pytest.CaptureFixture[str]) -> None:
    code, out = explain(capsys, READING, topic="city/noise/1")
    assert code == 1
    assert "none matches" in out
    assert "no_route" in out
    _, out = explain(capsys, READING, topic="town/aq/1")
    assert "the broker would not send the message" in out


def test_what_is_filtered(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    config = changed(tmp_path, feed={"routes": [{"topic": "city/#", "ignore": True}]}, connectors={}, streams={})
    code, out = explain(capsys, READING, config=config)
    assert code == 0
    assert "`ignore: true`" in out
    config = changed(tmp_path, {"observed_at": "arrival"})
    code, out = explain(capsys, READING, "--retained", config=config)
    assert code == 0
    assert "retained: keep" in out
    assert "of arrival: a message sent twice" in explain(capsys, READING, config=config)[1]


def test_a_device_of_the_topic_and_a_topic_that_exists(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    config = changed(tmp_path, {"device": {"topic": "device"}}, kafka={"bootstrap_servers": "127.0.0.1:9092"})
    _, out = explain(capsys, READING, config=config)
    assert '"0001" from topic level {device} -> urn:ngsi-ld:AirQualityObserved:bench:0001' in out
    assert "--partitions N" in out
    assert " of 12 (murmur2" in explain(capsys, READING, "--partitions", "12", config=config)[1]


def test_a_device_without_a_name(capsys: pytest.CaptureFixture[str]) -> None:
    code, out = explain(capsys, {**READING, "device": ""})
    assert code == 1
    assert "no usable name" in out
    assert "device_missing" in out


def test_nested_and_odd_names(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    config = changed(tmp_path, {"attributes": {"pm25": {"field": "pm.2_5[0].v", "unit": "ug/m3"}}})
    payload = {**READING, "pm": {"2_5": [{"v": 7.5}, {"v": 8}]}, "a b\n": None}
    _, out = explain(capsys, payload, config=config)
    assert "pm.2_5[0].v" in out
    assert '["a b\\n"]' in out


def test_a_vendors_connector(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "city.yaml"
    file.write_text(yaml.safe_dump(written({"th": {**TH1, "payload": PAYLOAD, "port": {"field": "fPort"}}})))
    wrapped = {"fPort": 1, "data": "ffce3764"}
    code, out = explain(capsys, wrapped, config=file, topic="city/th/0001")
    assert code == 0
    assert "model WeatherObserved, AirQualityObserved" in out
    assert "WeatherObserved.temperature       temperature -5.0 °C -> -5.0 (CEL)" in out
    assert "Device.batteryLevel" in out
    assert "topic      bench.Device.v1" in out
    kept = {"fPort": 2, "data": "69703c0000d73c" * 2}
    assert "holds 2 readings" in explain(capsys, kept, config=file, topic="city/th/0001")[1]
    code, out = explain(capsys, {"fPort": 1, "data": "ff"}, config=file, topic="city/th/0001")
    assert code == 1
    assert "expected 4 bytes, got 1" in out


def test_the_time_of_a_message_that_tells_of_its_device_only(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """It is the Device's; in the DeviceModel before it nothing is observed."""
    file = tmp_path / "city.yaml"
    wrapped = {**TH1, "payload": PAYLOAD, "port": {"field": "port"}, "observed_at": {"field": "at", "format": "iso"}}
    file.write_text(yaml.safe_dump(written({"th": wrapped})))
    payload = {"data": "32", "port": 4, "at": "2026-01-21T12:53:20Z"}
    code, out = explain(capsys, payload, config=file, topic="city/th/7")
    assert code == 0
    assert "2026-01-21T12:53:20.000Z from field at (iso)" in out
    assert [line.split()[1] for line in out.splitlines() if line.startswith("    topic ")] == [
        "bench.DeviceModel.v1",
        "bench.Device.v1",
    ]


def test_nothing_in_a_message_reaches_the_terminal_as_a_command(capsys: pytest.CaptureFixture[str]) -> None:
    code, out = explain(capsys, {"device": "a", "x\x1b[2J": "\x1b[2J"}, topic="city/aq/\x1b[2J\n")
    assert code == 1
    assert "city/aq/\\x1b[2J\\n, " in out
    assert "\x1b" not in out


def test_no_standard_input(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", None)
    code, out = explain(capsys, "-")
    assert code == 2
    assert out == "There is no standard input here. Write the payload itself, or a file.\n"


def test_what_a_decoder_prints_is_not_in_the_report(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "acme").mkdir()
    source = (
        (VENDORS / "acme" / "th1.py")
        .read_text()
        .replace("    if uplink.port", "    print('seen')\n    if uplink.port", 1)
    )
    assert "print" in source
    (tmp_path / "acme" / "th1.py").write_text(source)
    file = tmp_path / "city.yaml"
    content = written({"th": {**TH1, "payload": PAYLOAD, "port": {"field": "fPort"}}})
    file.write_text(yaml.safe_dump({**content, "connector_paths": [str(tmp_path)]}))
    told = ["explain", str(file), "--topic", "city/th/0001", "--payload", '{"fPort": 1, "data": "ffce3764"}']
    assert main([*told, "--format", "json"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["outcome"] == "published"
    assert "seen" in err


@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.parametrize(
    ("decoded", "said"),
    [
        ("reading['t'] = reading", "out_of_bounds"),
        ("for _ in range(100_000): reading = {'t': reading}", "out_of_bounds"),
        ("reading['t'] = 10 ** 5000", "out_of_bounds"),
        ("reading['t'] = Odd(1)", "internal_error"),
        ("reading = Sealed(t=1.0)", "internal_error"),
        ("reading[None] = 1", "nothing_measured"),
        ("raise Panic('\\ud800')", "connector_failed"),
    ],
)
def test_whatever_a_decoder_returns(
    decoded: str, said: str, form: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "odd.py").write_text(
        f"""
from headrace import Attribute, Connector
class Panic(BaseException): pass
class Odd(float):
    def __float__(self): raise RuntimeError
    def __le__(self, other): raise RuntimeError
    __lt__ = __abs__ = __repr__ = __eq__ = __float__
    __hash__ = None
class Sealed(dict):
    def get(self, *_): raise RuntimeError
    __getitem__ = items = get
def decode(uplink):
    reading = {{}}
    {decoded}
    return reading
connector = Connector(vendor="odd", devices=("d",), owner="@odd", decode=decode, model="WeatherObserved",
                      attributes={{"temperature": Attribute("t", unit="degC")}})
"""
    )
    file = tmp_path / "city.yaml"
    content = written({"odd": {"use": "odd/d", "device": {"topic": "device"}, "location": [3.7174, 51.0543]}})
    content["feeds"]["city"]["routes"] = [{"topic": "city/{device}", "connector": "odd"}]
    file.write_text(yaml.safe_dump({**content, "connector_paths": [str(tmp_path)]}))
    code, out = explain(capsys, "00", "--hex", "--format", form, config=file, topic="city/7")
    assert code == 1
    assert said in out
    assert len(out) < 10_000
