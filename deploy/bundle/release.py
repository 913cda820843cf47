"""Makes a release of the commit that is checked out: all that is published of one version, with its checksums.

    release.py prepare 0.2.0    writes the version and its date wherever they stand; commit that, and tag it v0.2.0
    release.py build            dist/headrace-0.2.0/ from that commit: what `make release` does

The version is the one of pyproject.toml; other files that must name it are held to it. Two builds of one commit give
the same bytes, so that whoever has the source can check what was published.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from fnmatch import fnmatch
from pathlib import Path

import build

ROOT = build.ROOT
CHART = ROOT / "deploy" / "helm" / "headrace"
# Where the version stands. The first is what all others are held to; what is built takes it from there.
VERSION = re.compile(r"\d+\.\d+\.\d+")
PLACES = (
    ("pyproject.toml", re.compile(r'^(version = ")([^"]+)', re.MULTILINE)),
    ("deploy/helm/headrace/Chart.yaml", re.compile(r"^(version: )(\S+)", re.MULTILINE)),
    ("deploy/helm/headrace/Chart.yaml", re.compile(r"^(appVersion: )(\S+)", re.MULTILINE)),
    ("deploy/container/Containerfile", re.compile(r"^(ARG VERSION=)(\S+)", re.MULTILINE)),
)
HEADING = re.compile(r"^## (?P<version>\S+)(?: - (?P<date>\S+))?\n(?P<text>.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)


def main() -> int:
    """Do what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    steps = parser.add_subparsers(dest="step", required=True)
    prepare_ = steps.add_parser("prepare", help="write the version wherever it stands")
    prepare_.add_argument("version")
    for step, help_ in (("build", "check the commit, and build from it"), ("parts", "build this tree as it is")):
        chosen = steps.add_parser(step, help=help_)
        chosen.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS), help="default: all")
        chosen.add_argument("--into", type=Path, default=ROOT / "dist")
    parsed = parser.parse_args()
    if parsed.step == "prepare":
        prepare(parsed.version)
    elif parsed.step == "build":
        print(release(parsed.only, parsed.into.resolve()))
    else:
        parts(parsed.only, parsed.into.resolve())
    return 0


def version() -> str:
    """Return the version that is being made."""
    found: str = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    return found


def prepare(wanted: str) -> None:
    """Write the version into every place, and make what is unreleased in CHANGELOG.md its section, of today."""
    if not VERSION.fullmatch(wanted):
        raise SystemExit(f"release: {wanted} is no version: expected three numbers, as in 0.2.0")
    changelog = ROOT / "CHANGELOG.md"
    text = changelog.read_text(encoding="utf-8")
    if re.search(rf"^## {re.escape(wanted)}\b", text, flags=re.MULTILINE):
        raise SystemExit(f"release: CHANGELOG.md has a section for {wanted} already")
    today = datetime.now(UTC).date().isoformat()
    changelog.write_text(
        text.replace("## Unreleased\n", f"## Unreleased\n\n## {wanted} - {today}\n", 1), encoding="utf-8"
    )
    for name, pattern in PLACES:
        file = ROOT / name
        file.write_text(pattern.sub(rf"\g<1>{wanted}", file.read_text(encoding="utf-8"), count=1), encoding="utf-8")
    print(f"Version {wanted} of {today}. Read the difference, then: git commit -a && git tag -a v{wanted}")


def release(only: Sequence[str], into: Path) -> Path:
    """Build from what is committed, never from what lies about in the folder, and return the folder of the release."""
    found = [*_wrong_commit(), *_wrong_places(), *_wrong_changelog()]
    if found:
        raise SystemExit("\n".join(f"release: {each}" for each in found))
    target = into / f"headrace-{version()}"
    into.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=into, prefix=".release-") as work:
        source, fresh = Path(work) / "source", Path(work) / target.name
        source.mkdir()
        archive = Path(work) / "source.tar"
        _git("archive", "--format=tar", f"--output={archive}", "HEAD")
        subprocess.run(["tar", "-xf", archive, "-C", source], check=True)
        command = [
            sys.executable,
            str(source / "deploy/bundle/release.py"),
            "parts",
            f"--into={fresh}",
            "--only",
            *only,
        ]
        env = {**os.environ, "SOURCE_DATE_EPOCH": str(build.source_date())}
        if subprocess.run(command, env=env, check=False).returncode != 0:
            raise SystemExit("release: a part could not be built: see above")
        build.write_sums(fresh)
        shutil.rmtree(target, ignore_errors=True)
        fresh.rename(target)
    return target


