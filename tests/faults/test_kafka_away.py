"""Kafka killed, stalled and away while messages flow."""

import time
from collections.abc import Callable

import pytest

from tests.faults.rig import Rig
from tests.support.kafka import Kafka

pytestmark = [pytest.mark.real, pytest.mark.fault]
BOUNCES = 3
KEEPALIVE = 5
AWAY_SECONDS = 60
MIB = 1024 * 1024


def test_three_hard_bounces_of_kafka(new_rig: Callable[..., Rig], living_kafka: Kafka) -> None:
    rig = new_rig(broker=living_kafka)
    rig.start()
    for _ in range(BOUNCES):
        rig.load.wait_for(3000)
        living_kafka.bounce()
        rig.faults.append(f"after {rig.load.acknowledged}: Kafka SIGKILL and start")
        before = rig.published()
        rig.wait(lambda: rig.published() > before, "records in the Kafka that is back")  # noqa: B023

    # A batch is sent again under its sequence numbers, so a lost answer makes no duplicate either.
    rig.finish(f"{BOUNCES} hard bounces of Kafka", duplicates_allowed=0).assert_good()
    assert sum(life.stale for life in rig.lives) == 0


def test_kafka_away_for_a_minute_and_two_keepalives(new_rig: Callable[..., Rig], living_kafka: Kafka) -> None:
    """Half the time it answers nothing, half the time nobody listens: the connection to the source is kept."""
    # MQTT 3.1.1 has no receive maximum: what the worker does not read stands in the socket, PINGRESP behind it.
    rig = new_rig(broker=living_kafka, keepalive=f"{KEEPALIVE}s", version="3.1.1")
    rig.start()
    rig.load.wait_for(2000)
    began, memory = time.monotonic(), rig.worker.rss()
    living_kafka.process.pause()
    rig.faults.append(f"after {rig.load.acknowledged}: Kafka SIGSTOP, then SIGKILL, for {AWAY_SECONDS} s and more")
    rig.wait(lambda: rig.life().in_flight >= rig.window, "a full window")
    rig.load.rate = 400
    _stay_away(rig, began + AWAY_SECONDS / 2)
    living_kafka.kill()
    _stay_away(rig, began + AWAY_SECONDS + 2 * KEEPALIVE)
    grown = rig.worker.rss() - memory
    rig.notes |= {"away_seconds": round(time.monotonic() - began, 1), "rss_growth": grown, "backlog": _backlog(rig)}
    living_kafka.start()

    verdict = rig.finish("Kafka away for 60 s and two keepalives", duplicates_allowed=0)

    verdict.assert_good()
    assert verdict.notes["reconnects"] == 0
    assert "exceeded timeout" not in rig.mosquitto.process.logged()
    assert grown <= 16 * MIB


def _stay_away(rig: Rig, until: float) -> None:
    """Look on; every moment the connection stands and the law holds."""
    while time.monotonic() < until:
        life = rig.life()
        assert life.conserved
        assert rig.worker.metric("headrace_feed_connected") == 1
        rig.notes["reconnects"] = int(rig.worker.metric("headrace_reconnects_total"))
        assert rig.notes["reconnects"] == 0
        time.sleep(0.5)


def _backlog(rig: Rig) -> int:
    life = rig.life()
    return rig.load.acknowledged - life.received
