"""What Kafka would refuse a whole batch for: a device's clock, and sizes."""

import json
import time

import pytest

from tests.integration.worker_bench import READING, WorkerBench, entity_of, fates, headers_of, number_of, reading

pytestmark = pytest.mark.real
HOUR = 3_600_000


def test_a_device_clock_two_hours_ahead(bench: WorkerBench) -> None:
    """With the observation as Kafka's time the broker would refuse the batch, and the next one too."""
    worker = bench.worker(bench.config(kafka={"linger": "500ms", "create_topics": {"partitions": 1}}))
    before = time.time_ns() // 1_000_000
    ahead = before + 2 * HOUR - READING["ts"]
    others = [reading(number, 2) for number in range(1000)]
    bench.publish(*others[:500], reading(ahead), *others[500:])

    metrics = bench.settled(worker, 1001)
    assert fates(metrics) == {"published": 1001}
    assert not [name for name in metrics if name.startswith("headrace_producer_rebuilds_total")]
    assert metrics["headrace_bisections_total"] == 0
    assert worker.stop() == 0
    after = time.time_ns() // 1_000_000

    records = bench.records()
    assert len(records) == 1001
    [flagged] = [record for record in records if "ce_quality" in headers_of(record)]
    headers = headers_of(flagged)
    assert headers["ce_quality"] == "clock"
    assert headers["ce_idclass"] == "arrival"
    arrival, _, checksum = headers["ce_id"].rpartition(":")[2].partition("-")
    assert before <= int(arrival) <= after
    assert len(checksum) == 9
    assert entity_of(flagged)["id"].endswith(":aq-0001")
    assert all(before <= record.timestamp <= after for record in records)
    rest = [record for record in records if record is not flagged]
    assert list(map(number_of, rest)) == [(2, number) for number in range(1000)]


def test_a_topic_that_takes_less_than_a_chunk(bench: WorkerBench) -> None:
    bench.client.create_topic(bench.topic, 1, {"max.message.bytes": "16384"})
    worker = bench.worker(bench.config(kafka={"linger": "500ms", "chunk_bytes": "1MiB"}))
    bench.publish(*map(reading, range(1000)))

    metrics = bench.settled(worker, 1000)
    assert fates(metrics) == {"published": 1000}
    assert worker.stop() == 0
    assert list(map(number_of, bench.records())) == [(1, number) for number in range(1000)]
    chunks = metrics[f'headrace_chunk_records_count{{topic="{bench.topic}"}}']
    assert chunks >= metrics[f'headrace_published_bytes_total{{topic="{bench.topic}"}}'] / 16384


def test_a_topic_made_smaller_while_the_worker_runs(bench: WorkerBench) -> None:
    """The limit is read at the start, so that the batch is refused and cut in halves until it fits."""
    bench.client.create_topic(bench.topic, 1)
    worker = bench.worker(bench.config(kafka={"linger": "500ms", "chunk_bytes": "1MiB"}))
    bench.configure_topic({"max.message.bytes": "16384"})
    long = {**READING, "device": "x" * 200, "ts": READING["ts"] + 1}
    bench.publish(*map(reading, range(500)), json.dumps(long).encode(), *map(reading, range(500, 1000)))

    metrics = bench.settled(worker, 1001)
    assert metrics["headrace_bisections_total"] > 0
    assert fates(metrics) == {"published": 1001}
    assert worker.stop() == 0
    numbers = [number_of(record) for record in bench.records() if b"xxx" not in (record.key or b"")]
    assert numbers == [(1, number) for number in range(1000)]


@pytest.mark.parametrize("known", [True, False], ids=["at the start", "by bisection"])
def test_a_topic_that_takes_less_than_one_record(bench: WorkerBench, known: bool) -> None:
    """One record of a long device name is too large: it alone becomes a dead letter."""
    small = {"max.message.bytes": "2300"}
    bench.client.create_topic(bench.topic, 1, small if known else None)
    worker = bench.worker(bench.config(kafka={"linger": "500ms"}))
    if not known:
        bench.configure_topic(small)
    large = json.dumps({**READING, "device": "\u00fc" * 200}).encode()
    bench.publish(*map(reading, range(20)), large, *map(reading, range(20, 40)))

    metrics = bench.settled(worker, 41)
    assert fates(metrics) == {"published": 40, "dead_lettered": 1}
    assert metrics['headrace_dead_letters_total{feed="city",reason="record_too_large"}'] == 1
    assert (metrics["headrace_bisections_total"] > 0) is not known
    assert worker.stop() == 0
    assert list(map(number_of, bench.records())) == [(1, number) for number in range(40)]
    [letter] = bench.letters()
    assert letter.value == large
    headers = headers_of(letter)
    assert headers["ce_reason"] == "record_too_large"
    assert headers["ce_stage"] == "publish"
    assert headers["ce_sourcetopic"] == f"{bench.tenant}/aq/0001"
    assert headers["ce_connector"].startswith("city-aq@")
