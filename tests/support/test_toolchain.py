"""What a verb of the Makefile asks of the machine."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import toolchain

SCRIPT = Path(toolchain.__file__)


@pytest.mark.real
def test_the_services_need_java_and_mosquitto_only(tmp_path: Path) -> None:
    """On a machine that has no Maven, Node.js, Go or helm, and never ran `make setup`."""
    cache, programs = tmp_path / "cache", tmp_path / "bin"
    cache.mkdir()
    programs.mkdir()
    for part in ("mosquitto", f"kafka-{toolchain.KAFKA_VERSION}"):
        if (toolchain.cache() / part).exists():
            (cache / part).symlink_to(toolchain.cache() / part)
    (programs / "java").symlink_to(toolchain.runtime(toolchain.JAVA))
    env = {**os.environ, "PATH": str(programs), "HEADRACE_CACHE": str(cache)}
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "services"], env=env, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_links_of_unpacked_packages_lead_to_what_came_with_them(tmp_path: Path) -> None:
    (tmp_path / "etc/maven").mkdir(parents=True)
    (tmp_path / "usr/share").mkdir(parents=True)
    (tmp_path / "usr/share/conf").symlink_to("/etc/maven")
    (tmp_path / "usr/share/elsewhere").symlink_to("/etc/passwd")
    toolchain._lead_links_inside(tmp_path)
    assert (tmp_path / "usr/share/conf").resolve() == tmp_path / "etc/maven"
    assert (tmp_path / "usr/share/elsewhere").readlink() == Path("/etc/passwd")


@pytest.mark.parametrize("runtime", [toolchain.JAVA, toolchain.NODE, toolchain.GO])
def test_each_wheel_of_a_runtime_is_locked_and_new_enough(runtime: toolchain.Runtime) -> None:
    locked = toolchain.WHEELS.read_text(encoding="utf-8")
    version = locked.split(f"{runtime.wheel}==")[1].split(maxsplit=1)[0]
    assert tuple(map(int, version.split(".")[: len(runtime.least)])) >= runtime.least
    assert shutil.which("pip", path=str(Path(sys.executable).parent))
