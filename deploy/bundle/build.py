"""Makes the offline bundle: what a Debian machine without a network needs to install Headrace.

One folder and one archive for each architecture, with the wheels of requirements.lock by their hashes, Headrace's own,
pip's, and install.sh. Run by `make bundle`, in the developers' .venv.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Sequence
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
# What an operator reads who has no network either, by the paths that configurations and alerts name.
PAGES = ("deploy/README.md", "deploy/reference", "deploy/runbook", "deploy/kafka", "deploy/prometheus", "SECURITY.md")


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
    ours = f"headrace=={version} --hash=sha256:{_digest(own)}\n"
    (fresh / "requirements.txt").write_text(locked + ours, encoding="utf-8")
    for name in BESIDE:
        shutil.copy(ROOT / name, fresh)
    for name in PAGES:
        _copy_page(ROOT / name, fresh / name)
    _write_sums(fresh)
    target = into / f"headrace-linux-{arch}"
    shutil.rmtree(target, ignore_errors=True)
    fresh.rename(target)
    return _archive(target, into / f"headrace-{version}-linux-{arch}.tar.gz")


def _own_wheel(wheels: Path) -> Path:
    _run(["-m", "hatchling", "build", "-t", "wheel", "-d", str(wheels)])
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
    _run(["-m", "pip", "download", *options, *platforms])


def _run(arguments: Sequence[str]) -> None:
    done = subprocess.run([sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"bundle: `{' '.join(arguments[:3])}` failed:\n{done.stderr.strip()}")


def _copy_page(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target)
    else:
        shutil.copy(source, target)


def _write_sums(folder: Path) -> None:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    lines = [f"{_digest(path)}  {path.relative_to(folder)}\n" for path in files]
    (folder / "SHA256SUMS").write_text("".join(lines), encoding="utf-8")


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _archive(folder: Path, file: Path) -> Path:
    def nobodys(entry: tarfile.TarInfo) -> tarfile.TarInfo:
        entry.uid = entry.gid = 0
        entry.uname = entry.gname = "root"
        return entry

    with tarfile.open(file, "w:gz") as archive:
        archive.add(folder, file.name.removesuffix(".tar.gz"), filter=nobodys)
    return file


if __name__ == "__main__":
    sys.exit(main())
