"""`check --connect` against the real parts: each finding, its exit code, and that a trial leaves no trace."""

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import USERS
from tests.integration.worker_bench import READING, WorkerBench, fates, reading
from tests.support.headrace import ROOT
from tests.support.mosquitto import Mosquitto
from tests.support.ports import free_port

pytestmark = pytest.mark.real


class Check:
    """The command, run as an operator runs it."""

    def __init__(self, config: Mapping[str, Any], folder: Path) -> None:
        file = folder / "checked.yaml"
        file.write_text(yaml.safe_dump(dict(config), sort_keys=False), encoding="utf-8")
        command = [sys.executable, "-m", "pipeline", "check", str(file), "--connect", "--format", "json"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, timeout=150)
        self.code = done.returncode
        self.err = done.stderr
        self.findings: list[dict[str, Any]] = json.loads(done.stdout)["findings"]

    def said(self, path: str, severity: str = "warning") -> list[str]:
        return [each["message"] for each in self.findings if (each["path"], each["severity"]) == (path, severity)]


def test_all_is_well_but_battery_goes_nowhere(bench: WorkerBench, tmp_path: Path) -> None:
    bench.publish_on([(f"{bench.tenant}/aq/0001", reading(), True)])

    check = Check(bench.config(), tmp_path)

    assert check.code == 0, check.findings
    assert check.err == ""
    [finding] = check.findings
    assert finding["path"] == "connectors.city-aq.attributes"
    assert finding["message"] == "no attribute takes `battery` of the payload: not published."
    assert finding["line"] is not None
    assert not [topic for topic in bench.client.topics() if topic.startswith(bench.tenant)]


def test_what_arrives_is_judged_in_memory(bench: WorkerBench, tmp_path: Path) -> None:
    deep: dict[str, Any] = {"radio": {"rssi": -97, "snr": 8}, "odd\u001b[31m": 1}
    retained = {
        "aq/0001": reading(**deep),
        "aq/0002": b"\xff",
        "aq/0003": b'{"ts":1}',
        "aq/0004": b"not json",
        "noise/0001": b"{}",
    }
    bench.publish_on([(f"{bench.tenant}/{topic}", payload, True) for topic, payload in retained.items()])

    check = Check(bench.config(), tmp_path)

    assert check.code == 0, check.findings
    assert check.said("connectors.city-aq.attributes") == [
        'no attribute takes `"[\\"odd\\u001b[31m\\"]"`, `battery`, `radio` of the payload: not published.'
    ]
    missing, malformed = sorted(check.said("connectors.city-aq"), key=lambda said: "(malformed)" in said)
    assert missing.startswith(
        f"1 message would become dead letters (device_missing), the first on {bench.tenant}/aq/0003"
    )
    assert malformed.startswith("2 messages would become dead letters (malformed)")
    assert check.said("feeds.city.routes") == [
        f"no route matches `{bench.tenant}/noise/0001`; 1 message would become dead letters (no_route)."
    ]
    assert all(finding["fix"] for finding in check.findings)


def test_nothing_arrives(bench: WorkerBench, tmp_path: Path) -> None:
    check = Check(bench.config(), tmp_path)
    assert check.code == 0, check.findings
    assert check.said("feeds.city") == ["no message came within 3 s, so no route or connector could be tried."]


@pytest.mark.parametrize("version", ["3.1.1", "5"])
def test_a_running_worker_keeps_its_session_and_messages(bench: WorkerBench, tmp_path: Path, version: str) -> None:
    shared = {"subscribe": [f"$share/{bench.tenant}/{bench.tenant}/#"]} if version == "5" else {}
    config = bench.config(feed={"version": version, **shared})
    worker = bench.worker(config)
    bench.publish(*map(reading, range(10)))
    bench.settled(worker, 10)

    check = Check({**config, "admin": {"listen": f"127.0.0.1:{free_port()}"}}, tmp_path)

    assert check.code == 0, check.findings
    bench.publish(*map(reading, range(10, 20)))
    assert fates(bench.settled(worker, 20)) == {"published": 20}
    assert worker.metric("headrace_reconnects_total") == 0
    assert worker.stop() == 0
    assert len(bench.records()) == 20


def test_the_trial_leaves_no_session_behind(
    bench: WorkerBench, new_mosquitto: Callable[..., Mosquitto], tmp_path: Path
) -> None:
    bench.mosquitto = new_mosquitto(durable=True)
    for version in ("3.1.1", "5"):
        Check(bench.config(feed={"version": version}), tmp_path)
    bench.publish(reading())
    bench.mosquitto.stop()
    kept = (bench.mosquitto.folder / "mosquitto.db").read_bytes()
    assert b"-check-" not in kept
    assert bench.tenant.encode() + b"/#" not in kept


def test_broker_and_kafka_away(bench: WorkerBench, tmp_path: Path) -> None:
    nobody, nowhere = free_port(), free_port()
    feed = {"url": f"mqtt://127.0.0.1:{nobody}"}

    check = Check(bench.config(feed=feed, kafka={"bootstrap_servers": [f"127.0.0.1:{nowhere}"]}), tmp_path)

    assert check.code == 1
    assert "Traceback" not in check.err
    [broker] = check.said("feeds.city.url", "error")
    assert broker.startswith(f"Feed city: mqtt://127.0.0.1:{nobody} cannot be reached")
    [kafka] = check.said("kafka.bootstrap_servers", "error")
    assert kafka.startswith(f"Kafka at 127.0.0.1:{nowhere} cannot be reached")


def test_wrong_credentials(bench: WorkerBench, new_mosquitto: Callable[..., Mosquitto], tmp_path: Path) -> None:
    bench.mosquitto = new_mosquitto(users=USERS, durable=False)
    sasl = {"mechanism": "SCRAM-SHA-512", "username": "headrace", "password": "canary-1"}
    kafka = {
        "bootstrap_servers": [bench.kafka.bootstrap("SASL_PLAINTEXT")],
        "security_protocol": "SASL_PLAINTEXT",
        "sasl": sasl,
    }

    check = Check(bench.config(feed={"username": "headrace", "password": "canary-2"}, kafka=kafka), tmp_path)

    assert check.code == 1
    assert "Check user, password, client id" in check.said("feeds.city.url", "error")[0]
    assert "refused our credentials" in check.said("kafka.bootstrap_servers", "error")[0]
    assert "canary" not in json.dumps(check.findings) + check.err


def test_topics(bench: WorkerBench, tmp_path: Path) -> None:
    bench.client.create_topic(bench.topic, 3, {"max.message.bytes": "20000"})
    bench.publish_on([(f"{bench.tenant}/aq/0001", json.dumps({**READING, "battery": None}).encode(), True)])

    check = Check(bench.config(), tmp_path)
    assert check.code == 0, check.findings
    assert "3 partitions" in check.said("kafka.create_topics.partitions")[0]
    assert "20000 bytes (max.message.bytes), less than a chunk" in check.said("kafka.chunk_bytes")[0]
    assert "larger ones become dead letters" in check.said("kafka.topics")[0]

    check = Check(bench.config(kafka={"create_topics": None}), tmp_path)
    assert check.code == 1
    assert check.said("kafka.topics", "error")[0].startswith(f"Kafka has no topic {bench.letter_topic}.")

    check = Check(bench.config(kafka={"create_topics": {"partitions": 1, "replication_factor": 3}}), tmp_path)
    assert check.code == 1
    assert f"would not create topic {bench.letter_topic}" in check.said("kafka.create_topics", "error")[0]
    assert bench.letter_topic not in bench.client.topics()
