"""Files in the state folder that are not as a worker leaves them: commands and workers take them for none."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline import files, silent_devices, unknown_devices
from pipeline.__main__ import main
from pipeline.crash_guard import CrashGuard
from pipeline.doctor import machine
from pipeline.feeds.mqtt_options import MqttOptions
from pipeline.feeds.mqtt_session import RememberedSession
from tests.support.headrace import example_config

SILENT = {"kind": "device", "name": "a", "last": 1, "since": 1, "interval": 3.0, "known": "learned"}
UNKNOWN = {"device": "a", "count": 1, "first": 1, "last": 1, "called": {"name": "A", "tags": {"b": "c"}}}


def deep(file: Path) -> None:
    file.write_bytes(b"[" * 100_000)


def pipe(file: Path) -> None:
    os.mkfifo(file)


def endless(file: Path) -> None:
    file.symlink_to("/dev/zero")


def huge(file: Path) -> None:
    with file.open("wb") as sparse:
        sparse.truncate(3 * 1024**3)


def garbage(file: Path) -> None:
    file.write_bytes(bytes(range(256)))


BAD = [deep, pipe, endless, huge, garbage, Path.mkdir]


@pytest.fixture
def config(tmp_path: Path) -> str:
    file = tmp_path / "city.yaml"
    content = example_config("ghent", "mqtt://127.0.0.1:1883", "127.0.0.1:9092")
    file.write_text(json.dumps({**content, "state_dir": "state"}), encoding="utf-8")
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "silent-devices.json").write_text("[]", encoding="utf-8")  # a worker has looked
    return str(file)


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("what", ["silent", "unknown"])
def test_a_list_that_is_none(
    config: str, capsys: pytest.CaptureFixture[str], bad: Callable[[Path], None], what: str
) -> None:
    file = Path(config).with_name("state") / f"{what}-devices.json"
    file.unlink(missing_ok=True)
    bad(file)
    code = 0 if what == "unknown" or bad in {deep, garbage} else 1
    assert main(["devices", what, config]) == code
    told = capsys.readouterr()
    assert ("No worker's notes can be read" in told.err) if code else (f"No {what} device is noted" in told.out)
    assert main(["devices", what, config, "--format", "json"]) == code
    assert (json.loads(capsys.readouterr().out) == []) is (code == 0)


@pytest.mark.parametrize(
    ("what", "row", "change"),
    [
        ("silent", SILENT, {"last": "x"}),
        ("silent", SILENT, {"last": 10**18}),
        ("silent", SILENT, {"since": -1}),
        ("silent", SILENT, {"interval": float("nan")}),
        ("silent", SILENT, {"interval": float("inf")}),
        ("silent", SILENT, {"name": 5}),
        ("silent", SILENT, {"kind": {}}),
        ("silent", SILENT, {"known": None}),
        ("unknown", UNKNOWN, {"device": 5}),
        ("unknown", UNKNOWN, {"last": 10**18}),
        ("unknown", UNKNOWN, {"called": {"name": {}}}),
        ("unknown", UNKNOWN, {"called": {"tags": 7}}),
    ],
)
def test_a_row_that_is_none(
    config: str, capsys: pytest.CaptureFixture[str], what: str, row: dict[str, Any], change: dict[str, Any]
) -> None:
    file = Path(config).with_name("state") / f"{what}-devices.json"
    for content, found in ((row, 1), ({**row, **change}, 0)):
        file.write_text(json.dumps([content]), encoding="utf-8")
        assert main(["devices", what, config, "--format", "json"]) == 0
        assert len(json.loads(capsys.readouterr().out)) == found
        assert main(["devices", what, config]) == 0
        capsys.readouterr()


@pytest.mark.parametrize("bad", BAD)
def test_what_a_worker_and_doctor_read_themselves(tmp_path: Path, bad: Callable[[Path], None]) -> None:
    for name in ("unknown-devices.json", "silent-devices.json", "city.mqtt-session.json"):
        bad(tmp_path / name)
    assert unknown_devices.read(tmp_path) == []
    assert silent_devices.read(tmp_path) == []
    assert machine.folder(tmp_path).feeds == {}


@pytest.mark.parametrize("bad", [deep, garbage])
def test_a_worker_starts_with_nonsense(tmp_path: Path, bad: Callable[[Path], None]) -> None:
    session, guard = tmp_path / "city.mqtt-session.json", tmp_path / "crash-guard.json"
    bad(session)
    bad(guard)
    loaded = RememberedSession(MqttOptions("127.0.0.1", "c", (), state_file=session))
    loaded.load()
    assert not loaded.known
    assert not CrashGuard(tmp_path).careful


def test_a_file_that_was_cut_has_a_bound(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"a" * 11)
    assert files.content(file, 11) == b"a" * 11
    with pytest.raises(OSError, match="larger than 10 bytes"):
        files.content(file, 10)
