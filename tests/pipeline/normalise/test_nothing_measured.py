"""Nothing measured, nothing published: not of a payload without bytes, nor of words about a value that is not there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipeline.core.errors import PayloadError, Reason
from pipeline.core.record import Record
from pipeline.models import MODELS
from pipeline.normalise.binding import Source
from tests.connectors.network_servers import messages
from tests.pipeline.flow import headers_of, path, plan_of
from tests.pipeline.lorawan.test_identify import CHIRPSTACK
from tests.pipeline.network_flow import PLACE, NetworkFlow
from tests.pipeline.normalise.test_plan import made
from tests.pipeline.vendor_flow import TH1, loaded

CARELESS = """
from headrace import Attribute, Connector
connector = Connector(
    vendor="nobody", devices=("careless",), owner="@tests", model="WeatherObserved",
    decode=lambda uplink: {"t": int.from_bytes(uplink.payload[:2]) / 10 - 32, "h": int.from_bytes(uplink.payload[2:])},
    attributes={"temperature": Attribute("t", unit="degC"), "relativeHumidity": Attribute("h", unit="%")},
)
"""
DEVICE = {"key": "th-17", "dev_eui": messages.DEVICE, "connector": "nobody/careless", "location": PLACE}
UP: str = CHIRPSTACK[0]
UPLINK: dict[str, Any] = CHIRPSTACK[1]


def weather(records: list[Record]) -> list[Record]:
    return [each for each in records if each.destination.topic == "bench.WeatherObserved.v1"]


def test_an_uplink_without_bytes_measures_nothing_whatever_its_decoder_makes_of_it(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "careless.py").write_text(CARELESS)
    network = NetworkFlow(tmp_path, [DEVICE], top={"connector_paths": ["own"]})
    empty = {**UPLINK, "data": ""}
    for _ in range(2):  # the second finds a device that is known, and takes the short way
        assert len(weather(network.put((UP, UPLINK)))) == 1
        records = network.put((UP, empty))
        assert weather(records) == []
        assert headers_of(records[-1])["ce_reason"] == Reason.NOTHING_MEASURED.value


def test_a_connector_that_can_measure_nothing_is_warned_of() -> None:
    connector = {**TH1, "model": "DeviceMeasurement", "observed_at": "arrival", "attributes": {"unit": {"field": "u"}}}
    del connector["use"]
    assert "none says what: nothing is published" in str(loaded({"th": connector}).warnings)


def measuring(model: str, **attributes: str) -> Any:
    told = {name: Source(path(name), unit or None) for name, unit in attributes.items()}
    return plan_of(model=model, attributes=told, period=60.0 if MODELS[model].covers else None)


BESIDE = [
    ("DeviceMeasurement", {"numValue": "m", "controlledProperty": "", "unit": ""}, "numValue", 1.5),
    ("DeviceMeasurement", {"textValue": "", "measurementType": ""}, "textValue", "high"),
    ("NoiseLevelObserved", {"LAeq": "dBA", "sonometerClass": ""}, "LAeq", 61.0),
    ("IndoorEnvironmentObserved", {"co2": "ppm", "sensorPlacement": ""}, "co2", 700.0),
    ("AirQualityObserved", {"pm10": "ug/m3", "typeofLocation": ""}, "pm10", 12.0),
]
WORDS = {"sonometerClass": "1", "sensorPlacement": "floor", "typeofLocation": "indoor"}


@pytest.mark.parametrize(("model", "attributes", "value", "good"), BESIDE)
def test_words_about_a_value_that_is_not_there_are_no_measurement(
    model: str, attributes: dict[str, str], value: str, good: object
) -> None:
    plan = measuring(model, **attributes)
    beside = {name: WORDS.get(name, "distance") for name in attributes if name != value}
    fields = {"device": "a", "ts": 1_769_000_000_000, "lat": 52.37, "lon": 4.89, **beside}
    entity, _ = made(plan, {**fields, value: good})
    assert entity[value]["value"] == good
    for bad, reason in ((None, Reason.NOTHING_MEASURED), ({}, Reason.OUT_OF_BOUNDS)):
        with pytest.raises(PayloadError) as refused:
            made(plan, {**fields, value: bad})
        assert refused.value.reason is reason
        assert value in str(refused.value)
    assert not plan.measures(fields)
