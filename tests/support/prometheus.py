"""A real Prometheus that scrapes what a test runs, and promtool, which says what is wrong with a metric."""

import json
import os
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.support.ports import LOOPBACK, free_port
from tests.support.process import Process
from tests.support.toolchain import find


class Prometheus:
    """Scrapes the targets (host:port) each second; rules are files as deploy/ ships them."""

    def __init__(
        self, folder: Path, *, targets: Sequence[str], rules: Sequence[Path] = (), interval: str = "1s"
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.url = f"http://{LOOPBACK}:{self.port}"
        self._file = folder / "prometheus.yml"
        # JSON is YAML.
        self._config = {
            "global": {"scrape_interval": interval, "evaluation_interval": interval},
            "rule_files": [str(rule.resolve()) for rule in rules],
            "scrape_configs": [{"job_name": "headrace", "static_configs": [{"targets": list(targets)}]}],
        }
        tool = find("prometheus")
        options = [f"--config.file={self._file}", f"--storage.tsdb.path={folder / 'data'}"]
        command = [str(tool.path), *options, f"--web.listen-address={LOOPBACK}:{self.port}"]
        self.process = Process(command, folder / "prometheus.log", env=tool.env, cwd=folder)

    def start(self) -> None:
        self._file.write_text(json.dumps(self._config), encoding="utf-8")
        self.process.start()
        self.process.wait_until(lambda: get(f"{self.url}/-/ready") is not None)

    def stop(self) -> int:
        return self.process.terminate()

    def query(self, expression: str) -> list[tuple[dict[str, str], float]]:
        """Evaluate PromQL now: each series' labels and its value."""
        answer = self._api("query", {"query": expression})
        return [(series["metric"], float(series["value"][1])) for series in answer["result"]]

    def wait_for(self, expression: str, timeout: float = 45.0) -> float:
        """Wait until the expression has a result, which takes a scrape or two, and return its first value."""
        deadline = time.monotonic() + timeout
        while not (found := self.query(expression)):
            if time.monotonic() > deadline:
                raise AssertionError(f"Prometheus had nothing for {expression} within {timeout:g} s")
            time.sleep(0.2)
        return found[0][1]

    def __enter__(self) -> "Prometheus":
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    def _api(self, path: str, parameters: Mapping[str, str]) -> dict[str, Any]:
        text = get(f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(parameters)}")
        if text is None:
            raise AssertionError(f"Prometheus refused {path} with {parameters}")
        answer: dict[str, Any] = json.loads(text)["data"]
        return answer


def check_metrics(text: str) -> str:
    """Return what promtool has to say about an exposition; nothing for a good one."""
    return _promtool("check", "metrics", text=text)


def check_rules(file: Path) -> str:
    """Return what promtool finds wrong with a file of rules; nothing for a good one."""
    return _promtool("check", "rules", str(file))


def check_config(file: Path) -> str:
    """Return what promtool finds wrong with a configuration and the rules that it names."""
    return _promtool("check", "config", str(file))


def run_rules(file: Path) -> str:
    """Return what fails of a file of promtool's unit tests of rules."""
    return _promtool("test", "rules", str(file))


def _promtool(*arguments: str, text: str | None = None) -> str:
    tool = find("promtool")
    command = [str(tool.path), *arguments]
    env = {**os.environ, **tool.env}
    done = subprocess.run(command, input=text, env=env, capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else (done.stdout + done.stderr).strip()


def get(url: str, timeout: float = 15.0) -> str | None:
    """Fetch a page; None when nobody answers or the answer is no 2xx."""
    try:
        with urllib.request.urlopen(url, timeout=timeout) as answer:
            body: bytes = answer.read()
            return body.decode()
    except urllib.error.HTTPError as refused:
        refused.close()
        return None
    except OSError:
        return None
