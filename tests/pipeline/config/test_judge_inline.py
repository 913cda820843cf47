"""Inline connectors: what the engine gets of them."""

from typing import Any

from pipeline.build.connectors import inline_binding, version
from pipeline.config import judge_inline
from pipeline.config.connectors import InlineConnectorConfig
from pipeline.models import MODELS
from pipeline.normalise.binding import Fixed, FromField, FromTopic, ObservedAt, Position

AIR: dict[str, Any] = {
    "model": "AirQualityObserved",
    "device": {"field": "id"},
    "observed_at": {"field": "ts", "unit": "ms"},
    "location": {"longitude": "gps.lon", "latitude": "gps.lat", "altitude": "gps.alt"},
    "attributes": {"pm10": {"field": "values[0].v", "unit": "mg/m3"}},
}


def parsed(**changes: Any) -> InlineConnectorConfig:
    return InlineConnectorConfig.model_validate({**AIR, **changes})


def found(**changes: Any) -> list[str]:
    return [finding.path for finding in judge_inline.judge_inline("c", parsed(**changes), MODELS)]


def test_a_connector_is_made() -> None:
    connector = inline_binding("air", parsed(), MODELS["AirQualityObserved"])

    assert (connector.name, connector.model) == ("air", "AirQualityObserved")
    assert isinstance(connector.device, FromField)
    assert connector.attributes["pm10"].path.steps == ("values", 0, "v")
    assert connector.attributes["pm10"].unit == "mg/m3"
    assert isinstance(connector.observed_at, ObservedAt)
    assert (connector.observed_at.format, connector.observed_at.max_age) == ("ms", 30 * 86_400)
    assert isinstance(connector.location, Position)
    assert connector.location.altitude is not None


def test_other_sources() -> None:
    config = parsed(device={"topic": "device"}, observed_at={"field": "t", "format": "iso"}, location=[4.89, 52.37])
    connector = inline_binding("air", config, MODELS["AirQualityObserved"])

    assert connector.device == FromTopic("device")
    assert connector.observed_at is not None
    assert connector.observed_at.format == "iso"
    assert connector.location == Fixed((4.89, 52.37))
    arrival = inline_binding("air", parsed(observed_at="arrival"), MODELS["AirQualityObserved"])
    assert arrival.observed_at is None


def test_the_version_changes_with_what_the_connector_does_and_with_nothing_else() -> None:
    same = version(parsed(attributes={"pm10": {"unit": "mg/m3", "field": "values[0].v"}}))
    assert version(parsed()) == same
    assert len(same) == 8
    assert version(parsed(device={"field": "name"})) != same
    assert version(parsed(observed_at={"field": "ts", "unit": "ms", "max_age": "30d"})) == same


def test_what_is_wrong_with_a_connector() -> None:
    assert found() == []
    assert found(model="Air") == ["connectors.c.model"]
    assert found(location=None) == ["connectors.c.location"]
    assert found(attributes={"pm10": {"field": "x"}}) == ["connectors.c.attributes.pm10.unit"]
    assert found(attributes={"pm10": {"field": "x", "unit": "ppb"}}) == ["connectors.c.attributes.pm10.unit"]
    assert found(attributes={"coLevel": {"field": "x", "unit": "%"}}) == ["connectors.c.attributes.coLevel.unit"]
    assert found(attributes={"location": {"field": "x"}}) == ["connectors.c.attributes.location"]
    assert found(period="5min") == ["connectors.c.period"]


def test_a_noise_level_needs_a_period() -> None:
    noise = {"model": "NoiseLevelObserved", "attributes": {"LAeq": {"field": "laeq", "unit": "dB(A)"}}}

    assert found(**noise) == ["connectors.c.period"]
    assert found(**noise, period="5min") == []


def test_conversions() -> None:
    config = parsed(attributes={**AIR["attributes"], "coLevel": {"field": "level"}})
    model = MODELS["AirQualityObserved"]
    made = {name: conversion for name, _, conversion in judge_inline.conversions(config.attributes, model)}

    assert made["coLevel"] is None
    assert made["pm10"] is not None
    assert made["pm10"].apply(1) == 1000
