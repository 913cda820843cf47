"""`headrace check`: what it says of a configuration that can be used."""

import os
from pathlib import Path

import pytest
import yaml

from pipeline import config
from pipeline.tools.check import report as check

EXAMPLE = Path(__file__).parents[4] / "deploy" / "examples" / "bench.yaml"


def with_file(tmp_path: Path, name: str) -> config.Loaded:
    content = yaml.safe_load(EXAMPLE.read_text())
    content["feeds"]["city"] |= {"username": "u", "password_file": name}
    file = tmp_path / "city.yaml"
    file.write_text(yaml.safe_dump(content))
    return config.read(file, {})


def test_the_report_of_the_example() -> None:
    assert check.text(config.read(EXAMPLE, {})).splitlines() == [
        "city-aq: AirQualityObserved -> bench.AirQualityObserved.v1",
        "    device    field device",
        "    time      field ts (ms)",
        "    location  fields lon, lat",
        "    temperature 21.5 °C -> temperature 21.5 (CEL)",
        "    humidity 45.2 % -> relativeHumidity 0.452 (C62)",
        "    pm10 21.5 µg/m3 -> pm10 21.5 (GQ)",
        "    pm25 21.5 µg/m3 -> pm25 21.5 (GQ)",
        "    no2 21.5 µg/m3 -> no2 21.5 (GQ)",
        "",
        "writes: bench.AirQualityObserved.v1, bench.dead-letter.v1",
    ]


def test_the_form_of_a_stream_that_is_not_the_usual_one() -> None:
    content = yaml.safe_load(EXAMPLE.read_text())
    content["streams"] = {"AirQualityObserved": {"format": "flat"}}
    loaded = config.parse(yaml.safe_dump(content), "city.yaml", {})
    first = check.text(loaded).splitlines()[0]
    assert first == "city-aq: AirQualityObserved -> bench.AirQualityObserved.v1, flat (application/json)"
    assert [use.form for use in check.uses(loaded.config)] == ["flat"]


def test_every_source_is_described() -> None:
    content = yaml.safe_load(EXAMPLE.read_text())
    content["connectors"]["city-aq"] |= {
        "model": "NoiseLevelObserved",
        "device": {"topic": "device"},
        "observed_at": "arrival",
        "period": "5min",
        "location": [4.89, 52.37],
        "attributes": {"sonometerClass": {"field": "class"}},
    }
    content["streams"] = {}

    report = check.text(config.parse(yaml.safe_dump(content), "city.yaml", {}))

    for part in (
        "topic level {device}",
        "arrival, and the 5min before it;",
        "always [4.89, 52.37]",
        "class -> sonometerClass (text)",
    ):
        assert part in report


def test_files_are_looked_at(tmp_path: Path) -> None:
    loaded = with_file(tmp_path, "secret")
    secret = tmp_path / "secret"

    assert [(each.path, each.severity) for each in check.files(loaded.config)] == [
        ("feeds.city.password_file", "error")
    ]
    secret.write_text("")
    secret.chmod(0o600)
    assert "is empty" in str(check.files(loaded.config)[0])
    secret.unlink()
    os.mkfifo(secret)
    assert "is no regular file" in str(check.files(loaded.config)[0])
    secret.unlink()
    secret.touch(mode=0o600)
    secret.write_text("hunter2")
    assert check.files(loaded.config) == []
    secret.chmod(0o644)
    assert [each.severity for each in check.files(loaded.config)] == ["warning"]
    assert "hunter2" not in str(check.files(loaded.config)[0])


@pytest.mark.parametrize("name", ["no2", "o3"])
def test_examples_of_units(name: str) -> None:
    content = yaml.safe_load(EXAMPLE.read_text())
    content["connectors"]["city-aq"]["attributes"] = {name: {"field": "x", "unit": "ppb"}}

    assert f"x 31.5 ppb -> {name} 31.5 (61)" in check.text(config.parse(yaml.safe_dump(content), "city.yaml", {}))
