"""Makes the offline bundle: what a Debian machine without a network needs to install Headrace.

One folder and one archive for each architecture, with the wheels of requirements.lock by their hashes, Headrace's own,
pip's, install.sh and the pages for operators. Run by `make bundle`, in the developers' .venv. Two builds of one commit
give the same bytes: what has a time has the commit's, or SOURCE_DATE_EPOCH.
"""

from __future__ import annotations

import argparse
import functools
import gzip
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}
PYTHONS = ("3.11", "3.13")  # Debian 12 and 13
# The C libraries that wheels may want, at most Debian 12's (2.36); pip takes a list of platforms by the word.
LIBRARIES = ("manylinux_2_34", "manylinux_2_28", "manylinux_2_17", "manylinux2014")
BESIDE = (
    "deploy/bundle/install.sh",
    "deploy/bundle/headrace-as-service",
    "deploy/systemd/headrace.service",
    "deploy/mosquitto/mosquitto.conf",
    "deploy/mosquitto/acl",
    "LICENSE",
)
# What an operator reads who has no network either, by the paths that configurations and alerts name. Whatever these
# pages link to comes along.
PAGES = (
    "CHANGELOG.md",
    "SECURITY.md",
    "connectors/README.md",
    "deploy/README.md",
    "deploy/kafka",
    "deploy/prometheus",
    "deploy/reference",
    "deploy/runbook",
)


def main() -> int:
    """Build what the command line asks for and print where it is."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--arch", action="append", choices=MACHINES, help="default: all")
    parser.add_argument("--python", action="append", help=f"default: {' and '.join(PYTHONS)}")
    parser.add_argument("--into", type=Path, default=ROOT / "dist")
    parsed = parser.parse_args()
    for arch in parsed.arch or MACHINES:
        print(build(arch, parsed.python or PYTHONS, parsed.into))
    return 0


def build(arch: str, pythons: Sequence[str], into: Path) -> Path:
    """Build one bundle and return its archive; the folder stays beside it, for the container."""
    fresh = into / f".headrace-linux-{arch}"
    shutil.rmtree(fresh, ignore_errors=True)
    wheels = fresh / "wheels"
    wheels.mkdir(parents=True)
    own = _own_wheel(wheels)
    version = own.name.split("-")[1]
    locked = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    fetched = fresh / "fetched.txt"
    fetched.write_text(locked + _pip(), encoding="utf-8")
    for python in pythons:
        _download(fetched, MACHINES[arch], python, wheels)
    fetched.unlink()
    (fresh / "VERSION").write_text(f"{version}\n", encoding="utf-8")
    (fresh / "PYTHONS").write_text(f"{' '.join(pythons)}\n", encoding="utf-8")
    ours = f"headrace=={version} --hash=sha256:{_digest(own)}\n"
    (fresh / "requirements.txt").write_text(locked + ours, encoding="utf-8")
    for name in BESIDE:
        shutil.copy(ROOT / name, fresh)
    for page in pages():
        copy = fresh / "pages" / page.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(page, copy)
    write_sums(fresh)
    target = into / f"headrace-linux-{arch}"
    shutil.rmtree(target, ignore_errors=True)
    fresh.rename(target)
    name = f"headrace-{version}-linux-{arch}"
    content = {path.relative_to(target).as_posix(): path for path in _files(target)}
    return archive(into / f"{name}.tar.gz", content, top=name)


def _own_wheel(wheels: Path) -> Path:
    run(["-m", "hatchling", "build", "-t", "wheel", "-d", str(wheels)])
    [wheel] = wheels.glob("headrace-*.whl")
    return wheel


def _pip() -> str:
    """Cut pip out of the developers' lock file: a Debian without python3-venv has none."""
    text = (ROOT / "requirements-dev.lock").read_text(encoding="utf-8")
    found = re.search(r"^pip==.*\n(?: .*\n)+", text, flags=re.MULTILINE)
    if found is None:
        raise SystemExit("bundle: requirements-dev.lock has no pip: run `make lock`")
    return found[0]


def _download(requirements: Path, machine: str, python: str, wheels: Path) -> None:
    platforms = [f"--platform={library}_{machine}" for library in LIBRARIES]
    options = ["--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary=:all:", "--implementation=cp"]
    options += [f"--python-version={python}", "--require-hashes", f"--requirement={requirements}", f"--dest={wheels}"]
    run(["-m", "pip", "download", *options, *platforms])


def run(arguments: Sequence[str]) -> None:
    """Run a module or script in this Python, and end with its words if it fails."""
    env = {**os.environ, "SOURCE_DATE_EPOCH": str(source_date())}
    done = subprocess.run([sys.executable, *arguments], cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"bundle: `{' '.join(arguments[:3])}` failed:\n{done.stderr.strip()}")


def pages() -> list[Path]:
    """Find the pages for operators and whatever they link to, so that no link is dead where they are read."""
    waiting = [file for name in PAGES for file in ([ROOT / name] if (ROOT / name).is_file() else _files(ROOT / name))]
    found: set[Path] = set()
    while waiting:
        page = waiting.pop()
        found.add(page)
        waiting += [file for file in links(page) if file not in found]
    return sorted(found)


def links(page: Path) -> list[Path]:
    """Find the files that a page links to; for a folder its page, or all that is in it."""
    if page.suffix != ".md":
        return []
    named = re.findall(r"\]\(([^)\s#]+)[^)\s]*\)", page.read_text(encoding="utf-8"))
    files: list[Path] = []
    for path in [(page.parent / each).resolve() for each in named if "://" not in each]:
        own_page = path / "README.md"
        files += [path] if not path.is_dir() else [own_page] if own_page.exists() else _files(path)
    return files


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)


def write_sums(folder: Path) -> None:
    """Write SHA256SUMS of all files below a folder."""
    files = [path for path in _files(folder) if path.name != "SHA256SUMS"]
    lines = [f"{_digest(path)}  {path.relative_to(folder)}\n" for path in files]
    (folder / "SHA256SUMS").write_text("".join(lines), encoding="utf-8")


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def archive(file: Path, content: Mapping[str, Path], *, top: str) -> Path:
    """Write a .tar.gz with all content below one folder. Its bytes depend on names, bytes and the right to run only."""
    with (
        file.open("wb") as raw,
        gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for name, path in sorted(content.items()):
            entry = tarfile.TarInfo(f"{top}/{name}")
            entry.size, entry.mtime = path.stat().st_size, source_date()
            entry.mode = 0o755 if path.stat().st_mode & 0o100 else 0o644
            entry.uname = entry.gname = "root"
            with path.open("rb") as bytes_:
                tar.addfile(entry, bytes_)
    return file


@functools.cache
def source_date() -> int:
    """Tell when the source was committed, unless SOURCE_DATE_EPOCH says it."""
    told = os.environ.get("SOURCE_DATE_EPOCH")
    if told:
        return int(told)
    done = subprocess.run(["git", "log", "-1", "--format=%ct"], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"bundle: no commit to take the time of ({done.stderr.strip()}): set SOURCE_DATE_EPOCH")
    return int(done.stdout)


if __name__ == "__main__":
    sys.exit(main())
