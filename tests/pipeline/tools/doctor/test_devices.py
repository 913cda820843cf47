"""Holes of the device registry and levels of connectors, as the doctor tells them."""

import asyncio
import sqlite3
from dataclasses import replace
from pathlib import Path

from pipeline import config
from pipeline.lorawan.journal import ROWS
from pipeline.lorawan.session_table import place_of
from pipeline.state.store import Store, peek
from pipeline.tools.doctor import devices
from pipeline.tools.doctor.finding import Judgement
from tests.support.headrace import ROOT

VENDORS = ROOT / "tests" / "support" / "vendors"
CONFIG = f"""
tenant: ghent
kafka: {{bootstrap_servers: ["127.0.0.1:9092"]}}
devices: devices.yaml
connector_paths: ["{VENDORS}"]
feeds:
  server: {{kind: mqtt, url: "mqtt://127.0.0.1:1883", client_id: headrace-server,
           subscribe: ["application/+/device/+/event/+"], dialect: chirpstack}}
connectors:
  tank: {{model: DeviceMeasurement, device: {{topic: device}}, observed_at: arrival,
         attributes: {{numValue: {{field: level, unit: "%"}}}}}}
"""
KEYS = 'nwk_s_key: "000102030405060708090a0b0c0d0e0f", app_s_key: "0f0e0d0c0b0a09080706050403020100"'
DEVICES = f"""
- {{key: a, dev_eui: "0000000000000001", connector: acme/th-1, location: [3.7, 51.0]}}
- {{key: b, dev_eui: "0000000000000002", connector: tank}}
- {{key: c, dev_eui: "0000000000000003"}}
- {{key: d, connector: acme/th-1, location: [3.7, 51.0], sessions: [{{dev_addr: "01ab23cd", {KEYS}}}]}}
- {{key: e, connector: acme/th-1, location: [3.7, 51.0], sessions: [{{dev_addr: "01ab23cd",
   nwk_s_key: "ff0102030405060708090a0b0c0d0e0f", app_s_key: "0f0e0d0c0b0a09080706050403020100"}}]}}
"""


def loaded(tmp_path: Path, devices: str) -> config.Loaded:
    (tmp_path / "devices.yaml").write_text(devices, encoding="utf-8")
    (tmp_path / "devices.yaml").chmod(0o600)
    (tmp_path / "city.yaml").write_text(CONFIG, encoding="utf-8")
    return config.read(tmp_path / "city.yaml", {})


def by_check(found: list[Judgement]) -> dict[str, Judgement]:
    return {each.check: each for each in found}


def test_holes(tmp_path: Path) -> None:
    made = loaded(tmp_path, DEVICES)
    [first, _] = [session for device in made.devices for session in device.sessions]

    found = by_check(list(devices.devices(made.config, made.devices, {place_of(first)})))

    place = found["devices.location"]
    assert (place.severity, place.line, place.file) == ("warning", 3, str(tmp_path / "devices.yaml"))
    assert place.evidence.startswith("b: no location")
    assert found["devices.connector"].evidence.startswith("c: no connector")
    assert found["devices.dev_addr"].severity == "info"
    assert "01ab23cd (d, e)" in found["devices.dev_addr"].evidence
    assert found["devices.counters"].evidence.startswith("e: a session of which no frame")
    assert "000102" not in repr(found)


def test_no_hole(tmp_path: Path) -> None:
    made = loaded(tmp_path, DEVICES.splitlines()[1])
    [found] = devices.devices(made.config, made.devices, None)
    assert (found.check, found.severity) == ("devices", "ok")


def test_levels(tmp_path: Path) -> None:
    made = loaded(tmp_path, DEVICES)
    [ours] = [each for each in devices.judge(made, None) if each.check == "connectors.level"]
    assert (ours.severity, ours.evidence) == ("ok", "acme/th-1: level checked.")
    assert ours.file is not None
    assert ours.file.endswith("th1.py")


def test_a_broken_connector_and_a_draft(tmp_path: Path) -> None:
    [found] = [each for each in loaded(tmp_path, DEVICES).connectors.found if "acme/th-1" in each.names]
    draft = replace(found, connector=replace(found.connector, owner=""))
    told = devices.level(draft)
    assert (told.severity, told.change) == ("warning", "checked: name an `owner` that is responsible for it.")
    told = devices.level(replace(found, connector=replace(found.connector, examples=())))
    assert told.severity == "critical"


def test_counters_are_read_while_nobody_holds_them(tmp_path: Path) -> None:
    assert peek(tmp_path, ROWS) is None
    store = Store(tmp_path)
    store.put(ROWS, "01ab23cd-0", b"1")
    store.put("other", "x", b"1")
    assert peek(tmp_path, ROWS) is None  # held
    asyncio.run(store.close())
    assert peek(tmp_path, ROWS) == {"01ab23cd-0": b"1"}
    with sqlite3.connect(tmp_path / "state.sqlite") as link:  # nothing of ours holds it
        assert link.execute("SELECT count(*) FROM kept").fetchone() == (2,)
    link.close()
