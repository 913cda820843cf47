"""SIGHUP when it comes at a bad moment or for a bad connector: the worker lives, and ends when it is told to."""

import os
import signal
import time
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.integration.worker_bench import WorkerBench, assert_conserved, fates, reading, until
from tests.support.headrace import Headrace
from tests.support.kafka import Kafka
from tests.support.kafka_client import KafkaClient
from tests.support.log import events

pytestmark = pytest.mark.real
RELOADED = "SIGHUP: the configuration is reloaded."


def with_vendors(bench: WorkerBench, code: str) -> tuple[Headrace, Path]:
    """Make a worker whose folder of connectors holds one module, which declares none."""
    worker = bench.new_headrace({**bench.config(), "connector_paths": ["vendors"]})
    module = worker.folder / "vendors" / "acme.py"
    module.parent.mkdir()
    module.write_text(code, encoding="utf-8")
    return worker, module


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2])
def test_a_signal_that_comes_while_it_starts_waits_until_it_can_be_served(
    bench: WorkerBench, number: signal.Signals
) -> None:
    wait = "from pathlib import Path\nimport time\nhere = Path(__file__).parent\n(here / 'reads').touch()\n"
    wait += "while not (here / 'go').exists(): time.sleep(0.01)\n"
    worker, module = with_vendors(bench, wait)
    worker.start(wait=False)
    until((module.parent / "reads").exists, "the module to be read")
    os.kill(worker.process.pid, number)
    (module.parent / "go").touch()
    worker.wait_ready()
    said = RELOADED if number == signal.SIGHUP else "The log tells from this level on."
    until(lambda: len(events(worker.logged(), said)) == 1, said, 20)
    assert worker.stop() == 0


def test_it_ends_in_time_though_a_connector_hangs(bench: WorkerBench) -> None:
    worker, module = with_vendors(bench, "")
    worker.start()
    module.write_text(
        "from pathlib import Path\nimport time\nPath(__file__).with_name('reads').touch()\ntime.sleep(1000)\n"
    )
    os.kill(worker.process.pid, signal.SIGHUP)
    until((module.parent / "reads").exists, "the module to be read")
    bench.publish(*map(reading, range(100)))
    assert fates(bench.settled(worker, 100)) == {"published": 100}
    assert worker.stop() == 0  # and not killed, as one that does not end is


def another_feed(worker: Headrace, bench: WorkerBench) -> dict[str, Any]:
    feed: dict[str, Any] = deepcopy(worker.config["feeds"]["city"])
    feed |= {"client_id": f"{bench.tenant}-b", "subscribe": [f"{bench.tenant}-b/#"]}
    feed["routes"][0]["topic"] = f"{bench.tenant}-b/aq/{{device}}"
    return feed


def with_messages_in_flight(bench: WorkerBench, kafka: Kafka) -> Headrace:
    """Start a worker that has 50 messages, which a paused Kafka does not confirm."""
    bench.kafka, bench.client = kafka, KafkaClient(kafka.bootstrap())
    worker = bench.worker()
    kafka.process.pause()
    bench.publish(*map(reading, range(50)))
    until(lambda: worker.metric("headrace_in_flight_messages") == 50, "the messages")
    return worker


def test_nothing_is_reloaded_while_it_drains(bench: WorkerBench, living_kafka: Kafka) -> None:
    worker = with_messages_in_flight(bench, living_kafka)
    worker.process.send_signal(signal.SIGTERM)
    until(lambda: bool(events(worker.logged(), "Draining.")), "the drain")
    worker.config["feeds"]["late"] = another_feed(worker, bench)
    worker.file.write_text(yaml.safe_dump(worker.config), encoding="utf-8")
    os.kill(worker.process.pid, signal.SIGHUP)
    until(lambda: bool(events(worker.logged(), "SIGHUP: not served while draining.")), "a line about it", 10)
    bench.kafka.process.resume()
    assert worker.process.wait(120) == 0
    assert events(worker.logged(), RELOADED) == []
    assert [each["feed"] for each in events(worker.logged(), "The feed reads.")] == ["city"]
    assert len(bench.records()) == 50


def test_a_stop_in_the_middle_of_a_reload_loses_nothing(bench: WorkerBench, living_kafka: Kafka) -> None:
    worker = with_messages_in_flight(bench, living_kafka)
    worker.config["feeds"] = {"late": another_feed(worker, bench)}
    worker.file.write_text(yaml.safe_dump(worker.config), encoding="utf-8")
    os.kill(worker.process.pid, signal.SIGHUP)
    time.sleep(1.0)  # the removed feed waits for Kafka now
    assert events(worker.logged(), RELOADED) == []
    worker.process.send_signal(signal.SIGTERM)
    until(lambda: bool(events(worker.logged(), "Draining.")), "the drain")
    bench.kafka.process.resume()
    assert worker.process.wait(120) == 0
    assert "Traceback" not in worker.logged()
    [left] = events(worker.logged(), "All messages have their fate.")
    assert (left["feed"], left["messages"]) == ("city", 50)
    assert len(bench.records()) == 50


def test_a_feed_that_is_removed_while_kafka_is_away_is_exported_until_its_messages_are_confirmed(
    bench: WorkerBench, living_kafka: Kafka
) -> None:
    bench.kafka = living_kafka
    bench.client = KafkaClient(bench.kafka.bootstrap())
    worker = bench.worker({**bench.config(), "drain_timeout": "1s"})
    bench.kafka.process.pause()
    bench.publish(*map(reading, range(50)))
    until(lambda: worker.metric("headrace_in_flight_messages") == 50, "the messages")
    worker.config["feeds"] = {"late": another_feed(worker, bench)}
    worker.file.write_text(yaml.safe_dump(worker.config), encoding="utf-8")
    os.kill(worker.process.pid, signal.SIGHUP)
    until(lambda: bool(events(worker.logged(), RELOADED)), "the reload", 20)
    metrics = worker.metrics()
    assert metrics['headrace_in_flight_messages{feed="city"}'] == 50
    assert_conserved(metrics)
    assert 'headrace_feed_connected{feed="city"}' not in metrics
    bench.kafka.process.resume()
    until(lambda: 'feed="city"' not in worker.exposition(), "the end of the removed feed")
    assert len(bench.records()) == 50
    assert worker.stop() == 0
