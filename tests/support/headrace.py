"""Our own program as a process, run as an operator runs it: a config file, signals, its admin port."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests.support.ports import LOOPBACK, free_port
from tests.support.process import Process
from tests.support.prometheus import get

ROOT = Path(__file__).resolve().parents[2]


class Headrace:
    """One worker. The admin port is ours unless the config names one; it stays the same over restarts."""

    def __init__(
        self,
        folder: Path,
        config: Mapping[str, Any],
        *,
        env: Mapping[str, str] | None = None,
        arguments: Sequence[str] = (),
        launcher: Sequence[str] = ("-m", "pipeline"),
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.config = dict(config)
        self.config.setdefault("admin", {"listen": f"{LOOPBACK}:{free_port()}"})
        self.admin = f"http://{self.config['admin']['listen']}"
        self.file = folder / "headrace.yaml"
        command = [sys.executable, *launcher, "run", str(self.file), *arguments]
        # Unbuffered: what a killed worker said last is what a reader of its log wants. State is the test's own.
        ours = {"PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "", "XDG_STATE_HOME": str(folder / "state")}
        self.process = Process(command, folder / "headrace.log", env={**ours, **(env or {})}, cwd=ROOT)

    def start(self, *, wait: bool = True, timeout: float = 90.0) -> None:
        """Write the config as it is now and run; `wait` until every feed is ready."""
        self.file.write_text(yaml.safe_dump(self.config, sort_keys=False), encoding="utf-8")
        self.process.start()
        if wait:
            self.wait_ready(timeout)

    def wait_ready(self, timeout: float = 90.0) -> None:
        self.process.wait_until(self.ready, timeout)

    def ready(self) -> bool:
        return get(f"{self.admin}/readyz") is not None

    def live(self) -> bool:
        return get(f"{self.admin}/livez") is not None

    def stop(self, timeout: float = 120.0) -> int:
        """SIGTERM; the exit code, which is -9 for a worker that did not end in time and had to be killed."""
        return self.process.terminate(timeout)

    def kill(self) -> int:
        return self.process.hard_kill()

    def restart(self) -> None:
        self.stop()
        self.start()

    def exposition(self) -> str:
        text = get(f"{self.admin}/metrics")
        if text is None:
            raise AssertionError(f"no metrics at {self.admin}:\n{self.process.tail()}")
        return text

    def metrics(self) -> dict[str, float]:
        """Scrape every sample, under its name and labels as text: `name{a="b",c="d"}`, the labels sorted."""
        return {_series(name, labels): value for name, labels, value in self._samples()}

    def metric(self, name: str, **labels: str) -> float:
        """Sum the samples of that very name (`_total`, `_count` and so on included) that have these labels."""
        return sum(value for found, has, value in self._samples() if found == name and labels.items() <= has.items())

    def _samples(self) -> list[tuple[str, dict[str, str], float]]:
        families = text_string_to_metric_families(self.exposition())
        return [(sample.name, sample.labels, sample.value) for family in families for sample in family.samples]

    def rss(self) -> int:
        return self.process.rss()

    def peak_rss(self) -> int:
        """Resident bytes at their highest, as the kernel has kept them."""
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        [line] = [line for line in status.splitlines() if line.startswith("VmHWM:")]
        return int(line.split()[1]) * 1024

    def cpu_seconds(self) -> float:
        return self.process.cpu_seconds()

    def logged(self) -> str:
        return self.process.logged()

    def __enter__(self) -> "Headrace":
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        if self.process.running:
            self.stop()


def example_config(tenant: str, mqtt_url: str, bootstrap: str, *, prefix: str = "city") -> dict[str, Any]:
    """Build the README's first config for these brokers; the caller changes what its test is about."""
    attributes = {
        "temperature": {"field": "temperature", "unit": "degC"},
        "relativeHumidity": {"field": "humidity", "unit": "%"},
        **{name: {"field": name, "unit": "ug/m3"} for name in ("pm10", "pm25", "no2")},
    }
    connector = {
        "model": "AirQualityObserved",
        "device": {"field": "device"},
        "observed_at": {"field": "ts", "unit": "ms", "max_age": "3650d"},
        "location": {"latitude": "lat", "longitude": "lon"},
        "attributes": attributes,
    }
    feed = {
        "kind": "mqtt",
        "url": mqtt_url,
        "client_id": f"headrace-{tenant}",
        "subscribe": [f"{prefix}/#"],
        "qos": 1,
        "max_in_flight": 5000,
        "routes": [{"topic": f"{prefix}/aq/{{device}}", "connector": "city-aq"}],
    }
    licence = "https://creativecommons.org/licenses/by/4.0/"
    return {
        "tenant": tenant,
        "kafka": {"bootstrap_servers": [bootstrap], "create_topics": {"partitions": 6}},
        "feeds": {"city": feed},
        "connectors": {"city-aq": connector},
        "streams": {"AirQualityObserved": {"classification": "public", "licence": licence}},
    }


def _series(name: str, labels: Mapping[str, str]) -> str:
    text = ",".join(f'{key}="{value}"' for key, value in sorted(labels.items()))
    return f"{name}{{{text}}}" if text else name
