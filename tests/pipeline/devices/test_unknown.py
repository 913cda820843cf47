"""Devices that nobody knows: counted, bounded, kept over a restart, and said once a minute."""

import logging
from pathlib import Path

import pytest

from pipeline.core.logs import fields
from pipeline.devices.registry import Device, DeviceRegistry
from pipeline.devices.unknown import UnknownDevices, read
from pipeline.sdk.uplink import Names

NAMES = Names(name="Hall 3", brand="acme", model="th-1", application="city", tags={"site": "hall"})


def keys(of: UnknownDevices) -> list[str]:
    return [each.device for each in of]


def test_what_is_noted_outlives_the_worker(tmp_path: Path) -> None:
    first = UnknownDevices(tmp_path)
    first.note("a", Names(), 1000)
    first.note("b", NAMES, 2000)
    first.note("a", NAMES, 3000)
    first.close()

    second = UnknownDevices(tmp_path)
    second.note("b", NAMES, 4000)
    second.close()

    a, b = read(tmp_path)
    assert (a.device, a.count, a.first, a.last) == ("a", 2, 1000, 3000)
    assert (b.device, b.count, b.first, b.last) == ("b", 2, 2000, 4000)
    assert a.called == {
        "name": "Hall 3",
        "brand": "acme",
        "model": "th-1",
        "application": "city",
        "tags": {"site": "hall"},
    }


def test_of_too_many_those_of_late_are_kept(tmp_path: Path) -> None:
    unknown = UnknownDevices(tmp_path, most=3)
    for at, eui in enumerate("abcad"):
        unknown.note(eui, Names(name="x" * 5000, tags={str(tag): "y" * 5000 for tag in range(500)}), at)
    assert keys(unknown) == ["c", "a", "d"]
    unknown.close()
    assert (tmp_path / "unknown-devices.json").stat().st_size < 6000


def test_what_a_new_registry_knows_is_forgotten(tmp_path: Path) -> None:
    unknown = UnknownDevices(tmp_path)
    for eui in ("00112233445566aa", "00112233445566bb"):
        unknown.note(eui, Names(), 1)
    unknown.take(DeviceRegistry([Device("th-1", dev_eui="00112233445566aa")]))
    unknown.close()
    assert [each.device for each in read(tmp_path)] == ["00112233445566bb"]


@pytest.mark.parametrize("content", ["", "{}", "[1]", '[{"device": "a", "other": 1}]', "\xff"])
def test_a_damaged_file_costs_the_memory_only(tmp_path: Path, content: str) -> None:
    (tmp_path / "unknown-devices.json").write_text(content, encoding="latin-1")
    unknown = UnknownDevices(tmp_path)
    unknown.note("a", Names(), 1)
    unknown.close()
    assert [each.device for each in read(tmp_path)] == ["a"]


def test_a_folder_that_is_away_is_said_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("")
    unknown = UnknownDevices(tmp_path / "file" / "away")
    for at in range(3):
        unknown.note("a", Names(), at)
        unknown.close()
    assert caplog.text.count("cannot be noted") == 1
    nowhere = UnknownDevices(None)
    nowhere.note("a", Names(), 1)
    nowhere.close()
    assert keys(nowhere) == ["a"]


def test_the_log_has_one_line_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    now = [100.0]
    unknown = UnknownDevices(None, clock=lambda: now[0])
    with caplog.at_level(logging.WARNING):
        unknown.say()
        for eui in "abcdefga":
            unknown.note(eui, NAMES, 1)
        unknown.say()
        unknown.note("z", NAMES, 2)
        now[0] += 59
        unknown.say()
        now[0] += 1
        unknown.say()
        unknown.say()
    assert [fields(record) for record in caplog.records] == [
        {"uplinks": 8, "devices": 7, "first": ["a", "b", "c", "d", "e"]},
        {"uplinks": 1, "devices": 1, "first": ["z"]},
    ]
