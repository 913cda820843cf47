"""A release: one version wherever it is named, from a clean and tagged commit only, the same bytes from every clone."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from email.parser import Parser
from pathlib import Path

import pytest
import yaml

from tests.conftest import missing
from tests.deploy.test_helm import helm, template

ROOT = Path(__file__).resolve().parents[2]
VERSION = "7.8.9"
QUICK = ("wheel", "sdist", "chart")
FILES = (f"headrace-{VERSION}-py3-none-any.whl", f"headrace-{VERSION}.tar.gz", f"headrace-{VERSION}.tgz")
IDENTITY = {f"GIT_{who}_{what}": "test@localhost" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}

pytestmark = pytest.mark.real


def git(tree: Path, *arguments: str) -> str:
    # No configuration of the developer's own: it may sign tags, or run hooks.
    env = {**os.environ, **IDENTITY, "GIT_CONFIG_GLOBAL": os.devnull}
    return subprocess.run(
        ["git", *arguments], cwd=tree, env=env, capture_output=True, text=True, check=True
    ).stdout.strip()


def step(tree: Path, *arguments: str, umask: int = 0o022, **env: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(tree / "deploy/bundle/release.py"), *arguments]
    return subprocess.run(
        command, cwd=tree, env={**os.environ, **env}, umask=umask, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def tagged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a repository of the files as they are here, with a version prepared, committed and tagged."""
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        missing("no git repository here: a release is made of a commit")
    tree = tmp_path_factory.mktemp("release") / "one"
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    for name in listed.stdout.decode().split("\0"):
        if name and (ROOT / name).exists():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, tree / name, follow_symlinks=False)
    changelog = tree / "CHANGELOG.md"
    text = changelog.read_text(encoding="utf-8")
    assert text.count("## Unreleased\n") == 1
    # After a release nothing is unreleased until the next change.
    changelog.write_text(text.replace("## Unreleased\n", "## Unreleased\n\n- Something.\n"), encoding="utf-8")
    done = step(tree, "prepare", VERSION)
    assert done.returncode == 0, done.stderr
    for arguments in (("init", "-q"), ("add", "-A"), ("commit", "-qm", "Release"), ("tag", "-am", "", f"v{VERSION}")):
        git(tree, *arguments)
    return tree


@pytest.fixture(scope="module")
def released(tagged: Path) -> tuple[Path, Path]:
    """Build in the repository and in a clone of it, as other people's machines would."""
    clone = tagged.with_name("another-clone")
    git(tagged, "clone", "-q", str(tagged), str(clone))
    for file in clone.glob("pipeline/**/*.py"):
        os.utime(file, (1_000_000_000, 1_000_000_000))
    one = step(tagged, "build", "--only", *QUICK)
    other = step(clone, "build", "--only", *QUICK, umask=0o077, TZ="Pacific/Auckland", LC_ALL="C", PYTHONHASHSEED="7")
    assert (one.returncode, other.returncode) == (0, 0), one.stderr + other.stderr
    return Path(one.stdout.strip()), Path(other.stdout.strip())


@contextmanager
def changed(file: Path, old: str, new: str) -> Iterator[None]:
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), encoding="utf-8")
    yield
    file.write_text(text, encoding="utf-8")


def test_two_clones_of_one_commit_build_the_same_bytes(released: tuple[Path, Path]) -> None:
    one, other = released
    assert {each.name for each in one.iterdir()} == {*FILES, "SHA256SUMS"}
    for name in (*FILES, "SHA256SUMS"):
        assert (one / name).read_bytes() == (other / name).read_bytes(), name
    assert subprocess.run(["sha256sum", "--quiet", "--check", "SHA256SUMS"], cwd=one, check=False).returncode == 0


def test_the_version_is_the_same_wherever_it_is_named(released: tuple[Path, Path], tagged: Path) -> None:
    wheel, sdist, chart = (released[0] / name for name in FILES)
    with zipfile.ZipFile(wheel) as packed:
        metadata = packed.read(f"headrace-{VERSION}.dist-info/METADATA").decode()
    assert Parser().parsestr(metadata)["Version"] == VERSION
    with tarfile.open(sdist) as tar:
        assert {name.split("/")[0] for name in tar.getnames()} == {f"headrace-{VERSION}"}
    shown = yaml.safe_load(helm("show", "chart", chart).stdout)
    assert (shown["version"], shown["appVersion"]) == (VERSION, VERSION)
    containerfile = (tagged / "deploy/container/Containerfile").read_text(encoding="utf-8")
    assert re.findall(r"^ARG VERSION=(.*)$", containerfile, flags=re.MULTILINE) == [VERSION]
    assert 'image.version="${VERSION}"' in containerfile
    heading = rf"^## Unreleased\n\n## {re.escape(VERSION)} - \d{{4}}-\d\d-\d\d$"
    assert re.search(heading, (tagged / "CHANGELOG.md").read_text(encoding="utf-8"), flags=re.MULTILINE)


