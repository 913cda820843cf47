"""The MQTT session: its broker killed, the session forgotten, and acknowledgements that come too late."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.rig import Rig
from tests.support.checker import count
from tests.support.generator import BASE_TS, Acknowledged, Readings, preload
from tests.support.kafka import Kafka
from tests.support.mosquitto import Mosquitto

pytestmark = [pytest.mark.real, pytest.mark.fault]
BOUNCES = 3
MESSAGES = 300
ANSWER_SECONDS = 12  # more than the worker waits for an answer of the broker


def test_three_hard_bounces_of_mosquitto(
    new_rig: Callable[..., Rig], new_mosquitto: Callable[..., Mosquitto], living_kafka: Kafka
) -> None:
    """Sent counts what was acknowledged and saved: the publisher waits for the broker's disk before each kill.

    Kafka stands still meanwhile, so that messages are waiting and in flight when the broker dies.
    """
    mosquitto = new_mosquitto(durable="each second", max_inflight_messages=500)
    rig = new_rig(broker=living_kafka, mosquitto=mosquitto)
    rig.start()
    for _ in range(BOUNCES):
        rig.load.wait_for(1000)
        living_kafka.process.pause()
        rig.load.wait_for(2000)
        rig.load.pause()
        _wait_saved(mosquitto)
        rig.fault(f"Mosquitto SIGKILL with {rig.life().in_flight} in flight")
        mosquitto.kill()
        living_kafka.process.resume()
        mosquitto.start()
        before = rig.published()
        rig.load.resume()
        rig.wait(lambda: rig.published() >= before + 3000, "records after the bounce")  # noqa: B023

    verdict = rig.finish(f"{BOUNCES} hard bounces of Mosquitto")
    verdict.assert_good()
    assert verdict.lives[-1].stale > 0
    assert rig.worker.process.logged().count("has forgotten the session") == 0


def _wait_saved(mosquitto: Mosquitto, timeout: float = 90.0) -> None:
    """Wait for two writes of the state: the second one began after the last acknowledgement."""
    file, deadline = mosquitto.folder / "mosquitto.db", time.monotonic() + timeout
    seen = {_written(file)}
    while len(seen) < 3:
        assert time.monotonic() < deadline, "Mosquitto does not save its state"
        time.sleep(0.02)
        seen.add(_written(file))


def _written(file: Path) -> int:
    return file.stat().st_mtime_ns if file.exists() else 0


def test_the_session_lost(new_rig: Callable[..., Rig]) -> None:
    rig = new_rig()
    rig.start()
    rig.load.wait_for(2000)
    rig.load.pause()
    rig.settle()
    rig.mosquitto.forget()
    rig.faults.append(f"after {rig.load.acknowledged}: Mosquitto forgot every session")
    rig.wait(lambda: rig.worker.metric("headrace_sessions_lost_total") == 1, "the session that is lost")
    rig.wait(rig.worker.ready, "the new session")
    rig.load.resume()
    rig.load.wait_for(2000)

    rig.finish("The session lost").assert_good()


def test_a_window_full_before_the_subscription_is_answered(
    new_rig: Callable[..., Rig], new_mosquitto: Callable[..., Mosquitto], living_kafka: Kafka
) -> None:
    """The answer to SUBSCRIBE stands behind what has waited: while Kafka is away, that is not the broker's silence."""
    mosquitto = new_mosquitto(durable="each second", max_inflight_messages=0)
    rig = new_rig(broker=living_kafka, mosquitto=mosquitto, version="3.1.1", max_in_flight=500)
    rig.start()
    assert rig.stop_worker() == 0
    rig.load.wait_for(3000)
    rig.load.pause()
    mosquitto.stop()
    rig.worker.start(wait=False)
    rig.wait(lambda: rig.life_or_none() is not None and _reconnects(rig, "unreachable") > 0, "Kafka alone")
    living_kafka.process.pause()
    mosquitto.start()
    rig.wait(lambda: rig.life().in_flight >= rig.window, "a full window")
    rig.faults.append("Kafka stalled when the session came back")
    full = time.monotonic()
    while time.monotonic() < full + ANSWER_SECONDS:
        assert _reconnects(rig, "silent") == 0
        time.sleep(0.5)
    living_kafka.process.resume()
    rig.wait(rig.worker.ready, "the answer to SUBSCRIBE")
    rig.load.resume()
    rig.load.wait_for(500)

    rig.finish("A window full before SUBACK").assert_good()


def _reconnects(rig: Rig, reason: str) -> float:
    return rig.worker.metric("headrace_reconnects_total", reason=reason)


def test_a_stale_acknowledgement(new_rig: Callable[..., Rig], living_kafka: Kafka) -> None:
    """Confirmations of a lost session must not acknowledge the new session's messages, which bear the same packet ids.

    The new messages have a topic of their own, which Kafka does not have while the old ones are confirmed: were one
    of them acknowledged then, nobody would send it again after the SIGKILL.
    """
    rig = new_rig(broker=living_kafka)
    weather = _second_route(rig)
    rig.worker.start(timeout=180)
    rig.client.delete_topic(weather)
    rig.wait(lambda: weather not in rig.client.topics(), "the topic to be gone")
    living_kafka.process.pause()
    old = preload(rig.mosquitto.url, MESSAGES, readings=Readings(prefix=f"{rig.tenant}/aq"))
    rig.wait(lambda: rig.life().received == MESSAGES, "the old session's messages")
    rig.mosquitto.restart()
    rig.wait(lambda: rig.worker.metric("headrace_sessions_lost_total") == 1, "the session that is lost")
    rig.wait(lambda: rig.worker.metric("headrace_feed_connected") == 1, "the new session")
    later = Readings(prefix=f"{rig.tenant}/weather", base_ts=BASE_TS + MESSAGES)
    new = preload(rig.mosquitto.url, MESSAGES, readings=later)
    rig.wait(lambda: rig.life().received == 2 * MESSAGES, "the new session's messages")
    living_kafka.process.resume()
    rig.wait(lambda: rig.life().stale == MESSAGES, "the late confirmations")
    _judge_stale(rig, weather, old, new)


def _judge_stale(rig: Rig, weather: str, old: Acknowledged, new: Acknowledged) -> None:
    life = rig.life()
    rig.kill_worker()
    rig.client.create_topic(weather, 6)
    rig.worker.start(timeout=180)
    rig.wait(lambda: rig.life().acknowledged == MESSAGES, "the new messages, once more")
    assert rig.stop_worker() == 0

    assert (life.acknowledged, life.in_flight, life.fates) == (0, MESSAGES, {"published": MESSAGES})
    assert count(old.keys(), rig.client.consume_all(rig.topic)).lost == 0
    rig.judge("A stale acknowledgement", sent=new.keys(), topic=weather, duplicates_allowed=0).assert_good()


def _second_route(rig: Rig) -> str:
    air = rig.config["connectors"]["city-aq"]
    attributes = {name: air["attributes"][name] for name in ("temperature", "relativeHumidity")}
    rig.config["connectors"]["weather"] = {**air, "model": "WeatherObserved", "attributes": attributes}
    rig.config["feeds"]["city"]["routes"].append({"topic": f"{rig.tenant}/weather/{{device}}", "connector": "weather"})
    return f"{rig.tenant}.WeatherObserved.v1"
