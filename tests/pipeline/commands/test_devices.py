"""`headrace devices`: the registry, and who is not in it."""

import json
from pathlib import Path

import pytest

from pipeline.__main__ import main
from pipeline.unknown_devices import UnknownDevices
from pipeline.uplink import Names
from tests.pipeline.config.test_devices import CANARY, KEY, OTHER, WITH_TH, YAML, keys, written

EUI = "00112233445566bb"


@pytest.fixture
def city(tmp_path: Path) -> Path:
    keys(tmp_path, nwk=KEY, app=OTHER)
    return written(tmp_path, "devices.yaml", YAML, state_dir="state", **WITH_TH)


def test_the_registry_is_listed(city: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["devices", "list", str(city)]) == 0
    out = capsys.readouterr().out
    assert out.splitlines() == [
        "key    DevEUI            connector  location             sessions  name",
        "th-17  00112233445566aa  th         3.7174, 51.0543, 12  1         Hall, third floor",
        "1e5                                                      1",
    ]


def test_a_program_reads_all_but_the_keys(city: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["devices", "list", str(city), "--format", "json"]) == 0
    out = capsys.readouterr().out
    first, second = json.loads(out)
    assert first["aliases"] == ["hall-3", "0644", "no"]
    assert first["sessions"] == [{"dev_addr": "01ab23cd", "version": "1.0"}]
    assert second["sessions"] == [{"dev_addr": "26000001", "version": "1.1"}]
    assert CANARY not in out
    assert OTHER not in out


def test_no_registry_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["devices", "list", "deploy/examples/bench.yaml"]) == 0
    assert "names no device registry" in capsys.readouterr().out


def test_unknown_devices_are_listed_until_the_registry_knows_them(
    city: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["devices", "unknown", str(city)]) == 0
    assert "No unknown device is noted in " in capsys.readouterr().out

    state = city.parent / "state"
    state.mkdir()
    noted = UnknownDevices(state)
    noted.note("00112233445566aa", Names(), 0)
    noted.note(EUI, Names(name="Hall\x1b[2J", tags={"site": "hall"}), 1_769_000_000_000)
    noted.note(EUI, Names(name="Hall\x1b[2J", tags={"site": "hall"}), 1_769_000_001_000)
    noted.close()

    assert main(["devices", "unknown", str(city)]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[:2] == [
        "device            uplinks  last seen             the server calls it",
        f"{EUI}  2        2026-01-21 12:53:21Z  name 'Hall\\x1b[2J', site=hall",
    ]
    assert f'dev_eui: "{EUI}"' in out[3]
    assert main(["devices", "unknown", str(city), "--format", "json"]) == 0
    [told] = json.loads(capsys.readouterr().out)
    assert (told["device"], told["count"], told["last"]) == (EUI, 2, 1_769_000_001_000)
