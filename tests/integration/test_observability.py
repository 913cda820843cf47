"""What an operator sees: metrics that promtool and Prometheus take, health with its reasons, and how signals end it."""

import signal
import threading
import urllib.error
import urllib.request
from collections.abc import Callable

import pytest

from tests.integration.worker_bench import WorkerBench, assert_conserved, fates, reading, until
from tests.support.headrace import Headrace
from tests.support.kafka import Kafka
from tests.support.kafka_client import KafkaClient
from tests.support.log import events
from tests.support.mosquitto import Mosquitto
from tests.support.prometheus import Prometheus, check_metrics

pytestmark = pytest.mark.real


def asked(worker: Headrace, page: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"{worker.admin}{page}", timeout=30) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, refused.read().decode()


def test_promtool_and_prometheus_take_the_metrics(
    bench: WorkerBench, new_prometheus: Callable[..., Prometheus]
) -> None:
    worker = bench.worker()
    prometheus = new_prometheus(targets=[worker.admin.removeprefix("http://")])
    bench.publish(*map(reading, range(100)), b"poison")
    bench.settled(worker, 101)

    assert check_metrics(worker.exposition()) == ""
    assert worker.metric("headrace_event_age_seconds_count", topic=bench.topic) > 0
    age = worker.metric("headrace_event_age_seconds_sum", topic=bench.topic)
    assert age / worker.metric("headrace_event_age_seconds_count", topic=bench.topic) > 86_400, "the readings are old"
    assert worker.metric("headrace_connector_cpu_seconds_total", connector="city-aq") >= 0
    assert worker.metric("headrace_event_loop_lag_seconds") < 30
    published = 'headrace_messages_total{fate="published"} == 100'
    assert prometheus.wait_for(published) == 100
    [(labels, _)] = prometheus.query(published)
    assert labels["feed"] == "city"
    assert prometheus.wait_for('headrace_dead_letters_total{reason="malformed"} == 1') == 1
    conserved = "headrace_received_messages_total - sum by (feed, instance, job) (headrace_messages_total)"
    assert prometheus.wait_for(conserved) == 0
    quantile = "histogram_quantile(0.99, sum by (le) (headrace_ingest_latency_seconds_bucket))"
    assert 0 < prometheus.wait_for(quantile) < 60
    assert prometheus.wait_for('up{job="headrace"}') == 1
    assert worker.stop() == 0


def test_every_scrape_conserves(bench: WorkerBench) -> None:
    worker = bench.worker(bench.config(kafka={"linger": "20ms"}))
    sender = threading.Thread(target=bench.publish, args=tuple(map(reading, range(5000))))
    sender.start()
    scrapes = 0
    in_between = 0
    while (metrics := worker.metrics())['headrace_acknowledged_messages_total{feed="city"}'] < 5000:
        assert_conserved(metrics)
        scrapes += 1
        in_between += metrics['headrace_in_flight_messages{feed="city"}'] > 0
    sender.join()
    assert_conserved(worker.metrics())
    assert scrapes > 3
    assert in_between > 0
    assert worker.stop() == 0


def test_health_while_kafka_is_stalled(bench: WorkerBench, living_kafka: Kafka) -> None:
    bench.kafka = living_kafka
    bench.client = KafkaClient(bench.kafka.bootstrap())
    worker = bench.worker(bench.config(kafka={"request_timeout": "2s"}))
    assert asked(worker, "/readyz") == (200, "ok\n")

    bench.kafka.process.pause()
    bench.publish(*map(reading, range(50)))
    until(lambda: not worker.ready(), "readyz to say no")
    status, why = asked(worker, "/readyz")
    assert status == 503
    assert why.startswith(f"Kafka at {bench.kafka.bootstrap()} did not answer in time.")
    assert asked(worker, "/livez") == (200, "ok\n")
    metrics = worker.metrics()
    assert_conserved(metrics)
    assert metrics['headrace_in_flight_messages{feed="city"}'] == 50
    assert metrics['headrace_acknowledged_messages_total{feed="city"}'] == 0
    assert metrics["headrace_publisher_oldest_seconds"] > 1

    bench.kafka.process.resume()
    assert fates(bench.settled(worker, 50)) == {"published": 50}
    until(worker.ready, "readyz to say yes")
    assert len(bench.records()) == 50
    assert worker.stop() == 0


def test_health_while_the_broker_is_away(bench: WorkerBench, new_mosquitto: Callable[..., Mosquitto]) -> None:
    bench.mosquitto = new_mosquitto()
    worker = bench.worker()
    bench.mosquitto.stop()
    until(lambda: not worker.ready(), "readyz to say no")
    assert asked(worker, "/readyz") == (503, "Feed city is not connected.\n")
    assert asked(worker, "/livez")[0] == 200
    assert worker.metric("headrace_feed_connected", feed="city") == 0

    bench.mosquitto.start()
    worker.wait_ready()
    assert worker.metric("headrace_feed_connected", feed="city") == 1
    assert worker.metric("headrace_reconnects_total") > 0
    bench.publish(reading())
    bench.settled(worker, 1)
    assert worker.stop() == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
def test_signals_and_loops(bench: WorkerBench, number: signal.Signals, loop: str) -> None:
    worker = bench.worker(arguments=["--loop", loop])
    bench.publish(*map(reading, range(500)))
    bench.settled(worker, 500)

    worker.process.send_signal(number)

    assert worker.process.wait(90) == 0
    [draining] = events(worker.logged(), "Draining.")
    assert (draining["signal"], draining["seconds"]) == (number.name, 30)
    [settled] = events(worker.logged(), "All messages have their fate.")
    assert (settled["feed"], settled["messages"], settled["left"]) == ("city", 500, 0)
    assert "Traceback" not in worker.logged()
    assert len(bench.records()) == 500
