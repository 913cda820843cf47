"""The programs that only the benchmark needs: the C relay, built here, and Telegraf, built from its Go module."""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.support import toolchain

TELEGRAF_VERSION = "1.37.2"
TELEGRAF_MODULE = f"github.com/influxdata/telegraf/cmd/telegraf@v{TELEGRAF_VERSION}"
# Only what the benchmark uses, as a careful operator would build it: a smaller program that starts faster.
TELEGRAF_TAGS = "custom,inputs.mqtt_consumer,outputs.kafka,parsers.json,serializers.json"
RELAY_SOURCE = Path(__file__).with_name("relay.c")
RELAY_FLAGS = ("-O2", "-Wall", "-Wextra", "-Werror")


def relay() -> Path:
    """Build relay.c unless this very source was built before."""
    digest = hashlib.sha256(RELAY_SOURCE.read_bytes()).hexdigest()[:12]
    target = toolchain.cache() / "relay-bin" / digest
    if not target.exists():
        if shutil.which("gcc") is None:
            raise toolchain.MissingToolError("no gcc here (Debian: gcc libc6-dev): the relay is built with it")
        _run([sys.executable, "-m", "tests.support.toolchain", "bench"])
        target.parent.mkdir(parents=True, exist_ok=True)
        folders = [f"-L{folder}" for folder in toolchain.libraries("relay")]
        headers = f"-I{toolchain.includes('relay')}"
        fresh = target.with_suffix(".new")
        command = ["gcc", *RELAY_FLAGS, headers, *folders, "-o", str(fresh), str(RELAY_SOURCE)]
        _run([*command, "-Wl,--allow-shlib-undefined", "-lmosquitto", "-lrdkafka"])
        fresh.rename(target)
    return target


def relay_environment() -> dict[str, str]:
    return {"LD_LIBRARY_PATH": os.pathsep.join(map(str, toolchain.libraries("relay")))}


def telegraf() -> Path:
    """Build Telegraf from its Go module: minutes the first time, nothing afterwards."""
    folder = toolchain.cache() / f"telegraf-{TELEGRAF_VERSION}"
    target = folder / "telegraf"
    if not target.exists():
        go = str(toolchain.runtime(toolchain.GO))
        print(f"building Telegraf {TELEGRAF_VERSION}; this takes minutes, once", flush=True)
        _run([go, "install", "-tags", TELEGRAF_TAGS, TELEGRAF_MODULE], {"GOBIN": str(folder)})
    return target


def _run(command: list[str], env: dict[str, str] | None = None) -> None:
    done = subprocess.run(command, env={**os.environ, **(env or {})}, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise toolchain.MissingToolError(f"`{' '.join(command)}` failed:\n{(done.stdout + done.stderr)[-2000:]}")


def main() -> int:
    try:
        print(relay(), telegraf(), sep="\n")
    except toolchain.MissingToolError as problem:
        print(f"toolchain: {problem}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
