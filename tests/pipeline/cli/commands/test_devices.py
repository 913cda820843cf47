"""`headrace devices`: the registry, and who is not in it."""

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path
from time import time

import pytest

from pipeline.__main__ import main
from pipeline.devices.registry import Device, DeviceRegistry
from pipeline.devices.silence import SilencePolicy
from pipeline.devices.silence_watch import SilenceWatch
from pipeline.devices.unknown import UnknownDevices
from pipeline.lorawan.statistics import FrameStatistics
from pipeline.sdk.uplink import Names
from pipeline.state.store import Store
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
    state = city.parent / "state"
    look_once(state)
    assert main(["devices", "unknown", str(city)]) == 0
    assert "No unknown device is noted in " in capsys.readouterr().out

    noted = UnknownDevices(state)
    noted.note("00112233445566aa", Names(), 0)
    noted.note(EUI, Names(name="Hall\x1b[2J", tags={"site": "hall"}), 1_769_000_000_000)
    noted.note(EUI, Names(name="Hall\x1b[2J", tags={"site": "hall"}), 1_769_000_001_000)
    noted.close()

    assert main(["devices", "unknown", str(city)]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[:2] == [
        "device            uplinks  last seen             the server calls it",
        f"{EUI}  2        2026-01-21 12:53:21Z  name Hall\\x1b[2J, site=hall",
    ]
    assert f'dev_eui: "{EUI}"' in out[4]
    assert "\x1b" not in "".join(out)
    assert out[5] == f"Or all at once: headrace devices import {city} --from unknown"
    assert main(["devices", "unknown", str(city), "--format", "json"]) == 0
    [told] = json.loads(capsys.readouterr().out)
    assert (told["device"], told["count"], told["last"]) == (EUI, 2, 1_769_000_001_000)


def test_silent_devices_are_listed(city: Path, capsys: pytest.CaptureFixture[str]) -> None:
    state = city.parent / "state"
    look_once(state)
    assert main(["devices", "silent", str(city)]) == 0
    assert "No silent device is noted in " in capsys.readouterr().out

    now = round(time() * 1000)
    clock = [now - 14_500_000]
    watch = SilenceWatch(Store(None), state, {"g": FrameStatistics()}, lambda: clock[0], lambda: clock[0] / 1000)
    watch.configure(
        SilencePolicy(),
        DeviceRegistry(
            [Device("th-17", interval=90), Device("1e5", interval=3600), Device("quiet", lifecycle="retired")]
        ),
    )
    watch.gateway("gate\x1b[2J", clock[0])
    _ = list(watch.look())
    watch.find("th-17", ()).last = clock[0] + 1000
    _ = list(watch.look())
    clock[0] = now
    watch.find("1e5", ()).last = now
    asyncio.run(once(watch))

    assert main(["devices", "silent", str(city)]) == 0
    first, second = (
        datetime.fromtimestamp((now - 14_500_000 + later) // 1000, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
        for later in (0, 1000)
    )
    assert capsys.readouterr().out.splitlines() == [
        "silent       last seen             for  expected every  connector  name",
        f"gate\\x1b[2J  {first}  4h   1h (assumed)    (gateway)",
        f"th-17        {second}  4h   90s             th         Hall, third floor",
    ]
    assert main(["devices", "silent", str(city), "--format", "json"]) == 0
    _, told = json.loads(capsys.readouterr().out)
    assert (told["kind"], told["name"], told["interval"], told["known"]) == ("device", "th-17", 90, "configured")


@pytest.mark.parametrize("what", ["silent", "unknown"])
@pytest.mark.parametrize("form", ["text", "json"])
def test_where_no_worker_has_looked_nobody_is_said_to_be_well(
    city: Path, what: str, form: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["devices", what, str(city), "--format", form]) == 1
    told = capsys.readouterr()
    assert f"No worker's notes can be read in {city.parent / 'state'} (No such file" in (told.out or told.err)


def look_once(state: Path) -> None:
    """Do what a worker does in its first seconds."""
    state.mkdir()
    asyncio.run(once(SilenceWatch(Store(None), state, {}, lambda: 0)))


async def once(watch: SilenceWatch) -> None:
    """Let it look, and write, once."""
    running = asyncio.create_task(watch.run())
    await asyncio.sleep(0.3)
    running.cancel()
