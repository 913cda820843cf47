"""Thousands of routes, a flood of topics that none of them takes, and a file with thousands of mistakes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from loadtests.reading import unknown
from tests.hostile.experiment import Experiment, sized
from tests.integration.worker_bench import WorkerBench, fates, reading, until
from tests.support.log import events

pytestmark = pytest.mark.real
ROUTES = 5000
RELOADED = "SIGHUP: the configuration is reloaded."


def test_topics_that_none_of_5000_routes_takes(bench: WorkerBench) -> None:
    config = bench.config()
    own = config["feeds"]["city"]["routes"]
    others = [
        {"topic": f"{bench.tenant}/{n // 50 if n % 7 else '+'}/{n}/aq/{{device}}", "connector": "city-aq"}
        for n in range(ROUTES)
    ]
    config["feeds"]["city"]["routes"] = [*others, *own]
    worker = bench.worker(config)
    strange, good = sized(1000, 30_000), 100
    with Experiment("topics that none of 5,000 routes takes") as experiment:
        bench.publish_on((f"{bench.tenant}/{n % 100}/{n}/x/{n}", b"{}") for n in range(strange))
        bench.publish(*(reading(number) for number in range(good)))
        came = fates(bench.settled(worker, strange + good))
        holds = came == {"published": good, "dead_lettered": strange}
        experiment.expect("each is a dead letter, and readings beside them are published", came=came, holds=holds)
        os.kill(worker.process.pid, signal.SIGHUP)
        until(lambda: bool(events(worker.logged(), RELOADED)), RELOADED)
        experiment.expect("an unchanged file is reloaded", came=worker.live(), holds=worker.live())
        experiment.notes["event_loop_lag_seconds"] = worker.metric("headrace_event_loop_lag_seconds")
        code = worker.stop()
        experiment.expect("it stops", came=code, holds=code == 0)


def test_a_file_of_30000_unknown_keys(tmp_path: Path) -> None:
    file = tmp_path / "city.yaml"
    file.write_text(json.dumps(unknown(30_000), indent=0), encoding="utf-8")
    with Experiment("a configuration of 30,000 unknown keys") as experiment:
        command = [sys.executable, "-m", "pipeline", "check", str(file)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=180)
        told = done.stderr.count("is no key of this section.")
        experiment.expect("the first 100 are told", came=told, holds=told == 100)
        last = done.stderr.splitlines()[-1]
        experiment.expect("and how many there are besides", came=last, holds=last.startswith("and 29,900 more"))
        experiment.expect(
            "the exit code is that of a wrong configuration", came=done.returncode, holds=done.returncode == 2
        )