def parts(only: Sequence[str], into: Path) -> None:
    """Build these parts into a folder."""
    into.mkdir(parents=True, exist_ok=True)
    for part in only:
        PARTS[part](into)


# What must be right before anything is built


def _wrong_commit() -> list[str]:
    changed = _git("status", "--porcelain").splitlines()
    tag = f"v{version()}"
    wrong = (
        [f"the tree is not clean ({changed[0].strip()}, {len(changed)} in all): commit or stash it"] if changed else []
    )
    if tag not in _git("tag", "--points-at", "HEAD").split():
        wrong.append(f"this commit has no tag {tag}: check out the one that has, or git tag -a {tag}")
    return wrong


def _wrong_places() -> list[str]:
    wrong = []
    for name, pattern in PLACES[1:]:
        found = pattern.search((ROOT / name).read_text(encoding="utf-8"))
        if found is None or found[2] != version():
            said = "nothing" if found is None else f"{found[1].strip()} {found[2]}"
            wrong.append(f"{name} says {said}, pyproject.toml {version()}: release.py prepare writes both")
    return wrong


def _wrong_changelog() -> list[str]:
    sections = list(HEADING.finditer((ROOT / "CHANGELOG.md").read_text(encoding="utf-8")))
    expected = f"CHANGELOG.md: expected `## {version()} - YYYY-MM-DD`"
    if sections and sections[0]["version"] == "Unreleased":
        unreleased = sections.pop(0)["text"].strip()
        if unreleased:
            return [f"CHANGELOG.md has lines under Unreleased: move them to {version()}, or release the next version"]
    if not sections or sections[0]["version"] != version():
        return [f"{expected} as its newest section, found {sections[0]['version'] if sections else 'none'}"]
    try:
        date.fromisoformat(sections[0]["date"] or "")
    except ValueError:
        return [f"{expected}, found {sections[0][0].splitlines()[0]!r}"]
    return [] if sections[0]["text"].strip() else [f"CHANGELOG.md says nothing of {version()}"]


# The parts


def _wheel(into: Path) -> None:
    build.run(["-m", "hatchling", "build", "-t", "wheel", "-d", str(into)])


def _sdist(into: Path) -> None:
    build.run(["-m", "hatchling", "build", "-t", "sdist", "-d", str(into)])


def _chart(into: Path) -> None:
    """Package the chart. `helm package` does the same, but writes the time of day into it."""
    ignored = (CHART / ".helmignore").read_text(encoding="utf-8").split()
    files = {path.relative_to(CHART).as_posix(): path for path in _followed(CHART)}
    kept = {name: path for name, path in files.items() if not any(fnmatch(path.name, each) for each in ignored)}
    build.archive(into / f"headrace-{version()}.tgz", kept, top="headrace")


def _followed(folder: Path) -> list[Path]:
    """List the files below a folder, also where a link leads to their folder."""
    found = []
    for path in sorted(folder.iterdir()):
        found += _followed(path) if path.is_dir() else [path]
    return found


def _sbom(into: Path) -> None:
    """Name all that an installation consists of, by installing it."""
    with tempfile.TemporaryDirectory() as folder:
        python = f"{folder}/bin/python"
        build.run(["-m", "venv", "--without-pip", folder])
        options = ["--quiet", "--no-compile", "--disable-pip-version-check", "--require-hashes"]
        build.run(["-m", "pip", f"--python={python}", "install", *options, "-r", str(ROOT / "requirements.lock")])
        told = ["--pyproject", str(ROOT / "pyproject.toml"), "--output-reproducible", "--of", "JSON", "--validate"]
        output = str(into / f"headrace-{version()}.cdx.json")
        build.run(["-m", "cyclonedx_py", "environment", *told, "-o", output, python])


def _bundles(into: Path) -> None:
    with tempfile.TemporaryDirectory(dir=into, prefix=".bundle-") as folder:
        for arch in build.MACHINES:
            bundle = build.build(arch, build.PYTHONS, Path(folder))
            bundle.rename(into / bundle.name)


PARTS: Mapping[str, Callable[[Path], None]] = {
    "wheel": _wheel,
    "sdist": _sdist,
    "chart": _chart,
    "sbom": _sbom,
    "bundles": _bundles,
}


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"release: `git {' '.join(arguments)}` failed: {done.stderr.strip()}")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
