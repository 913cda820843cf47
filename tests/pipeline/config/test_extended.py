"""`use:` with `attributes:`: what a vendor's decoder yields and its connector does not map, mapped by the operator."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline import config, conformance
from pipeline.__main__ import main
from pipeline.config import connector_folders, extended
from pipeline.core.errors import ConfigError
from pipeline.tools.check import report as check
from tests.pipeline.flow import headers_of
from tests.pipeline.vendor_flow import TH1, VENDORS, VendorFlow, loaded, written

NOW = bytes.fromhex("ffce3764")  # -5.0, 55 %, battery 100
FEELS = {"feelsLikeTemperature": {"field": "temperature", "unit": "degC"}}


def refusal(attributes: dict[str, Any], **changes: Any) -> str:
    with pytest.raises(ConfigError) as problem:
        loaded({"th": {**TH1, "attributes": attributes, **changes}})
    return str(problem.value)


def entity(flow: VendorFlow, model: str) -> dict[str, Any]:
    records = [json.loads(each.value) for each in flow.put(NOW)]
    [found] = [each for each in records if each["type"] == model]
    assert isinstance(found, dict)
    return found


def test_a_field_that_the_connector_does_not_map_is_published() -> None:
    made = entity(VendorFlow({**TH1, "attributes": FEELS}), "WeatherObserved")
    assert (made["feelsLikeTemperature"]["value"], made["feelsLikeTemperature"]["unitCode"]) == (-5.0, "CEL")
    assert made["temperature"]["value"] == -5.0, "what the vendor maps stays"
    assert "feelsLikeTemperature" not in entity(VendorFlow(TH1), "WeatherObserved")


def test_an_attribute_of_the_vendors_is_taken_from_elsewhere() -> None:
    """The device sends Fahrenheit, whatever its vendor says."""
    made = entity(
        VendorFlow({**TH1, "attributes": {"temperature": {"field": "temperature", "unit": "degF"}}}), "WeatherObserved"
    )
    assert made["temperature"]["value"] == pytest.approx((-5 - 32) / 1.8)


def test_an_attribute_of_the_device_goes_there() -> None:
    made = entity(VendorFlow({**TH1, "attributes": {"rssi": {"field": "humidity", "unit": "dBm"}}}), "Device")
    assert (made["rssi"]["value"], made["batteryLevel"]["value"]) == (55.0, 1.0)


def test_its_records_say_that_they_are_of_another_connector_than_the_vendors() -> None:
    names = {
        headers_of(VendorFlow({**TH1, **more}).put(NOW)[0])["ce_connector"]
        for more in ({}, {"attributes": FEELS}, {"attributes": {**FEELS, "rssi": {"field": "humidity", "unit": "dBm"}}})
    }
    assert len(names) == 3
    assert "acme/th-1@1" in names
    assert all(each.startswith("acme/th-1@1") for each in names)


@pytest.mark.parametrize(
    ("attributes", "said"),
    [
        (
            {"feelsLikeTemperature": {"field": "temprature", "unit": "degC"}},
            "of `acme/th-1` yields in any of its examples.\n    Did you mean `temperature`? It yields `at`,",
        ),
        ({"feelsLikeTemperature": {"field": "temperature", "unit": "%"}}, "expected a unit of temperature"),
        ({"feelsLikeTemperature": {"field": "temperature"}}, "is missing: the value has a dimension"),
        ({"feelsLike": {"field": "temperature", "unit": "degC"}}, "Did you mean `feelsLikeTemperature`?"),
        ({"nothing": {"field": "temperature"}}, "is no attribute of WeatherObserved or AirQualityObserved or Device"),
        ({"temperature": {"field": "a..b", "unit": "degC"}}, "is no path"),
    ],
)
def test_what_cannot_be_mapped_is_refused_with_the_fields_that_there_are(attributes: dict[str, Any], said: str) -> None:
    text = refusal(attributes)
    assert said in text
    assert "connectors.th.attributes." in text


def test_a_decoder_of_a_format_may_yield_what_no_example_shows() -> None:
    """Its fields come as the payload names them: a warning, for it may be right."""
    entry = {"use": "plain/aq-2", "device": {"topic": "device"}, "location": [4.89, 52.37]}
    attributes = {"dewPoint": {"field": "unheard", "unit": "degC"}}
    found = connector_folders.registry([str(VENDORS)]).names
    name = next(each for each in found if each.startswith("plain/"))
    read = loaded({"aq": {**entry, "use": name, "attributes": attributes}})
    assert [each for each in map(str, read.warnings) if "`unheard` is no field" in each]


def test_check_and_explain_show_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "city.yaml"
    file.write_text(yaml.safe_dump(written({"th": {**TH1, "attributes": FEELS}})))
    said = check.text(config.read(file))
    line = "temperature 21.5 °C -> feelsLikeTemperature 21.5 (CEL)  (by `attributes` of this file)"
    assert f"    {line}" in said.splitlines()
    assert said.count("(by `attributes` of this file)") == 1
    assert main(["explain", str(file), "--topic", "city/th/1", "--payload", NOW.hex(" "), "--hex"]) == 0
    out = capsys.readouterr().out
    assert "feelsLikeTemperature" in out
    assert "temperature -5.0 °C -> -5.0 (CEL)" in out


def test_the_fields_to_map_are_shown_and_the_vendors_proof_stays_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["connectors", "show", "elsys/ers"]) == 0
    assert "    not mapped: motion (`attributes` beside `use` maps them)" in capsys.readouterr().out
    loaded({"th": {**TH1, "attributes": FEELS}})
    found = connector_folders.registry([str(VENDORS)]).get("acme/th-1")
    assert found is not None
    assert found.connector.version == "1"
    assert conformance.prove(found).faults == []
    assert extended.unmapped(found.connector) == []


def test_the_example_of_the_page_takes_the_probe_of_a_lht65() -> None:
    attributes = {"temperature": {"field": "external_temperature", "unit": "degC"}}
    probes = {"use": "dragino/lht65", "device": {"topic": "device"}, "location": [3.7, 51.05], "attributes": attributes}
    read = loaded({"th": probes})
    assert "external_temperature 21.5 °C -> temperature 21.5 (CEL)  (by `attributes` of this file)" in check.text(read)


def test_an_entry_for_devices_of_a_network_needs_no_device() -> None:
    """An uplink says itself whose it is; a route's messages do not."""
    nameless = {name: value for name, value in TH1.items() if name != "device"}
    assert "connectors.th.device  is missing: a route leads here" in refusal({}, device=None)
    feed = {"kind": "mqtt", "url": "mqtt://127.0.0.1", "client_id": "c", "subscribe": ["a/#"], "dialect": "auto"}
    read = loaded({"th": {**nameless, "attributes": FEELS}}, feeds={"city": feed})
    assert "DevEUI" in check.text(read)
