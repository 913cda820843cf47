"""`doctor` against the real parts, with a fault planted in each: what it finds, what to write, its exit code."""

import asyncio
import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline import config
from pipeline.demo import stack
from pipeline.publish.options import KafkaOptions
from pipeline.publish.survey import ClockFacts, Untold, survey
from pipeline.tools.doctor import kafka
from tests.conftest import USERS
from tests.integration.worker_bench import WorkerBench, reading, until
from tests.support.certs import Certificates
from tests.support.headrace import ROOT, Headrace
from tests.support.kafka import Kafka
from tests.support.kafka_client import DESCRIBE, KafkaClient
from tests.support.mosquitto import Mosquitto
from tests.support.mqtt_client import MqttEndpoint, Subscriber, publish
from tests.support.ports import LOOPBACK, free_port, is_open
from tests.support.process import Process

pytestmark = pytest.mark.real


class Doctor:
    """The command, run as an operator runs it."""

    def __init__(self, config: Mapping[str, Any], folder: Path, *arguments: str) -> None:
        self.file = folder / "city.yaml"
        self.file.write_text(yaml.safe_dump(dict(config), sort_keys=False), encoding="utf-8")
        command = [sys.executable, "-m", "pipeline", "doctor", str(self.file), "--format", "json", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, timeout=150)
        self.code, self.err = done.returncode, done.stderr
        assert done.stdout, done.stderr
        report = json.loads(done.stdout)
        self.worst: str = report["worst"]
        self.findings: list[dict[str, Any]] = report["findings"]

    def of(self, check: str) -> list[dict[str, Any]]:
        return [each for each in self.findings if each["check"] == check]

    def severities(self, check: str) -> list[str]:
        return [each["severity"] for each in self.of(check)]


def config_of(bench: WorkerBench, **changes: Any) -> dict[str, Any]:
    return {**bench.config(**changes), "admin": {"listen": f"127.0.0.1:{free_port()}"}}


def test_a_healthy_city_with_one_broker(bench: WorkerBench, tmp_path: Path) -> None:
    for topic in (bench.topic, bench.letter_topic):
        bench.client.create_topic(topic, 6, {"message.timestamp.type": "LogAppendTime"})

    doctor = Doctor(config_of(bench), tmp_path, "--rate", "100")

    assert doctor.err == ""
    bad = {each["check"] for each in doctor.findings if each["severity"] in {"warning", "critical"}}
    assert bad <= {"kafka.replication", "machine.clock"}, doctor.findings
    assert (doctor.code, doctor.worst) == (3, "warning")
    [copies] = doctor.of("kafka.replication")
    said = (
        "add below kafka.create_topics: replication_factor: 3, for topics yet to be made; kafka-reassign-partitions.sh"
    )
    assert copies["change"].startswith(said)
    line = doctor.file.read_text(encoding="utf-8").splitlines()[copies["line"] - 1]
    assert "create_topics" in line
    assert doctor.severities("kafka.rights") == ["ok"]
    assert "Write" in doctor.of("kafka.rights")[0]["evidence"]
    assert doctor.severities("kafka.clock") == ["ok"]
    assert "Kafka's node 1, give or take " in doctor.of("kafka.clock")[0]["evidence"]
    assert doctor.severities("mqtt.window") == ["ok"]
    assert doctor.severities("worker") == ["info"]
    assert doctor.severities("mqtt.persistence") == ["info"]
    assert "mosquitto version" in doctor.of("mqtt.persistence")[0]["evidence"]
    assert not bench.records()
    assert not bench.letters()


@pytest.mark.parametrize(("wrong", "severity"), [(0, "ok"), (-60, "warning"), (60, "warning"), (7200, "critical")])
def test_a_clock_that_is_wrong(bench: WorkerBench, tmp_path: Path, wrong: int, severity: str) -> None:
    """The machine's clock is everybody's, so the survey is given one of the test's own."""
    bench.client.create_topic(bench.topic, 1, {"message.timestamp.after.max.ms": "3600000"})
    file = tmp_path / "city.yaml"
    file.write_text(yaml.safe_dump(bench.config()), encoding="utf-8")

    facts = asyncio.run(survey(KafkaOptions([bench.kafka.bootstrap()]), [bench.topic], lambda: time.time() + wrong))

    assert isinstance(facts.clock, ClockFacts), facts.clock
    assert abs(facts.clock.ahead - wrong) < 1
    found = kafka.judge_clock(config.load(file, {}), facts)
    assert found.severity == severity, found


