"""`headrace explain`: golden transcripts, and every way in which a message can be given."""

import io
import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from pipeline.__main__ import main
from pipeline.encode import FORMS, Form
from tests.pipeline.cli.commands.golden_text import EXAMPLE, hold
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


@pytest.mark.parametrize("form", FORMS)
def test_a_record_in_any_form(capsys: pytest.CaptureFixture[str], tmp_path: Path, form: Form) -> None:
    file = changed(tmp_path, streams={"AirQualityObserved": {"format": form}})
    code, out = explain(capsys, READING, config=file)
    assert code == 0
    assert (f" bytes, {form}\n" in out) == (form != "normalised"), "the usual form is not worth a word"
    assert f"content-type: {FORMS[form].content_type}\n" in out
    assert "2026-01-21T12:53:20.000Z from field ts (ms)" in out
    assert "[4.89, 52.37] (longitude first)" in out


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
        ("{}", ["--topic", "city/aq/+"], "no `+` or `#`"),
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
    assert r'"[\"a b\u000a\"]"' in out


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


@pytest.mark.parametrize("payload", ["21.5", "-21.5", "-1e5", "true", "null", "-t|25", "ON", "21.5C", '"a.txt"'])
def test_a_payload_that_is_text_and_no_file(capsys: pytest.CaptureFixture[str], payload: str) -> None:
    """A number is no file's name for its point, and no option for its sign."""
    code, out = explain(capsys, payload)
    assert code == 1
    assert "There is no file" not in out
    assert f"message     city/aq/0001, {len(payload)} bytes" in out
    assert "not_an_object" in out or "malformed" in out


ODD = [
    "a:b",
    "#1",
    "1",
    "on",
    "null",
    "a b",
    "PM2.5",
    'it"s',
    "it's",
    "'\"",
    "",
    "0x1",
    "12:30",
    "{a}",
    "ü",
    "\0",
    "-",
    "~",
]


def test_a_path_that_is_printed_can_be_pasted(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Into block YAML and into braces; what YAML would take for a comment, a number or a list stands in quotes."""
    payload = {**READING, **{name: [{"v": 7.5}] for name in ODD}}
    _, out = explain(capsys, payload)
    printed = [
        line[4:].rpartition("  7.5")[0].rstrip() for line in out.splitlines() if line.endswith("nothing takes it")
    ]
    paths = [each for each in printed if each]
    assert len(paths) == len(ODD)
    assert {'"a:b[0].v"', '"#1[0].v"'} <= set(paths)
    for path in paths:
        assert yaml.safe_load(f"field: {path}") == yaml.safe_load(f"{{field: {path}}}")
        config = changed(tmp_path, {"attributes": {"pm25": {"field": "FIELD", "unit": "ug/m3"}}})
        config.write_text(config.read_text().replace("FIELD", path))
        _, mapped = explain(capsys, payload, config=config)
        assert "-> 7.5 (GQ)" in mapped, path
    assert {'"1"', '"on"', '"a:b"', '"#1"', '"null"'} <= {
        line.split()[0] for line in explain(capsys, dict.fromkeys(ODD, 1))[1].splitlines() if "nothing takes it" in line
    }


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            {"pos": {"lat": 52.1}},
            "Expected a longitude from -180 to 180 in pos.lon; field pos.lon is not in the payload.",
        ),
        (
            {"pos": {"lat": 52.1, "lon": None}},
            "Expected a longitude from -180 to 180 in pos.lon; field pos.lon is null.",
        ),
        ({"pos": {"lat": {"a": 1}, "lon": 3}}, "Expected a latitude from -90 to 90 in pos.lat, got an object."),
        ({"pos": {"lat": True, "lon": 3}}, "Expected a latitude from -90 to 90 in pos.lat, got true."),
        ({"pos": 7}, "field pos.lon is not in the payload: pos is a number and field pos.lat is not in the payload"),
        ({}, "The model requires a location; field pos.lon is not in the payload and field pos.lat is not in the"),
        ({"ts": None}, "Expected a number of ms in ts; field ts is null."),
        ({"ts": "REMOVED"}, "Expected a number of ms in ts; field ts is not in the payload."),
        ({"ts": [1]}, "Expected a number of ms in ts, got an array."),
        ({"device": None}, "Expected the device's name in device; field device is null."),
        ({"device": "REMOVED"}, "Expected the device's name in device; field device is not in the payload."),
        ({"device": {"a": 1}}, "Expected the device's name as a text or a whole number, got an object."),
        ({"device": "a\0b"}, "Expected a device's name that can be printed; it holds U+0000 (NUL)."),
        ({"temperature": None, "pos": {"lat": 5, "lon": 3}}, "at least one of temperature; temperature is null."),
        ({"temperature": "x", "pos": {"lat": 5, "lon": 3}}, 'temperature a number (CEL), got temperature "x".'),
    ],
)
def test_what_is_missing_is_said_in_the_payloads_own_words(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, change: dict[str, Any], said: str
) -> None:
    """Absent, null and of a wrong type are three things; Python's names of them are none of a payload's."""
    place = {"longitude": "pos.lon", "latitude": "pos.lat"}
    mapped = {"temperature": {"field": "temperature", "unit": "degC"}}
    config = changed(tmp_path, {"location": place, "attributes": mapped})
    payload = {name: value for name, value in {**READING, **change}.items() if value != "REMOVED"}
    code, out = explain(capsys, payload, config=config)
    assert code == 1
    assert said in out
    [why] = [line for line in out.splitlines() if line.startswith("    why ")]
    assert not re.search(r"\bNone\b|NoneType|\bdict\b|\bTrue\b|\{'", why)


@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.parametrize(
    ("payload", "said"),
    [
        ('{"device": "\\ud800"}', "\\ud800 is half of a surrogate pair, and no character"),
        ('{"device": "\\ude00 \\ud83d\\ude00"}', "\\ude00 is half of a surrogate pair, and no character"),
        ('{"\\u0000": 1, "device": "\\u0000"}', "U+0000 (NUL)"),
    ],
)
def test_surrogates_and_nuls_are_named(capsys: pytest.CaptureFixture[str], payload: str, said: str, form: str) -> None:
    code, out = explain(capsys, payload, "--format", form)
    assert code == 1
    assert said in (json.loads(out)["dead_letter"]["detail"] if form == "json" else out)
    assert "\0" not in out
    out.encode()  # which half a pair would not survive


def test_bytes_of_nul_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    for payload in (b'{"a": 1}\0', b'{"a": "\0"}', b"\0\0"):
        assert "U+0000 (NUL)" in explain(capsys, payload.hex(), "--hex")[1]
    assert "U+FEFF (byte order mark)" in explain(capsys, b"\xef\xbb\xbf{}".hex(), "--hex")[1]
