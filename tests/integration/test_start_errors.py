"""What keeps a worker from starting: exit code 1 and one sentence with the fix, the same as in the golden file."""

import re
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import USERS
from tests.integration.worker_bench import WorkerBench
from tests.support.log import events
from tests.support.mosquitto import Mosquitto
from tests.support.ports import free_port

pytestmark = pytest.mark.real
GOLDEN = Path(__file__).parent / "golden" / "start_errors.txt"


def golden(case: str) -> str:
    sentences = dict(line.split(": ", 1) for line in GOLDEN.read_text(encoding="utf-8").splitlines())
    return sentences[case]


def sentence(bench: WorkerBench, config: Mapping[str, Any]) -> str:
    """Run to the end and return what an operator reads, with the names of this run taken out."""
    worker = bench.new_headrace(config)
    worker.start(wait=False)
    assert worker.process.wait(120) == 1
    assert len(events(worker.logged())) == len(worker.logged().splitlines())
    [refused] = events(worker.logged(), "The worker cannot start.")
    return re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:PORT", refused["problem"].replace(bench.tenant, "TENANT"))


def test_kafka_is_not_there(bench: WorkerBench) -> None:
    config = bench.config(kafka={"bootstrap_servers": [f"127.0.0.1:{free_port()}"]})
    assert sentence(bench, config) == golden("kafka away")


def test_kafka_speaks_tls(bench: WorkerBench) -> None:
    config = bench.config(kafka={"bootstrap_servers": [bench.kafka.bootstrap("SSL")]})
    assert sentence(bench, config) == golden("kafka speaks tls")


def test_a_topic_is_missing(bench: WorkerBench) -> None:
    assert sentence(bench, bench.config(kafka={"create_topics": None})) == golden("topics missing")
    bench.client.create_topic(bench.topic)
    assert sentence(bench, bench.config(kafka={"create_topics": None})) == golden("dead-letter topic missing")


def test_a_topic_cannot_be_made(bench: WorkerBench) -> None:
    config = bench.config(kafka={"create_topics": {"partitions": 1, "replication_factor": 3}})
    # In brackets stands what this version of Kafka says about it.
    assert re.sub(r" \(.*\)", " (...)", sentence(bench, config)) == golden("replication")


def test_the_broker_refuses_the_password(bench: WorkerBench, new_mosquitto: Callable[..., Mosquitto]) -> None:
    bench.mosquitto = new_mosquitto(users=USERS, durable=False)
    wrong = {"username": "headrace", "password": "canary"}
    assert sentence(bench, bench.config(feed=wrong)) == golden("mqtt password, 5")
    assert sentence(bench, bench.config(feed={**wrong, "version": "3.1.1"})) == golden("mqtt password, 3.1.1")


def test_a_secret_cannot_be_read(bench: WorkerBench) -> None:
    config = bench.config(feed={"username": "headrace", "password_file": "nothing-here"})
    assert re.sub(r" \S*/nothing-here", " FILE", sentence(bench, config)) == golden("secret away")


def test_the_admin_port_is_taken(bench: WorkerBench) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        config = {**bench.config(), "admin": {"listen": f"127.0.0.1:{taken.getsockname()[1]}"}}
        assert sentence(bench, config) == golden("admin port taken")


def test_a_wrong_configuration_is_two(bench: WorkerBench) -> None:
    worker = bench.new_headrace(bench.config(feed={"qos": 9}))
    worker.start(wait=False)
    assert worker.process.wait(60) == 2
    assert "feeds.city.qos" in worker.logged()
