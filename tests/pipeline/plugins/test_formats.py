"""`format:` of a route: payloads of a format that any device may use, through the stages as they run."""

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline import config, conformance
from pipeline.__main__ import main
from pipeline.config import connector_folders
from pipeline.config.feeds import formats
from pipeline.config.loading import schema
from pipeline.core.delivery import Fate
from pipeline.core.errors import ConfigError, Reason
from pipeline.core.record import Record
from pipeline.normalise import records
from pipeline.plugins import discovery
from pipeline.plugins.registry import FoundConnector
from pipeline.sdk.connector import Uplink
from pipeline.tools.check import report as check
from pipeline.worker.reload import changes
from tests.pipeline.flow import ARRIVAL, headers_of
from tests.pipeline.vendor_flow import TH1, VendorFlow, written

WARDS: dict[str, Any] = {
    "model": "WeatherObserved",
    "device": {"field": "device"},
    "observed_at": {"field": "time", "unit": "ms"},
    "location": [4.89, 52.37],
    "attributes": {
        "temperature": {"field": "values.temp", "unit": "degC"},
        "relativeHumidity": {"field": "values.hum", "unit": "%"},
    },
}
UL: dict[str, Any] = {
    **WARDS,
    "device": {"topic": "device"},
    "observed_at": {"field": "TimeInstant", "format": "iso"},
    "attributes": {"temperature": {"field": "t", "unit": "degC"}},
}
FOLDER = """
vendor: plain
devices: [sn-1]
owner: "@plain"
format: senml
model: WeatherObserved
attributes: {temperature: {field: values.temp, unit: degC}}
time: {field: time, unit: ms}
examples:
  - description: a time series
    input: {text: '[{"bn":"a:","bt":1769000000,"n":"temp","v":20},{"n":"temp","t":1,"v":21}]'}
    output: {data: [{device: a, time: 1769000000000, values: {temp: 20}, units: {}},
                    {device: a, time: 1769000001000, values: {temp: 21}, units: {}}]}
    expect: [{temperature: 20.0}, {temperature: 21.0}]
  - description: no pack
    input: {text: '{}'}
    output: {errors: [expected a list of SenML records]}
"""
SECOND = ARRIVAL // 1000 - 60


def feeds(**route: Any) -> dict[str, Any]:
    feed: dict[str, Any] = written({"th": WARDS})["feeds"]["city"]
    return {"city": {**feed, "routes": [{**feed["routes"][0], **route}]}}


def flow(name: str, connector: dict[str, Any]) -> VendorFlow:
    return VendorFlow(connector, feeds=feeds(format=name))


def pack(*records: dict[str, Any], base: str = "urn:dev:mac:0024befffe804ff1:") -> bytes:
    return json.dumps([{"bn": base}, *records]).encode()


def told(records: list[Record]) -> list[tuple[str, Any]]:
    return [(headers_of(each)["ce_time"], json.loads(each.value)["temperature"]["value"]) for each in records]


def test_every_reading_of_a_time_series_is_published() -> None:
    temperatures = [{"n": "temp", "t": SECOND + step, "v": 20.0 + step} for step in range(3)]
    senml = flow("senml", WARDS)
    records = senml.put(pack(*temperatures, {"n": "hum", "t": SECOND, "v": 50}))
    assert told(records) == [
        ("2026-01-21T12:52:21.000Z", 20.0),
        ("2026-01-21T12:52:22.000Z", 21.0),
        ("2026-01-21T12:52:23.000Z", 22.0),
    ]
    assert json.loads(records[0].value)["relativeHumidity"]["value"] == 0.5
    key = "urn%3Adev%3Amac%3A0024befffe804ff1"
    assert {each.destination.key.decode() for each in records} == {f"urn:ngsi-ld:WeatherObserved:bench:{key}"}
    ids = [headers_of(each)["ce_id"].partition("-")[0] for each in records]
    assert ids == [f"WeatherObserved:{key}:{SECOND + step}000" for step in range(3)]
    assert senml.ledger.fates[Fate.PUBLISHED] == 1


@pytest.mark.parametrize(("readings", "reason"), [(1000, None), (1001, "too_expensive")])
def test_a_message_of_too_many_readings_is_too_expensive(readings: int, reason: str | None) -> None:
    many = [{"n": "temp", "t": SECOND - step, "v": 20.0} for step in range(readings)]
    records = VendorFlow(WARDS, feeds=feeds(format="senml")).put(pack(*many))
    if reason is None:
        assert len(records) == readings
    else:
        [letter] = map(headers_of, records)
        assert (letter["ce_reason"], letter["ce_stage"]) == (reason, "decode")
        assert letter["ce_detail"] == "expected at most 1000 readings in one message, got 1001"


