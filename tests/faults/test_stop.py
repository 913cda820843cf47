"""SIGTERM: under load, with Kafka dead, while a container starts, and a SIGKILL while the worker drains."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
import yaml

from tests.faults.rig import KILLED, Rig
from tests.support.headrace import ROOT, example_config
from tests.support.kafka import Kafka

pytestmark = [pytest.mark.real, pytest.mark.fault]
DRAIN_SECONDS = 3
RESTARTS = 20
OWN_PROCESSES = ("unshare", "--user", "--map-root-user", "--pid", "--fork", "--kill-child")
SLOW_CONNECTOR = """import pathlib, time
pathlib.Path({reached!r}).touch()
time.sleep(3600)
"""
LEAVE_SECONDS = 20  # the admin port, the last acknowledgements and the goodbyes, on a busy machine


def test_sigterm_under_load(new_rig: Callable[..., Rig]) -> None:
    rig = new_rig()
    rig.start()
    for _ in range(2):
        rig.load.wait_for(2000)
        assert rig.stop_worker() == 0
        rig.faults.append(f"after {rig.load.acknowledged}: SIGTERM")
        rig.load.wait_for(500)
        rig.worker.start(timeout=180)
    rig.load.wait_for(500)

    rig.finish("SIGTERM under load", duplicates_allowed=0).assert_good()


def test_a_rolling_restart_twenty_times(new_rig: Callable[..., Rig]) -> None:
    """What an upgrade does to each reader of a cluster in turn: SIGTERM, drain, the next one takes the session over."""
    rig = new_rig()
    rig.start()
    for _ in range(RESTARTS):
        rig.load.wait_for(300)
        assert rig.stop_worker() == 0, rig.worker.process.tail()
        rig.faults.append(f"after {rig.load.acknowledged}: SIGTERM")
        rig.worker.start(timeout=180)

    rig.finish("rolling restart, 20 times", duplicates_allowed=0).assert_good()


def test_sigterm_with_kafka_dead(new_rig: Callable[..., Rig], living_kafka: Kafka) -> None:
    rig = new_rig(broker=living_kafka)
    rig.worker.config["drain_timeout"] = f"{DRAIN_SECONDS}s"
    rig.start()
    rig.load.wait_for(1000)
    living_kafka.kill()
    rig.wait(lambda: rig.life().in_flight > 0, "messages that Kafka cannot confirm")
    began = time.monotonic()
    assert rig.stop_worker() == 0, rig.worker.process.tail()
    rig.notes["stop_seconds"] = round(time.monotonic() - began, 1)
    rig.fault("Kafka SIGKILL, then SIGTERM")
    living_kafka.start()
    rig.worker.start(timeout=180)
    rig.load.wait_for(500)

    rig.finish("SIGTERM with Kafka dead").assert_good()
    assert rig.notes["stop_seconds"] <= DRAIN_SECONDS + LEAVE_SECONDS


def test_sigkill_during_the_drain(new_rig: Callable[..., Rig]) -> None:
    rig = new_rig()
    rig.arm("during_drain")
    rig.start()
    rig.load.wait_for(1000)
    life = rig.life()
    rig.worker.process.send_signal(signal.SIGTERM)
    assert rig.worker.process.wait(90) == KILLED, rig.worker.process.tail()
    rig.fault("SIGTERM, SIGKILL at during_drain", life)
    rig.arm("")
    rig.worker.start(timeout=180)
    rig.load.wait_for(500)

    rig.finish("SIGKILL at during_drain").assert_good()


@pytest.mark.skipif(
    subprocess.run([*OWN_PROCESSES, "true"], capture_output=True, check=False).returncode != 0,
    reason="this user may not make a namespace of processes",
)
def test_sigterm_while_a_container_starts(tmp_path: Path) -> None:
    """Its first process ignores each signal that it has no handler for; here a connector takes its time to import."""
    reached = tmp_path / "reached"
    (tmp_path / "acme").mkdir()
    (tmp_path / "acme" / "slow.py").write_text(SLOW_CONNECTOR.format(reached=str(reached)), encoding="utf-8")
    config = {**example_config("city", "mqtt://127.0.0.1:1", "127.0.0.1:1"), "connector_paths": [str(tmp_path)]}
    config["connectors"]["slow"] = {"use": "acme/slow", "device": {"topic": "device"}}
    file = tmp_path / "headrace.yaml"
    file.write_text(yaml.safe_dump(config), encoding="utf-8")
    command = [*OWN_PROCESSES, sys.executable, "-m", "pipeline", "run", str(file)]
    with subprocess.Popen(command, cwd=ROOT, env={**os.environ, "XDG_STATE_HOME": str(tmp_path)}) as container:
        try:
            deadline = time.monotonic() + 60
            while not reached.exists():
                assert time.monotonic() < deadline, "waited 60 s for the connector's import"
                time.sleep(0.05)
            [first] = psutil.Process(container.pid).children()
            first.send_signal(signal.SIGTERM)
            assert container.wait(LEAVE_SECONDS) == 128 + signal.SIGTERM
        finally:
            container.kill()
