"""`use:` in the configuration: what is found, what is missing, what it will do."""

from pathlib import Path
from typing import Any

import pytest

from pipeline import conformance
from pipeline.config import connector_folders
from pipeline.core.errors import ConfigError
from pipeline.core.record import decode_headers
from pipeline.plugins.registry import FoundConnector
from pipeline.tools.check import report as check
from tests.pipeline.vendor_flow import TH1, VENDORS, WRAPPED, VendorFlow, loaded
from tests.support.records import assert_record


def wrong(connector: dict[str, Any], **more: Any) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        loaded({"th": connector}, **more)
    return [str(finding) for finding in getattr(caught.value, "findings", ())]


def without(key: str) -> dict[str, Any]:
    return {name: value for name, value in TH1.items() if name != key}


@pytest.mark.parametrize(
    ("connector", "said"),
    [
        (
            {**TH1, "use": "acme/th-2"},
            "connectors.th.use `acme/th-2` is no device connector that was found. Did you mean",
        ),
        ({**TH1, "use": "th-1"}, "connectors.th.use `th-1` is no `vendor/device`, both of a-z, 0-9 and -."),
        (without("location"), "connectors.th.location is required by WeatherObserved and AirQualityObserved, and"),
        (without("device"), "connectors.th.device is missing"),
        ({**TH1, "port": {"field": "p"}}, "connectors.th.port means nothing: only JSON that wraps the payload"),
        ({**TH1, "payload": "hax"}, "connectors.th.payload `hax` is not allowed; expected `raw`, `hex` or `base64`."),
        ({**TH1, "payload": {"field": "data"}}, "connectors.th.payload.encoding is missing"),
        ({**TH1, "device_intervall": "1h"}, "connectors.th.device_intervall is no key of this section. Did you mean"),
        ({**without("use"), "uses": "acme/th-1"}, "connectors.th.uses is no key of this section. Did you mean `use`?"),
        (
            {**TH1, "attributes": {"a": {"field": "b"}}},
            "connectors.th.attributes.a is no attribute of ",
        ),
        ({**TH1, "device": {"topic": "sensor"}}, "feeds.city.routes[0].topic `city/th/{device}` has no level {sensor}"),
    ],
)
def test_one_mistake_one_sentence(connector: dict[str, Any], said: str) -> None:
    [finding] = wrong(connector)
    assert finding.startswith(said)


def test_a_folder_that_is_none() -> None:
    findings = wrong(TH1, connector_paths=["/nowhere/at/all"])
    assert any(finding.startswith("connector_paths[0] `/nowhere/at/all` is no folder.") for finding in findings)


def test_a_broken_connector(tmp_path: Path) -> None:
    text = (VENDORS / "acme" / "th1.py").read_text(encoding="utf-8")
    (tmp_path / "th1.py").write_text(text.replace("degC", "degX"), encoding="utf-8")
    [finding] = wrong(TH1, connector_paths=[str(tmp_path)])
    assert finding.startswith(f"connectors.th.use `acme/th-1` is broken: {tmp_path}/th1.py:")
    assert "got 'degX'" in finding

    other = loaded({"jn": {**TH1, "use": "plain/jn-1"}}, connector_paths=[str(VENDORS), str(tmp_path)])
    assert any("holds a broken connector" in each.message for each in other.warnings)


QUIET = """
vendor: plain
devices: [noise-1]
owner: "@plain"
format: json
model: NoiseLevelObserved
attributes: {LAeq: {field: l, unit: dBA}}
time: {field: at, unit: ms}
PERIOD
"""
NOISE: dict[str, Any] = {**TH1, "use": "plain/noise-1", "max_age": "36500d"}


def paths(folder: Path, period: str) -> dict[str, Any]:
    (folder / "connector.yaml").write_text(QUIET.replace("PERIOD", period))
    return {"connector_paths": [str(folder), str(VENDORS)]}


@pytest.mark.parametrize(
    ("vendors", "operators", "begins", "covers"),
    [
        ("", {"period": "5min"}, "2026-01-21T12:48:20.000Z", "5min"),
        ("period: 1min", {}, "2026-01-21T12:52:20.000Z", "1min"),
        ("period: 1min", {"period": "5min"}, "2026-01-21T12:48:20.000Z", "5min"),
    ],
    ids=["the operator's", "the vendor's", "the operator's before the vendor's"],
)
def test_whose_period_a_reading_covers(
    vendors: str, operators: dict[str, Any], begins: str, covers: str, tmp_path: Path
) -> None:
    flow = VendorFlow({**NOISE, **operators}, **paths(tmp_path, vendors))
    [record] = flow.put(b'{"l": 51.5, "at": 1769000000000}')
    entity = assert_record(record.value, decode_headers(record.headers), record.destination.key)
    assert entity["dateObservedFrom"]["value"]["@value"] == begins
    assert entity["dateObservedTo"]["value"]["@value"] == "2026-01-21T12:53:20.000Z"
    [use] = check.uses(loaded({"th": {**NOISE, **operators}}, **paths(tmp_path, vendors)).config)
    assert use.time == f"field at (ms), and the {covers} before it"


def test_a_period_that_nobody_gives(tmp_path: Path) -> None:
    [finding] = wrong(NOISE, **paths(tmp_path, ""))
    assert finding == (
        "connectors.th.period is missing: a NoiseLevelObserved has a beginning and an end, and `plain/noise-1` does not"
        " say how far apart. Add `period: 5min`, the time that one reading covers, up to its own."
    )


def test_a_period_that_means_nothing() -> None:
    [finding] = wrong({**TH1, "use": "plain/jn-1", "period": "5min"})
    assert finding == (
        "connectors.th.period means nothing here: `plain/jn-1` makes WeatherObserved, which has no beginning and end."
        " Remove it."
    )
    [finding] = wrong({**TH1, "period": 300})
    assert finding.startswith("connectors.th.period")


def test_the_proof_of_a_connector_whose_period_is_the_operators(tmp_path: Path) -> None:
    examples = """
examples:
  - description: quiet
    input: {text: '{"l": 40, "at": 1769000000000}'}
    output: {data: {l: 40, at: 1769000000000}}
    expect: {LAeq: 40.0}
  - description: no JSON
    input: {text: '{'}
    output: {errors: [no JSON]}
"""
    paths(tmp_path, examples)
    [found] = connector_folders.in_folder(tmp_path)
    assert isinstance(found, FoundConnector)
    assert [str(fault) for fault in conformance.prove(found).faults] == []


def test_what_it_will_do() -> None:
    read = loaded({"th": TH1, "wrapped": {**WRAPPED, "observed_at": "arrival"}})
    assert check.topics(read.config) == [
        "bench.AirQualityObserved.v1",
        "bench.Device.v1",
        "bench.DeviceModel.v1",
        "bench.WeatherObserved.v1",
        "bench.dead-letter.v1",
    ]
    uses = check.uses(read.config)
    assert [(use.connector, use.model) for use in uses[:3]] == [
        ("th", "WeatherObserved"),
        ("th", "AirQualityObserved"),
        ("th", "Device"),
    ]
    assert uses[0].attributes == (
        "temperature 21.5 °C -> temperature 21.5 (CEL)",
        "humidity 45.2 % -> relativeHumidity 0.452 (C62)",
    )
    assert (uses[0].time, uses[0].location, uses[2].location) == ("field at (ms)", "always [4.89, 52.37]", "none")
    assert uses[3].device == "field end.id"
    assert [each.path for each in read.warnings] == ["streams", "feeds.city.routes[1]"], (
        "arrival: duplicates cannot be recognised"
    )