def test_a_message_that_becomes_too_many_bytes_is_stopped_and_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "MOST_MADE", 4000)
    *first, letter = flow("senml", WARDS).put(pack(*[{"n": "temp", "t": SECOND + at, "v": 20.0} for at in range(99)]))
    made = sum(len(each.body) for each in first)
    assert made - len(first[-1].body) <= 4000 < made
    told = headers_of(letter)
    assert (told["ce_reason"], told["ce_stage"]) == ("too_expensive", "normalise")
    assert told["ce_detail"] == (
        f"Expected at most 4000 bytes of records of one message, got {made} from the first {len(first)} of 99 "
        "readings. Those are published, the rest are not."
    )


def test_a_time_that_counts_from_now_makes_an_id_from_arrival() -> None:
    """Waiting messages of one device arrive at once: their ids must differ, or a consumer drops a reading."""
    first = pack({"n": "temp", "v": 20.0, "t": -5}, {"n": "temp", "v": 21.0})
    second = pack({"n": "temp", "v": 22.0})
    records = flow("senml", WARDS).put(first, second)
    assert told(records) == [
        ("2026-01-21T12:53:16.000Z", 20.0),
        ("2026-01-21T12:53:21.000Z", 21.0),
        ("2026-01-21T12:53:21.000Z", 22.0),
    ]
    assert len({headers_of(each)["ce_id"] for each in records}) == 3
    assert {headers_of(each)["ce_idclass"] for each in records} == {"arrival"}


def test_ultralight_readings_with_times_of_their_own() -> None:
    payload = b"2026-01-21T12:00:00Z|t|20.5#2026-01-21T12:01:00Z|t|21"
    assert told(flow("ultralight", UL).put(payload)) == [
        ("2026-01-21T12:00:00.000Z", 20.5),
        ("2026-01-21T12:01:00.000Z", 21.0),
    ]


def test_json_is_a_format_like_the_others() -> None:
    connector = {**UL, "observed_at": "arrival"}
    [named] = flow("json", connector).put(b'{"t": 21.5}')
    [plain] = VendorFlow(connector).put(b'{"t": 21.5}')
    assert (named.value, named.headers) == (plain.value, plain.headers)


@pytest.mark.parametrize(
    ("payload", "stage", "reason"),
    [
        (b'{"t": 21.5}', "decode", Reason.PAYLOAD_ERROR),
        (b"\xff", "decode", Reason.PAYLOAD_ERROR),
        (pack({"n": "other", "v": 1}), "normalise", Reason.NOTHING_MEASURED),
        (json.dumps([{"n": "temp", "v": 1}]).encode(), "normalise", Reason.DEVICE_MISSING),
        (bytes(300_000), "decode", Reason.PAYLOAD_TOO_LARGE),
    ],
)
def test_what_cannot_be_used_is_one_dead_letter(payload: bytes, stage: str, reason: Reason) -> None:
    senml = flow("senml", WARDS)
    [letter] = senml.put(payload)
    headers = headers_of(letter)
    assert (headers["ce_stage"], headers["ce_reason"]) == (stage, reason.value)
    assert headers["ce_connector"].startswith("th@")
    assert senml.ledger.fates[Fate.DEAD_LETTERED] == 1


