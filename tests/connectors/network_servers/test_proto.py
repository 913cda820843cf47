"""What `make proto` generates: current, and speaking the published messages."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
FOLDER = Path("connectors/network_servers/proto")


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("proto")
    sources = sorted(str(path.relative_to(ROOT)) for path in (ROOT / FOLDER).glob("*.proto"))
    command = [sys.executable, "-m", "grpc_tools.protoc", "-I.", f"--python_out={folder}", f"--pyi_out={folder}"]
    subprocess.run([*command, *sources], cwd=ROOT, check=True)
    return folder / FOLDER


def test_the_generated_modules_are_current(generated: Path) -> None:
    committed = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / FOLDER).glob("*_pb2.py*")}
    assert committed == {path.name: path.read_text(encoding="utf-8") for path in generated.iterdir()}, "make proto"


def test_the_oldest_protobuf_that_is_allowed_runs_them(generated: Path) -> None:
    """Generated code refuses a runtime that is older than its generator."""
    text = (generated / "chirpstack_gw_pb2.py").read_text(encoding="utf-8")
    version = text.split("Protobuf Python Version: ")[1].split("\n")[0]
    assert f'"protobuf>={version}"' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")
