"""SIGTERM: under load, with Kafka dead, and a SIGKILL while the worker drains."""

import signal
import time
from collections.abc import Callable

import pytest

from tests.faults.rig import KILLED, Rig
from tests.support.kafka import Kafka

pytestmark = [pytest.mark.real, pytest.mark.fault]
DRAIN_SECONDS = 3
RESTARTS = 20
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
