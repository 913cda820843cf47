"""`headrace check` on feeds with a dialect: what is heard there, whose it is, and who decodes it."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline import config
from pipeline.__main__ import main
from pipeline.tools.check import report as check
from pipeline.tools.check import report as check_networks
from tests.pipeline.lorawan.test_identify import CONNECTOR, DEVICE
from tests.pipeline.network_flow import written

SESSION = {"dev_addr": "01ab23cd", "nwk_s_key": "11" * 16, "app_s_key": "22" * 16}


def configured(folder: Path, devices: Any = (DEVICE,), **feed: Any) -> Path:
    (folder / "own").mkdir(exist_ok=True)
    (folder / "own" / "five.py").write_text(CONNECTOR)
    file = folder / "city.yaml"
    file.write_text(written(folder, devices, top={"connector_paths": ["own"]}, **feed))
    return file


def report(folder: Path, *devices: Any, **feed: Any) -> str:
    return check.text(config.read(configured(folder, devices or None, **feed), {}))


def test_a_network_server_with_a_registry(tmp_path: Path) -> None:
    *lines, last = report(tmp_path, DEVICE, {"key": "other", "dev_eui": "f" * 16, "location": [3, 51]}).splitlines()
    registry = tmp_path / "devices.yaml"
    assert lines == [
        "city: dialect auto (one of 12, recognised by shape)",
        "    from      mqtt://127.0.0.1, #",
        "    devices   1 with nobody/five",
        "    others    become dead letters (device_unknown, connector_unknown)",
        "    events    joins, status and their equals -> bench.device-events.v1",
        "",
        "nobody/five: WeatherObserved -> bench.WeatherObserved.v1",
        "    device    the DevEUI that the network tells, or its key in the registry",
        "    time      when the network heard it",
        "    location  the registry's, where it has one",
        "    temperature 21.5 °C -> temperature 21.5 (CEL)",
        "    humidity 45.2 % -> relativeHumidity 0.452 (C62)",
        "",
        f"devices: 2 (2 with a DevEUI, 0 with sessions, 0 without location) in {registry}; others become dead letters",
        "",
    ]
    assert last.endswith("bench.WeatherObserved.v1, bench.device-events.v1, bench.dead-letter.v1")


def test_a_network_server_without_a_registry(tmp_path: Path) -> None:
    said = report(tmp_path, dialect="chirpstack", prefer="server")
    assert said.startswith("city: dialect chirpstack\n")
    assert "others    are accepted, if the server's tag, brand and model, or device profile names one of" in said
    assert "prefer    server" in said


@pytest.mark.parametrize(
    ("feed", "words"),
    [
        ({"deduplicate": {"window": "500ms"}}, "copies of other gateways are waited for 500ms"),
        ({}, "those of 1 with session keys are decrypted; Headrace sends no downlink"),
        ({"frames": {"wrong_mic": "filter"}}, "those with a wrong MIC: filtered, counted"),
        ({}, "those whose counter went back: dead letters"),
        ({"frames": {"reset": "accept"}}, "went back: taken for a device that was reset"),
    ],
)
def test_raw_frames(tmp_path: Path, feed: dict[str, Any], words: str) -> None:
    assert words in report(tmp_path, {**DEVICE, "sessions": [SESSION]}, dialect="chirpstack_gateway", **feed)


def test_many_connectors_are_cut(tmp_path: Path) -> None:
    loaded = config.read(configured(tmp_path), {})
    [said] = check_networks.listenings(loaded.config)
    many = replace(said, connectors={f"v/d{n}": 1 for n in range(15)})
    assert "    devices   and 3 connectors more" in list(check_networks.lines(many))


def test_for_a_program(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(configured(tmp_path)), "--format", "json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["networks"] == [
        {
            "feed": "city",
            "dialect": "auto",
            "source": "mqtt://127.0.0.1, #",
            "frames": [],
            "connectors": {"nobody/five": 1},
            "others": "become dead letters (device_unknown, connector_unknown)",
            "prefer": None,
            "events": "bench.device-events.v1",
        }
    ]
    assert [use["connector"] for use in said["connectors"]] == ["nobody/five"]
