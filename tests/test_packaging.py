"""What is installed: two packages and one command, under one name."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    [built] = folder.glob("*.whl")
    return built


def test_the_wheel_holds_the_two_packages_the_vendors_surface_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == {
        "pipeline",
        "connectors",
        "headrace.py",
    }
    static = {f"pipeline/observe/page/static/{each.name}" for each in (ROOT / "pipeline/observe/page/static").iterdir()}
    assert static <= set(names)
    assert {"pipeline/py.typed", "connectors/py.typed", "pipeline/models/contexts/environment.jsonld"} <= set(names)


def test_the_installed_packages_have_one_owner(wheel: Path, tmp_path: Path) -> None:
    """A dependency that also brought a `pipeline` would shadow ours, or be shadowed."""
    zipfile.ZipFile(wheel).extractall(tmp_path)
    code = (
        "import importlib.metadata as m; owners = m.packages_distributions();"
        "print(owners['pipeline'], owners['connectors']);"
        "print([e.value for e in m.entry_points(group='console_scripts') if e.name == 'headrace'])"
    )
    here = [str(tmp_path), *(path for path in sys.path if "site-packages" in path)]
    result = subprocess.run(
        [sys.executable, "-S", "-c", f"import sys; sys.path[1:1] = {here!r}; {code}"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    owners, commands = result.stdout.splitlines()
    assert set(owners.replace("[", "").replace("]", "").replace("'", "").replace(",", " ").split()) == {"headrace"}
    assert "pipeline.__main__:main" in commands
