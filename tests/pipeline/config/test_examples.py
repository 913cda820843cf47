"""The examples in deploy/examples pass `check`, beside the files that they name: an operator's connectors and keys."""

import shutil
from pathlib import Path
from textwrap import indent

import pytest

from pipeline.__main__ import main

ROOT = Path(__file__).parents[3]
EXAMPLES = sorted((ROOT / "deploy" / "examples").glob("*.yaml"))
CONFIGURATIONS = [path.name for path in EXAMPLES if path.name != "devices.yaml"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for path in EXAMPLES:
        shutil.copy(path, tmp_path)
    shutil.copytree(ROOT / "tests" / "support" / "vendors" / "acme", tmp_path / "my-connectors" / "acme")
    (tmp_path / "keys").mkdir()
    for end in ("nwk", "app"):
        key = tmp_path / "keys" / f"th-17.{end}"
        key.write_text("00112233445566778899aabbccddeeff\n")
        key.chmod(0o600)
    return tmp_path


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_every_example_passes_check(name: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(folder / name)]) == 0
    out, err = capsys.readouterr()
    assert "warnings" not in out
    assert err == ""


def test_the_examples_of_lorawan_say_who_decodes_what(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(folder / "lorawan.yaml")]) == 0
    server = capsys.readouterr().out
    assert main(["check", str(folder / "lorawan-gateways.yaml")]) == 0
    gateways = capsys.readouterr().out
    for said in (server, gateways):
        assert "devices   1 with acme/th-1" in said
        assert "location  the registry's, where it has one" in said
    assert "server: dialect auto" in server
    assert "bridge: dialect chirpstack_gateway" in gateways
    assert "copies of other gateways are waited for 500ms" in gateways
    assert "packets: dialect semtech_udp" in gateways


def test_a_missing_key_is_an_error_and_says_where(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "keys" / "th-17.app").unlink()
    assert main(["check", str(folder / "lorawan.yaml")]) == 2
    assert "th-17.app" in capsys.readouterr().err


def test_the_readme_shows_the_registry_of_the_examples() -> None:
    readme = (ROOT / "README.md").read_text()
    registry = (ROOT / "deploy" / "examples" / "devices.yaml").read_text()
    assert indent(registry, "    ") in readme
