"""Files in the state folder that are not as a worker leaves them: commands and workers take them for none."""

from __future__ import annotations

import asyncio
import json
import os
import resource
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.__main__ import main
from pipeline.core import files
from pipeline.core.addresses import Tls
from pipeline.core.errors import StartError
from pipeline.devices import silence_watch as silent_devices
from pipeline.devices import unknown as unknown_devices
from pipeline.feeds.mqtt.feed import RememberedSession
from pipeline.feeds.mqtt.options import MqttOptions
from pipeline.sdk.uplink import Names
from pipeline.state.store import Store
from pipeline.tools.doctor import machine
from pipeline.tools.replay.offsets import Replayed
from pipeline.worker.crash_guard import CrashGuard
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


STATE = (
    *("state.sqlite", "state.sqlite-wal", "state.sqlite-shm", "crash-guard.json", "city.mqtt-session.json"),
    *("unknown-devices.json", "silent-devices.json", "dead.replayed.json", "dead.replayed.lock"),
)


def live(folder: Path) -> None:
    """Read and write all that a worker and a replay keep."""
    store = Store(folder)
    store.put("t", "a", b"1")
    asyncio.run(store.close())
    guard = CrashGuard(folder)
    guard.settle()
    session = RememberedSession(MqttOptions("127.0.0.1", "c", (), state_file=folder / "city.mqtt-session.json"))
    session.load()
    session.save(["a/#"])
    unknown = unknown_devices.UnknownDevices(folder)
    unknown.note("0011223344556677", Names(), 1)
    unknown.close()
    silent = silent_devices.SilenceWatch(Store(None), folder, {})
    silent._write([])
    replayed = Replayed(folder, "dead")
    try:
        replayed.open({0: 0}, {0: 9})
        replayed.add(0, 1)
        replayed.save()
    except StartError:
        pass
    finally:
        replayed.close()


@pytest.mark.parametrize("bad", [pipe, endless, Path.mkdir])
def test_nothing_in_the_place_of_a_state_file_keeps_a_worker_from_starting(
    tmp_path: Path, bad: Callable[[Path], None]
) -> None:
    for name in STATE:
        folder = tmp_path / name
        folder.mkdir()
        bad(folder / name)
        bad(folder / f"{name}.new")
        live(folder)


def test_what_a_worker_keeps_is_for_itself_whatever_the_umask(tmp_path: Path) -> None:
    fresh, older = tmp_path / "fresh", tmp_path / "older"
    older.mkdir(mode=0o755)
    for name in STATE:
        (older / name).write_text("{}" if name.endswith(".json") else "")
        (older / name).chmod(0o644)
    before = os.umask(0)
    try:
        live(fresh)
        live(older)
    finally:
        os.umask(before)
    for folder in (fresh, older):
        modes = {file.name: file.stat().st_mode & 0o777 for file in [folder, *folder.iterdir()]}
        assert modes.pop(folder.name) == 0o700
        assert len(modes) > 5
        assert {name for name, mode in modes.items() if mode != 0o600} == set()


def test_a_file_is_replaced_as_a_whole_or_not_at_all(tmp_path: Path) -> None:
    file = tmp_path / "file"
    files.replace(file, "before")
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limit[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            files.replace(file, "after" * 1000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert file.read_text(encoding="utf-8") == "before"
    files.replace(file, "after", sync=True)
    assert file.read_text(encoding="utf-8") == "after"


@pytest.mark.parametrize("bad", [pipe, endless, huge, Path.mkdir])
@pytest.mark.parametrize("what", ["config", "devices", "key", "connector", "secret", "certificate"])
def test_no_file_that_a_configuration_names_keeps_check_waiting(
    config: str, capsys: pytest.CaptureFixture[str], bad: Callable[[Path], None], what: str
) -> None:
    file = Path(config)
    odd = file.with_name("connector.yaml" if what == "connector" else f"odd-{what}")
    content = yaml.safe_load(file.read_text(encoding="utf-8"))
    if what == "devices":
        content["devices"] = str(odd)
    elif what == "key":
        session = {"dev_addr": "01ab23cd", "nwk_s_key_file": str(odd), "app_s_key_file": str(odd)}
        devices = [{"key": "a", "dev_eui": "0011223344556677", "sessions": [session]}]
        file.with_name("devices.yaml").write_text(yaml.safe_dump(devices), encoding="utf-8")
        content["devices"] = str(file.with_name("devices.yaml"))
    elif what == "connector":
        content["connector_paths"] = [str(odd)]
    elif what == "secret":
        content["feeds"]["city"] |= {"username": "a", "password_file": str(odd)}
    elif what == "certificate":
        content["feeds"]["city"] |= {"url": "mqtts://127.0.0.1", "tls": {"ca_file": str(odd)}}
    file.write_text(yaml.safe_dump(content), encoding="utf-8")
    bad(odd)
    code = main(["check", str(odd) if what == "config" else config])
    said = "".join(capsys.readouterr())
    if what == "connector" and bad is Path.mkdir:
        assert code == 0, "a folder of connectors, in which there are none"
    else:
        assert code in {1, 2}
        expected = ("no regular file", "larger than", "Is a directory", "is a folder", "is no folder")
        assert any(each in said for each in expected), said


def test_no_certificate_keeps_a_connection_waiting(tmp_path: Path) -> None:
    pipe(tmp_path / "pipe")
    file = tmp_path / "pipe"
    for tls in (Tls(ca_file=file), Tls(cert_file=file)):
        with pytest.raises(OSError, match="no regular file"):
            tls.context()


def test_a_file_that_was_cut_has_a_bound(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"a" * 11)
    assert files.content(file, 11) == b"a" * 11
    with pytest.raises(OSError, match="larger than 10 bytes"):
        files.content(file, 10)
