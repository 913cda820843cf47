"""The unit for the edge, judged by systemd's own tools."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.toolchain import find

pytestmark = pytest.mark.real
UNIT = Path(__file__).resolve().parents[2] / "deploy" / "systemd" / "headrace.service"
EXPOSURE_AT_MOST = 1.5


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """Put the command where it is on this machine: systemd looks whether it can be run."""
    here = Path(sys.executable).with_name("headrace")
    text = UNIT.read_text(encoding="utf-8")
    assert "/opt/headrace/bin/headrace " in text
    file = tmp_path / UNIT.name
    file.write_text(text.replace("/opt/headrace/bin/headrace ", f"{here} "), encoding="utf-8")
    return file


def analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    tool = find("systemd-analyze")
    env = {**os.environ, **tool.env, "LC_ALL": "C", "SYSTEMD_PAGER": "cat"}
    command = [str(tool.path), *arguments]
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=90)


def verify(unit: Path) -> tuple[int, str]:
    done = analyze("verify", "--man=no", "--recursive-errors=no", str(unit))
    return done.returncode, done.stdout + done.stderr


def security(unit: Path) -> subprocess.CompletedProcess[str]:
    return analyze("security", "--offline=yes", f"--threshold={EXPOSURE_AT_MOST * 10:.0f}", str(unit))


def test_the_unit_is_valid(unit: Path) -> None:
    assert verify(unit) == (0, "")


def test_verify_would_say_so(unit: Path) -> None:
    unit.write_text(unit.read_text(encoding="utf-8").replace("WatchdogSec=", "WatchdogSecs="), encoding="utf-8")
    assert "WatchdogSecs" in verify(unit)[1]


def test_the_exposure_is_small(unit: Path) -> None:
    done = security(unit)
    assert done.returncode == 0, done.stdout


def test_the_threshold_would_say_so(unit: Path) -> None:
    text = unit.read_text(encoding="utf-8")
    unit.write_text(text.replace("SystemCallFilter=", "#").replace("CapabilityBoundingSet=", "#"), encoding="utf-8")
    assert security(unit).returncode != 0


def test_the_stop_outlasts_the_drain() -> None:
    lines = UNIT.read_text(encoding="utf-8").splitlines()
    [stop] = [line.partition("=")[2] for line in lines if line.startswith("TimeoutStopSec=")]
    assert int(stop) > 30 + 2  # `drain_timeout` as it is without a word in the configuration, and the goodbyes