def test_a_broker_that_tells_no_time(tmp_path: Path) -> None:
    """Tansu speaks Kafka's protocol without a quorum; Kafka with ZooKeeper leaves the question out in the same way."""
    port = free_port()
    tansu = Process(stack.kafka_command(tmp_path, port), tmp_path / "tansu.log", cwd=tmp_path)
    tansu.start()
    try:
        tansu.wait_until(lambda: is_open(port), what="listening")
        facts = asyncio.run(survey(KafkaOptions([f"{LOOPBACK}:{port}"]), []))
    finally:
        tansu.terminate()

    assert isinstance(facts.clock, Untold), facts.clock
    assert facts.clock.why.startswith("only Kafka 3.3 or later in KRaft mode tells its time")


def test_queues_that_were_full(bench: WorkerBench, new_mosquitto: Callable[..., Mosquitto], tmp_path: Path) -> None:
    """`max_queued_messages 10`, a worker that is away, and 100 messages: $SYS tells how many are gone."""
    bench.mosquitto = new_mosquitto(durable=False, max_queued_messages=10)
    config = config_of(bench)
    worker = bench.worker(config)
    assert worker.stop() == 0
    publish(MqttEndpoint(bench.mosquitto.port), [(f"{bench.tenant}/aq/0001", reading(n)) for n in range(100)])

    doctor = Doctor(config, tmp_path)

    assert doctor.code == 1
    [queues] = doctor.of("mqtt.queues")
    assert (queues["severity"], queues["file"], queues["change"]) == (
        "critical",
        "mosquitto.conf",
        "max_queued_messages 0",
    )
    assert "has dropped" in queues["evidence"]


def test_topics_with_faults(bench: WorkerBench, tmp_path: Path) -> None:
    settings = {
        "max.message.bytes": "20000",
        "retention.ms": "60000",
        "cleanup.policy": "compact,delete",
        "message.timestamp.before.max.ms": "1000",
    }
    bench.client.create_topic(bench.topic, 6, settings)

    doctor = Doctor(config_of(bench, kafka={"create_topics": None}), tmp_path)

    assert doctor.code == 1
    said = {(each["check"], each["severity"]): each for each in doctor.findings}
    missing = [each for each in doctor.of("connection") if each["severity"] == "critical"]
    assert f"Kafka has no topic {bench.letter_topic}." in missing[0]["evidence"]
    small = [each for each in doctor.of("connection") if "max.message.bytes" in each["evidence"]]
    assert small[0]["severity"] == "warning"
    assert "chunk_bytes: 20000" in small[0]["change"]
    change = said["kafka.timestamps", "warning"]["change"]
    assert change.startswith("kafka-configs.sh --bootstrap-server")
    assert f"--entity-name {bench.topic} --add-config message.timestamp.type=LogAppendTime" in change
    retention = [each["evidence"] for each in doctor.of("kafka.retention")]
    assert any("cleanup.policy=compact,delete" in each for each in retention)
    assert any("kept 1min" in each or "kept 60s" in each for each in retention), retention


def test_a_certificate_that_is_over(
    bench: WorkerBench, new_mosquitto: Callable[..., Mosquitto], certificates: Certificates, tmp_path: Path
) -> None:
    broker = new_mosquitto(durable=False, certificates=certificates)
    conf = broker.folder / "mosquitto.conf"
    expired = certificates.server_expired
    text = conf.read_text(encoding="utf-8").replace(str(certificates.server.certificate), str(expired.certificate))
    broker.stop()
    conf.write_text(text.replace(str(certificates.server.key), str(expired.key)), encoding="utf-8")
    broker.process.start()
    broker.process.wait_until(lambda: "running" in broker.process.logged(0), what="running")
    tls = {"ca_file": str(certificates.ca), "cert_file": str(certificates.client_expired.certificate)}
    tls["key_file"] = str(certificates.client_expired.key)
    feed = {"url": f"mqtts://127.0.0.1:{broker.tls_port}", "tls": tls}

    doctor = Doctor(config_of(bench, feed=feed), tmp_path)

    assert doctor.code == 1
    [server] = doctor.of("tls")
    assert server["severity"] == "critical"
    assert "certificate has expired" in server["evidence"]
    [own] = [each for each in doctor.of("tls.expiry") if each["severity"] == "critical"]
    assert own["path"] == "feeds.city.tls.cert_file"
    assert "which is over" in own["evidence"]
    [authority] = [each for each in doctor.of("tls.expiry") if each["path"] == "feeds.city.tls.ca_file"]
    assert authority["severity"] == "ok"


