"""`headrace init`: what it writes can be used as it is."""

import re
from pathlib import Path

import pytest

from pipeline.__main__ import main
from pipeline.tools.init import KINDS, template


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_passes_check_without_a_warning(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("MQTT_PASSWORD", "KAFKA_PASSWORD"):
        monkeypatch.setenv(name, "a secret of the operator's own")
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


def test_a_placeholder_is_warned_of(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "city.yaml"
    assert main(["init", "kafka-sasl", "--output", str(file)]) == 0
    assert main(["check", str(file)]) == 0
    out = capsys.readouterr().out
    lines = [number for number, line in enumerate(file.read_text().splitlines(), 1) if "change-me" in line]
    for line, place in zip(lines, ("kafka.sasl.password", "feeds.city.password"), strict=True):
        assert f"{file}:{line}  {place}  is still the placeholder.\n    Set the variable that it names" in out


def test_a_file_is_written_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "city.yaml"
    assert main(["init", "mqtt", "--output", str(file)]) == 0
    assert f"headrace check {file}" in capsys.readouterr().out
    file.write_text("mine")
    assert main(["init", "mqtt", "--output", str(file)]) == 2
    assert "never written over" in capsys.readouterr().err
    assert file.read_text() == "mine"
    assert main(["init", "mqtt", "--output", str(tmp_path / "no" / "city.yaml")]) == 2


def test_the_hints_of_lorawan_hold(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever uncomments the registry and the gateways gets what `check` accepts."""
    hints = [line.removeprefix("# ") for line in template("lorawan").splitlines()]
    rows = [line for line in hints if re.match(r"  (- key|  (dev_eui|connector|location|# sessions)):", line)]
    assert len(rows) == 5
    registry = "\n".join(rows).replace("# sessions", "sessions").replace("   for raw", "   # for raw")
    (tmp_path / "devices.yaml").write_text(registry + "\n")
    for end in ("nwk", "app"):
        (tmp_path / f"th-17.{end}").write_text("00112233445566778899aabbccddeeff")
        (tmp_path / f"th-17.{end}").chmod(0o600)
    gateways = [line for line in hints if re.match(r"  (bridge|  \{kind|   subscribe|packets)", line)]
    assert len(gateways) == 4
    text = template("lorawan").replace("# devices: devices", "devices: devices")
    text = text.replace("feeds:\n", "feeds:\n" + "\n".join(gateways) + "\n", 1)
    (tmp_path / "city.yaml").write_text(text)
    assert main(["check", str(tmp_path / "city.yaml")]) == 0
    out, err = capsys.readouterr()
    assert "devices: 1 (1 with a DevEUI, 1 with sessions, 0 without location)" in out
    assert [name for name in ("bridge", "packets", "server") if f"{name}: dialect" not in out] == []
    assert "warnings" not in out + err
