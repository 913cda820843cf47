"""Secrets and certificates that change while a worker runs: read again at the next connection, and at a reload."""

import json
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import USERS
from tests.integration.worker_bench import WorkerBench, reading, until
from tests.support.certs import Certificates
from tests.support.headrace import Headrace
from tests.support.kafka import Kafka
from tests.support.kafka_client import KafkaClient
from tests.support.mosquitto import Mosquitto
from tests.support.mqtt_client import MqttEndpoint
from tests.support.prometheus import get

pytestmark = pytest.mark.real
[(USER, PASSWORD)] = USERS.items()


def unready(worker: Headrace, why: str) -> bool:
    told = get(f"{worker.admin}/snapshot.json")
    return told is not None and any(why in reason for reason in json.loads(told)["not_ready"])


def reloaded(worker: Headrace) -> None:
    worker.file.write_text(json.dumps(worker.config), encoding="utf-8")
    os.kill(worker.process.pid, signal.SIGHUP)


class Rotated:
    """One secret of a worker's way into Kafka, that is first right, then wrong, then right again."""

    def __init__(self, kafka: Kafka, folder: Path, certificates: Certificates) -> None:
        self._file, self._identity, self._all = folder / "secret", certificates.authority.issue("ours"), certificates
        self.right()
        tls: dict[str, Any] = {"ca_file": str(certificates.ca)}
        mine = {"cert_file": str(self._identity.certificate), "key_file": str(self._identity.key)}
        sasl = {"mechanism": "SCRAM-SHA-512", "username": USER, "password_file": str(self._file)}
        self.ways: dict[str, dict[str, Any]] = {
            "SSL": {"tls": {**tls, **mine}},
            "SASL_SSL": {"tls": tls, "sasl": sasl},
        }
        for listener, way in self.ways.items():
            way |= {"bootstrap_servers": [kafka.bootstrap(listener)], "security_protocol": listener}

    def right(self) -> None:
        self._file.write_text(PASSWORD, encoding="utf-8")
        self._identity.become(self._all.client)

    def wrong(self) -> None:
        self._file.write_text("another", encoding="utf-8")
        self._identity.become(self._all.client_wrong_authority)


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("own"))


@pytest.fixture(scope="module")
def restarted_kafka(own: Certificates, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kafka]:
    with Kafka(tmp_path_factory.mktemp("restarted"), certificates=own, users=USERS) as broker:
        yield broker


@pytest.mark.parametrize(("listener", "why"), [("SSL", "cert_file"), ("SASL_SSL", "refused our credentials")])
def test_kafka_finds_what_was_rotated_when_it_comes_back(
    bench: WorkerBench, restarted_kafka: Kafka, own: Certificates, tmp_path: Path, *, listener: str, why: str
) -> None:
    bench.kafka = restarted_kafka
    bench.client = KafkaClient(bench.kafka.bootstrap())
    rotated = Rotated(bench.kafka, tmp_path, own)
    worker = bench.worker(bench.config(kafka=rotated.ways[listener]))
    rotated.wrong()
    bench.kafka.restart()
    bench.publish(reading(0))
    until(lambda: unready(worker, why), "that Kafka does not take the wrong one", 30)
    rotated.right()
    bench.settled(worker, 1)
    assert len(bench.records()) == 1
    assert worker.stop() == 0


def test_a_changed_password_of_the_configuration_is_taken_by_a_reload(
    bench: WorkerBench, new_mosquitto: Callable[..., Mosquitto]
) -> None:
    """One that stands in a file is read at each connection; one that stands in the configuration comes with it."""
    bench.mosquitto = new_mosquitto(users=USERS, durable=False)
    worker = bench.worker(bench.config(feed={"username": USER, "password": PASSWORD}))
    worker.config["feeds"]["city"]["password"] = "wrong"
    reloaded(worker)
    until(lambda: worker.metric("headrace_feed_connected", feed="city") == 0, "that it connects anew", 20)
    worker.config["feeds"]["city"]["password"] = PASSWORD
    reloaded(worker)
    until(lambda: worker.metric("headrace_feed_connected", feed="city") == 1, "the right one", 20)
    bench.publish(reading(0), endpoint=MqttEndpoint(bench.mosquitto.port, username=USER, password=PASSWORD))
    bench.settled(worker, 1)
    assert worker.stop() == 0
