"""Feeds on which a LoRaWAN network speaks: what `check` says of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipeline import config
from pipeline.core.errors import ConfigError
from tests.pipeline.network_flow import written

KEYS = {
    "dev_addr": "01ab23cd",
    "nwk_s_key": "00112233445566778899aabbccddeeff",
    "app_s_key": "ffeeddccbbaa99887766554433221100",
}
DEVICE = {
    "key": "th-17",
    "dev_eui": "0011223344556677",
    "connector": "acme/th-1",
    "location": [3.7, 51.0],
    "sessions": [KEYS],
}
GATEWAYS: dict[str, Any] = {"dialect": "chirpstack_gateway"}


def read(folder: Path, devices: list[dict[str, Any]] | None = None, **feed: Any) -> config.Loaded:
    return config.parse(written(folder, devices, **feed), str(folder / "city.yaml"), {})


def refused(folder: Path, **feed: Any) -> str:
    with pytest.raises(ConfigError) as problem:
        read(folder, **feed)
    return str(problem.value)


def test_feeds_as_they_are_meant(tmp_path: Path) -> None:
    assert read(tmp_path).warnings == ()
    assert read(tmp_path, [DEVICE], **GATEWAYS, deduplicate={"window": "500ms"}).warnings == ()


def test_a_window_that_the_lane_cannot_hold(tmp_path: Path) -> None:
    said = refused(tmp_path, **GATEWAYS, deduplicate={"window": "5s", "rate": 2000})
    assert "feeds.city.max_in_flight  5000 cannot hold 2000 copies a second for 5s (deduplicate)" in said
    assert "that is 10220" in said
    assert "Write `max_in_flight: 10220`, a shorter `window`, or the `rate` that you really expect." in said
    assert read(tmp_path, [DEVICE], **GATEWAYS, max_in_flight=10_220, deduplicate={"window": "5s", "rate": 2000})


@pytest.mark.parametrize("key", ["deduplicate", "frames"])
def test_what_means_nothing_to_a_network_server(key: str, tmp_path: Path) -> None:
    assert f"feeds.city.{key}  means nothing: `chirpstack` has made uplinks" in refused(
        tmp_path, dialect="chirpstack", **{key: {}}
    )


@pytest.mark.parametrize(("key", "value"), [("deduplicate", {}), ("frames", {}), ("prefer", "raw")])
def test_what_means_nothing_without_a_dialect(key: str, value: Any, tmp_path: Path) -> None:
    routes = [{"topic": "a/{device}", "ignore": True}]
    said = refused(tmp_path, dialect=None, routes=routes, **{key: value})
    assert f"feeds.city.{key}  means nothing without a `dialect`." in said


def test_frames_without_keys(tmp_path: Path) -> None:
    [warning] = read(tmp_path, **GATEWAYS).warnings
    assert "brings encrypted frames, and no device of the registry has session keys" in str(warning)


def test_routes_and_a_dialect(tmp_path: Path) -> None:
    said = refused(tmp_path, routes=[{"topic": "a", "ignore": True}])
    assert "has both `routes` and `dialect`: give each a feed and a `client_id` of its own" in said


def test_a_dialect_that_there_is_not(tmp_path: Path) -> None:
    said = refused(tmp_path, dialect="chirpstak")
    assert "`chirpstak` is not allowed; expected `auto`, `aws_iot`" in said
    assert "Did you mean `chirpstack`?" in said


def test_the_topics_of_a_network(tmp_path: Path) -> None:
    known = read(tmp_path, [DEVICE], **GATEWAYS).config
    assert known.models == ["AirQualityObserved", "Device", "DeviceModel", "WeatherObserved"]
    anyone = read(tmp_path).config
    assert {"Device", "IndoorEnvironmentObserved", "NoiseLevelObserved"} <= set(anyone.models)
    assert known.device_events_topic == "bench.device-events.v1"