@pytest.mark.parametrize(
    ("connector", "route", "said"),
    [
        (
            WARDS,
            {"format": "senlm"},
            "format `senlm` is not allowed; expected `json`, `senml` or `ultralight`. Did you mean `senml`?",
        ),
        (TH1, {"format": "senml"}, "format means nothing here: `acme/th-1` has a decoder of its own. Remove it,"),
        (WARDS, {"format": "senml", "ignore": True, "connector": None}, " has both `format` and `ignore: true`"),
        (WARDS, {"formt": "senml"}, "formt is no key of this section. Did you mean `format`?"),
    ],
)
def test_one_mistake_one_sentence(connector: dict[str, Any], route: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        config.parse(json.dumps(written({"th": connector}, feeds=feeds(**route))), "city.yaml", {})
    [finding] = map(str, getattr(caught.value, "findings", ()))
    assert finding.removeprefix("feeds.city.routes[0]").removeprefix(".").startswith(said)


def test_what_it_will_do() -> None:
    read = config.parse(json.dumps(written({"th": WARDS}, feeds=feeds(format="senml"))), "city.yaml", {})
    assert "    format    senml\n    values.temp 21.5 °C -> temperature 21.5 (CEL)" in check.text(read)


def test_explain_names_the_format_and_whose_time_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "city.yaml"
    file.write_text(json.dumps(written({"th": WARDS}, feeds=feeds(format="senml"))))
    payload = pack({"n": "temp", "v": 20.0}).decode()
    assert main(["explain", str(file), "--topic", "city/th/7", "--payload", payload]) == 0
    out = capsys.readouterr().out
    assert "decoded     format senml, " in out
    assert "from field time, counted from arrival: a message sent twice cannot be recognised" in out


def test_every_format_is_in_the_schema() -> None:
    names = [each.name for each in discovery.formats()]
    assert sorted(names) == ["senml", "ultralight"]
    assert set(formats()) == {"json", *names}
    [choice, _] = schema()["$defs"]["RouteConfig"]["properties"]["format"]["anyOf"]
    assert choice["examples"] == sorted(formats()), "and no more than examples: a folder may bring others"


def test_a_folder_names_a_format(tmp_path: Path) -> None:
    """Its examples are proved with it, a time series too."""
    (tmp_path / "connector.yaml").write_text(FOLDER)
    [found] = connector_folders.folder(tmp_path)
    assert isinstance(found, FoundConnector)
    proof = conformance.prove(found)
    assert [str(fault) for fault in proof.faults] == []
    assert proof.level == "checked"


OWN = """
from headrace import Example, Format, PayloadError
def parse(payload, received_at):
    if not payload.startswith(b"T"):
        raise PayloadError("expected T and a number")
    try:
        return {"t": float(payload[1:])}
    except ValueError:
        raise PayloadError("expected a number behind T") from None
FORMAT = Format("site-lines", parse, examples=(
    Example("one", text="T21.5", decoded={"t": 21.5}), Example("none", text="x", expect=PayloadError)))
"""


def own_format(folder: Path, source: str = OWN) -> Path:
    """Write a configuration whose folder `own` has a format, which its route names."""
    (folder / "own").mkdir(exist_ok=True)
    (folder / "own" / "lines.py").write_text(source)
    loggers = {**UL, "observed_at": "arrival", "device": {"topic": "device"}}
    content = {**written({"th": loggers}), "feeds": feeds(format="site-lines"), "connector_paths": ["own"]}
    (folder / "city.yaml").write_text(json.dumps(content))
    return folder / "city.yaml"


def test_a_format_beside_the_configuration_is_found_used_and_explained(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = own_format(tmp_path)
    assert main(["check", str(file)]) == 0
    topic = "city/th/7"
    assert main(["explain", str(file), "--topic", topic, "--payload", "T21.5"]) == 0
    out = capsys.readouterr().out
    assert "decoded     format site-lines, 1 fields" in out
    assert "t 21.5 °C -> 21.5 (CEL)" in out
    assert main(["explain", str(file), "--topic", topic, "--payload", "21.5"]) == 1
    assert "expected T and a number" in capsys.readouterr().out
    assert main(["connectors", "list", "--path", str(tmp_path / "own")]) == 0
    assert "  site-lines  " in capsys.readouterr().out


def test_a_format_of_ones_own_is_proved(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own_format(tmp_path)
    assert main(["connectors", "check", str(tmp_path / "own")]) == 0
    assert "connectors: 0, formats: 1, with faults: 0" in capsys.readouterr().out
    careless = OWN.replace(".startswith(b", "[0:1] in (b").replace("except ValueError", "except KeyError")
    own_format(tmp_path, careless.replace("in (bT", "in (b").replace('decoded={"t": 21.5}', 'decoded={"t": 21}'))
    assert main(["connectors", "check", str(tmp_path / "own"), "--format", "json"]) == 1
    [told] = json.loads(capsys.readouterr().out)["formats"]
    assert {each["check"] for each in told["faults"]} == {"example 'one'", "escapes ValueError"}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (('"site-lines"', '"site-line"'), "is not allowed"),
        (('"site-lines"', '"senml"'), "`senml` is the name of a format that comes with Headrace"),
        (('"site-lines"', '"Site Lines"'), "expected lower-case letters, digits and dashes"),
        (("parse, examples", "None, examples"), "`parse`: expected a function"),
        (("FORMAT = ", "raise ValueError\nFORMAT = "), "cannot be imported"),
    ],
)
def test_a_format_that_cannot_be_used_is_named(
    tmp_path: Path, change: tuple[str, str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = own_format(tmp_path, OWN.replace(*change))
    assert main(["check", str(file)]) == 2
    shown = capsys.readouterr().err
    assert "routes[0].format" in shown
    assert main(["connectors", "list", "--path", str(tmp_path / "own")]) == (0 if said == "is not allowed" else 1)
    assert said in shown + capsys.readouterr().out


def test_two_formats_of_one_name_are_both_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own_format(tmp_path)
    (tmp_path / "own" / "twin.py").write_text(OWN)
    assert main(["connectors", "list", "--path", str(tmp_path / "own")]) == 1
    assert capsys.readouterr().out.count("is also in ") == 2


def test_a_changed_format_is_another_on_reload(tmp_path: Path) -> None:
    file = own_format(tmp_path)
    before = config.load(file, {})
    assert changes(before, config.load(file, {})).none
    own_format(tmp_path, OWN.replace("payload[1:]", "payload[2:]"))
    assert changes(before, config.load(file, {})).rewired == ("city",)


def test_a_connector_of_yaml_names_a_format_of_its_folder(tmp_path: Path) -> None:
    own_format(tmp_path)
    text = FOLDER.replace("senml", "site-lines").split("examples:")[0].replace("values.temp", "t")
    (tmp_path / "own" / "connector.yaml").write_text(text)
    found = config.read(tmp_path / "city.yaml", {}).connectors.get("plain/sn-1")
    assert found is not None
    assert found.connector.decode(Uplink(b"T5")) == {"t": 5.0}
