"""What the numbers were taken on: a result without its machine says nothing."""

import os
import platform
import re
import subprocess
from importlib.metadata import version
from pathlib import Path

from loadtests.toolchain import TELEGRAF_VERSION
from tests.support import toolchain

PACKAGES = ("aiokafka", "orjson", "paho-mqtt", "pydantic", "uvloop")


def describe() -> dict[str, str]:
    facts = {
        "processor": processor(),
        "cores": str(os.cpu_count()),
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB",
        "kernel": platform.release(),
        "load before": f"{os.getloadavg()[0]:.2f}",
        "commit": _output("git", "describe", "--always", "--dirty"),
        "python": platform.python_version(),
        "mosquitto": _mosquitto(),
        "kafka": toolchain.KAFKA_VERSION,
        "java": _first(r'version "([^"]+)', _output("java", "-version")),
        "libmosquitto": _library("libmosquitto.so."),
        "librdkafka": _librdkafka(),
        "gcc": _output("gcc", "-dumpfullversion"),
        "telegraf": TELEGRAF_VERSION,
        "go": _first(r"go([\d.]+)", _output("go", "version")),
    }
    return facts | {name: version(name) for name in PACKAGES}


def processor() -> str:
    return _first(r"model name\s*: (.+)", Path("/proc/cpuinfo").read_text(encoding="utf-8"))


def _mosquitto() -> str:
    tool = toolchain.find("mosquitto")
    return _first(r"version ([\d.]+)", _output(str(tool.path), "-h", env=dict(tool.env)))


def _library(prefix: str) -> str:
    names = [path.name for folder in toolchain.libraries("relay") for path in folder.glob(f"{prefix}*.*")]
    return max(names, default="unknown").removeprefix(prefix)


def _librdkafka() -> str:
    header = (toolchain.includes("relay") / "librdkafka" / "rdkafka.h").read_text(encoding="utf-8")
    digits = _first(r"RD_KAFKA_VERSION\s+0x([0-9a-f]{8})", header)
    return ".".join(str(int(digits[place : place + 2], 16)) for place in (0, 2, 4)) if len(digits) == 8 else digits


def _output(*command: str, env: dict[str, str] | None = None) -> str:
    """Both streams: java and mosquitto do not agree on where a version belongs."""
    done = subprocess.run(command, env={**os.environ, **(env or {})}, capture_output=True, text=True, check=False)
    return (done.stdout + done.stderr).strip()


def _first(pattern: str, text: str) -> str:
    found = re.search(pattern, text)
    return found[1].strip() if found else "unknown"