def test_the_chart_is_what_helm_itself_would_package(released: tuple[Path, Path], tagged: Path, tmp_path: Path) -> None:
    chart = released[0] / FILES[2]
    assert helm("package", tagged / "deploy/helm/headrace", "--destination", tmp_path).returncode == 0
    with tarfile.open(chart) as ours, tarfile.open(tmp_path / FILES[2]) as helms:
        assert sorted(ours.getnames()) == sorted(helms.getnames())
    rendered = template(chart, "minimal")
    assert rendered.returncode == 0, rendered.stderr
    assert f"headrace:{VERSION}" in rendered.stdout


def test_a_tree_that_is_not_clean_is_refused(tagged: Path) -> None:
    with changed(tagged / "README.md", "Headrace", "Heddrace"):
        said = step(tagged, "build", "--only", "chart").stderr
    assert said == "release: the tree is not clean (M README.md, 1 in all): commit or stash it\n"


def test_what_disagrees_is_refused_all_at_once(tagged: Path, tmp_path: Path) -> None:
    tree = tmp_path / "clone"
    git(tagged, "clone", "-q", str(tagged), str(tree))
    for name, old, new in (
        ("deploy/helm/headrace/Chart.yaml", f"appVersion: {VERSION}", "appVersion: 7.8.8"),
        ("deploy/container/Containerfile", f"ARG VERSION={VERSION}", "ARG VERSION=1.0.0"),
    ):
        (tree / name).write_text((tree / name).read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    changelog = tree / "CHANGELOG.md"
    text = changelog.read_text(encoding="utf-8")
    changelog.write_text(re.sub(rf"## {VERSION} - \S+", f"## {VERSION} - soon", text), encoding="utf-8")
    git(tree, "commit", "-qam", "Disagree")
    said = step(tree, "build", "--only", "chart").stderr
    for part in (
        f"this commit has no tag v{VERSION}",
        f"Chart.yaml says appVersion: 7.8.8, pyproject.toml {VERSION}",
        f"Containerfile says ARG VERSION= 1.0.0, pyproject.toml {VERSION}",
        f"CHANGELOG.md: expected `## {VERSION} - YYYY-MM-DD`, found '## {VERSION} - soon'",
    ):
        assert part in said
    assert not (tree / "dist").exists()


def test_lines_that_are_still_unreleased_are_refused(tagged: Path) -> None:
    with changed(tagged / "CHANGELOG.md", "## Unreleased\n", "## Unreleased\n\n- And one more.\n"):
        assert "CHANGELOG.md has lines under Unreleased" in step(tagged, "build", "--only", "chart").stderr


@pytest.mark.parametrize(
    ("version", "why"), [("7.8", "is no version: expected three numbers"), (VERSION, f"has a section for {VERSION}")]
)
def test_a_version_that_cannot_be_prepared_is_refused(tagged: Path, version: str, why: str) -> None:
    done = step(tagged, "prepare", version)
    assert done.returncode == 1
    assert why in done.stderr
    assert git(tagged, "status", "--porcelain") == ""


def test_what_is_in_the_tree_now_agrees() -> None:
    """Between releases, too: a bundle, a container and a chart made by hand say the same."""
    version = re.findall(r'^version = "(.*)"$', (ROOT / "pyproject.toml").read_text(encoding="utf-8"), re.MULTILINE)
    chart = yaml.safe_load((ROOT / "deploy/helm/headrace/Chart.yaml").read_text(encoding="utf-8"))
    container = (ROOT / "deploy/container/Containerfile").read_text(encoding="utf-8")
    assert [chart["version"]] == [chart["appVersion"]] == re.findall(r"^ARG VERSION=(.*)$", container, re.MULTILINE)
    assert [chart["version"]] == version
