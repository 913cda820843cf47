"""`headrace init`: what it writes can be used as it is."""

from pathlib import Path

import pytest

from pipeline.__main__ import main
from pipeline.init import KINDS


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_passes_check_without_a_warning(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["init", kind]) == 0
    file = tmp_path / "city.yaml"
    file.write_text(capsys.readouterr().out)
    assert main(["check", str(file)]) == 0
    out, err = capsys.readouterr()
    assert "warnings" not in out
    assert err == ""
    lines = file.read_text().splitlines()
    assert max(map(len, lines)) <= 120
    assert sum("#" in line for line in lines) > len(lines) / 2


def test_a_file_is_written_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "city.yaml"
    assert main(["init", "mqtt", "--output", str(file)]) == 0
    assert f"headrace check {file}" in capsys.readouterr().out
    file.write_text("mine")
    assert main(["init", "mqtt", "--output", str(file)]) == 2
    assert "never written over" in capsys.readouterr().err
    assert file.read_text() == "mine"
    assert main(["init", "mqtt", "--output", str(tmp_path / "no" / "city.yaml")]) == 2
