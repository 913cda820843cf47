"""How long large files take to read and check, beside a plain reader of the same text in the same run."""

from __future__ import annotations

import csv
import io
import json
import tempfile
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from time import process_time
from typing import Any

from pipeline import config
from pipeline.__main__ import main as headrace

DEVICES, ROUTES, UNKNOWN_KEYS = 100_000, 5_000, 30_000
BASE: dict[str, Any] = {
    "tenant": "ghent",
    "kafka": {"bootstrap_servers": ["127.0.0.1:9092"]},
    "feeds": {"city": {"kind": "mqtt", "url": "mqtt://127.0.0.1:1883", "client_id": "a", "subscribe": ["city/#"]}},
    "connectors": {
        "city-aq": {
            "model": "AirQualityObserved",
            "device": {"topic": "device"},
            "observed_at": {"field": "ts", "unit": "ms"},
            "location": {"latitude": "lat", "longitude": "lon"},
            "attributes": {"temperature": {"field": "temperature", "unit": "degC"}},
        }
    },
}


@dataclass(frozen=True)
class Subject:
    """A configuration, the files beside it, what is done with it, and what reads the same lines plainly."""

    name: str
    work: Callable[[Path], object]
    plainly: Callable[[], object]
    content: dict[str, Any]
    beside: dict[str, str]

    def measured(self, folder: Path) -> tuple[float, float]:
        """Return the seconds of the processor's time that the work and the plain reader take."""
        file = folder / "city.yaml"
        file.write_text(json.dumps(self.content), encoding="utf-8")
        for name, text in self.beside.items():
            (folder / name).write_text(text, encoding="utf-8")
        return _best(lambda: self.work(file)), _best(self.plainly)


def registry_csv(devices: int) -> str:
    """Return a registry of so many devices, with a place and a name each."""
    rows = (f"th-{n},{n:016x},{3.7 + n / 1e6:.6f},{51 + n / 1e6:.6f},Station {n},10min\n" for n in range(devices))
    return "key,dev_eui,longitude,latitude,name,interval\n" + "".join(rows)


def registry_yaml(devices: int) -> str:
    """Return the same registry in YAML, a device a line."""
    rows = (
        f'- {{key: th-{n}, dev_eui: "{n:016x}", location: [{3.7 + n / 1e6:.6f}, {51 + n / 1e6:.6f}], '
        f"name: Station {n}, interval: 10min}}\n"
        for n in range(devices)
    )
    return "".join(rows)


def routed(routes: int) -> dict[str, Any]:
    """Return a configuration of so many routes, one an intersection, as a city has that names them all."""
    listed = [{"topic": f"city/{n // 50}/{n % 50}/{{device}}", "connector": "city-aq"} for n in range(routes)]
    return {**BASE, "feeds": {"city": {**BASE["feeds"]["city"], "routes": listed}}}


def unknown(keys: int) -> dict[str, Any]:
    """Return a configuration that has, beside the usual, so many keys that mean nothing."""
    return {**routed(1), **{f"key_{n}": n for n in range(keys)}}


def subjects() -> list[Subject]:
    """Return all that is measured."""
    server = {"kind": "mqtt", "url": "mqtt://127.0.0.1:1883", "client_id": "a", "subscribe": ["a/#"], "dialect": "auto"}
    named = {**BASE, "feeds": {"server": server}, "connectors": {}}
    rows, in_csv, in_yaml = f"{DEVICES:,} devices", registry_csv(DEVICES), registry_yaml(DEVICES)
    routes, keys = routed(ROUTES), unknown(UNKNOWN_KEYS)
    return [
        Subject(f"{rows}, CSV: read", _read, _csv(in_csv), {**named, "devices": "d.csv"}, {"d.csv": in_csv}),
        Subject(f"{rows}, YAML: read", _read, _csv(in_csv), {**named, "devices": "d.yaml"}, {"d.yaml": in_yaml}),
        Subject(f"{ROUTES:,} routes: read", _read, _json(routes), routes, {}),
        Subject(f"{ROUTES:,} routes: check", _check, _json(routes), routes, {}),
        Subject(f"{UNKNOWN_KEYS:,} unknown keys: check", _check, _json(keys), keys, {}),
    ]


def measure() -> str:
    """Return the figures as a table in Markdown."""
    lines = ["| subject | CPU s | plain reader s | ratio |", "|---|---|---|---|"]
    for subject in subjects():
        with tempfile.TemporaryDirectory() as folder:
            took, plain = subject.measured(Path(folder))
        lines.append(f"| {subject.name} | {took:.2f} | {plain:.3f} | {took / plain:.0f} |")
    return "\n".join(lines)


def _best(work: Callable[[], object]) -> float:
    took = []
    for _ in range(2):
        began = process_time()
        work()
        took.append(process_time() - began)
    return min(took)


def _read(file: Path) -> object:
    return config.read(str(file))


def _check(file: Path) -> object:
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        return headrace(["check", str(file)])


def _csv(text: str) -> Callable[[], object]:
    return lambda: list(csv.reader(io.StringIO(text)))


def _json(content: object) -> Callable[[], object]:
    text = json.dumps(content)
    return lambda: json.loads(text)