def test_a_server_that_is_away_is_said_once_and_by_nobody_to_be_renewed(
    bench: WorkerBench, certificates: Certificates, tmp_path: Path
) -> None:
    config = config_of(bench, feed={"url": "mqtts://127.0.0.1:9", "tls": {"ca_file": str(certificates.ca)}})
    config["kafka"] = {"bootstrap_servers": ["kafka.invalid:9093"], "security_protocol": "SSL"}

    doctor = Doctor(config, tmp_path)

    assert doctor.code == 1
    assert doctor.of("tls") == []
    away = [each["evidence"] for each in doctor.of("connection") if each["severity"] == "critical"]
    assert len(away) == 2
    # Why a name leads nowhere is said in other words where there is no name server at all.
    assert any(re.search(r"kafka\.invalid:9093 cannot be reached: [^\[.]+\. Check", each) for each in away), away


def test_a_worker_that_runs_tells_more(bench: WorkerBench, tmp_path: Path) -> None:
    config = config_of(bench, feed={"max_in_flight": 10})
    worker = bench.worker(config)
    bench.publish(*map(reading, range(50)))
    bench.settled(worker, 50)

    doctor = Doctor({**config, "state_dir": str(worker.folder / "state")}, tmp_path, "--rate", "50000")

    assert doctor.code == 1
    [window] = doctor.of("mqtt.window")
    assert window["severity"] == "critical"
    assert "by the worker's own figures" in window["evidence"]
    assert window["change"].startswith("max_in_flight: ")
    assert int(window["change"].split()[1]) > 10
    assert "max_in_flight" in doctor.file.read_text(encoding="utf-8").splitlines()[window["line"] - 1]
    assert doctor.severities("mqtt.broker_window") == ["warning"]
    assert doctor.severities("mqtt.client_id") == ["ok"]
    assert worker.metric("headrace_reconnects_total", feed="city", reason="closed") == 0
    assert worker.stop() == 0


def test_two_clients_with_one_id(bench: WorkerBench, tmp_path: Path) -> None:
    config = config_of(bench)
    worker = bench.worker(config)
    client_id = config["feeds"]["city"]["client_id"]
    while (closed := _closed(worker)) < 3:
        with Subscriber(bench.mosquitto.port, client_id):
            until(partial(_more, worker, closed), "the worker to be sent away")
        worker.wait_ready()

    doctor = Doctor(config, tmp_path)

    [client] = doctor.of("mqtt.client_id")
    assert (client["severity"], doctor.code) == ("warning", 3)
    assert " times since the worker started" in client["evidence"]
    assert client["path"] == "feeds.city.client_id"
    assert client["change"] == "client_id: <one of its own>"
    assert worker.stop() == 0


def _closed(worker: Headrace) -> float:
    return worker.metric("headrace_reconnects_total", feed="city", reason="closed")


def _more(worker: Headrace, than: float) -> bool:
    return _closed(worker) > than


def test_what_kafka_does_not_allow(bench: WorkerBench, new_kafka: Callable[..., Kafka], tmp_path: Path) -> None:
    settings = {
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:ANONYMOUS",
        "allow.everyone.if.no.acl.found": "false",
    }
    bench.kafka = new_kafka(users=USERS, settings=settings)
    bench.client = KafkaClient(bench.kafka.bootstrap())
    bench.client.create_topic(bench.topic, 1)
    bench.client.create_topic(bench.letter_topic, 1)
    bench.client.allow("User:headrace", bench.topic, DESCRIBE)
    sasl = {"mechanism": "SCRAM-SHA-512", "username": "headrace", "password": "headrace-secret"}
    kafka = {"bootstrap_servers": [bench.kafka.bootstrap("SASL_PLAINTEXT")], "security_protocol": "SASL_PLAINTEXT"}

    doctor = Doctor(config_of(bench, kafka={**kafka, "sasl": sasl, "idempotent": False}), tmp_path)

    assert doctor.code == 1
    [rights] = doctor.of("kafka.rights")
    assert rights["severity"] == "critical"
    assert rights["evidence"] == f"{bench.topic}: User:headrace may not Write."
    assert "--allow-principal User:headrace --operation Write" in rights["change"]
    [found] = doctor.of("kafka.clock")
    assert found["severity"] == "info", "a right that is missing is no fault of the clock"
    assert found["evidence"].endswith("Kafka answered CLUSTER_AUTHORIZATION_FAILED.")
    assert found["change"].endswith(" --allow-principal User:headrace --operation Describe --cluster")
    assert "headrace-secret" not in json.dumps(doctor.findings) + doctor.err
