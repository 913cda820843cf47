"""`headrace connectors`: what it prints, and how it exits."""

import json
from pathlib import Path

import pytest

from pipeline.__main__ import main
from tests.pipeline.vendor_flow import VENDORS


def out(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> str:
    assert main(["connectors", *arguments]) == code
    captured = capsys.readouterr()
    return captured.out + captured.err


def test_list(capsys: pytest.CaptureFixture[str]) -> None:
    text = out(capsys, "list", "--path", str(VENDORS))
    assert "WeatherObserved, AirQualityObserved, Device  tests/support/vendors/acme/th1.py:" in text
    plain = json.loads(out(capsys, "list", "--path", str(VENDORS), "--format", "json"))
    assert ["plain/jn-1"] in [each["names"] for each in plain["connectors"]]
    assert plain["broken"] == []


def test_list_shows_what_is_broken(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "bad.py").write_text("import nothing_of_that_name\n")
    text = out(capsys, "list", "--path", str(tmp_path), code=1)
    assert f"{tmp_path}/bad.py:1  cannot be imported: ModuleNotFoundError" in text


def test_show(capsys: pytest.CaptureFixture[str]) -> None:
    text = out(capsys, "show", "acme/th-1b", "--path", str(VENDORS))
    assert "humidity [%] -> relativeHumidity" in text
    assert "time      field at (ms)" in text
    assert "Did you mean `acme/th-1`?" in out(capsys, "show", "acme/th1", "--path", str(VENDORS), code=1)


def test_check_a_folder(capsys: pytest.CaptureFixture[str]) -> None:
    text = out(capsys, "check", str(VENDORS))
    assert "acme/th-1, acme/th-1b  checked  tests/support/vendors/acme/th1.py:" in text
    assert "plain/jn-1  checked" in text
    assert text.endswith("connectors: 2, with faults: 0\n")


def test_check_by_name_for_a_program(capsys: pytest.CaptureFixture[str]) -> None:
    plain = json.loads(out(capsys, "check", "acme/th-1", "--path", str(VENDORS), "--format", "json"))
    assert plain["ok"] is True
    assert [each["level"] for each in plain["connectors"]] == ["checked"]


def test_check_says_where(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    text = (VENDORS / "acme" / "th1.py").read_text(encoding="utf-8")
    file = tmp_path / "th1.py"
    file.write_text(text.replace('"temperature": -5.0', '"temperature": 5.0'), encoding="utf-8")
    line = next(at for at, each in enumerate(text.splitlines(), 1) if '"below freezing"' in each) - 1
    said = out(capsys, "check", str(file), code=1)
    assert f"{file}:{line}  example 'below freezing': expected temperature 5.0, got -5.0 (CEL)" in said
    assert "broken" in said


def test_check_needs_to_know_which(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert "Say which" in out(capsys, "check", code=2)
    assert "holds no connector" in out(capsys, "check", str(tmp_path), code=1)


def test_a_fault_that_no_terminal_can_show(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    source = (VENDORS / "acme" / "th1.py").read_text(encoding="utf-8")
    source = source.replace("raise PayloadError(", "raise ValueError('\\ud800\\x1b[2J' +", 1)
    (tmp_path / "th1.py").write_text(source, encoding="utf-8")
    said = out(capsys, "check", str(tmp_path), code=1)
    assert "got ValueError: \\ud800\\x1b[2J" in said
