"""Secrets and payloads with a mark in them, through a whole worker: the mark is in nothing that Headrace says."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT, USERS
from tests.integration.worker_bench import WorkerBench, fates, reading, until
from tests.support.certs import Certificates
from tests.support.headrace import Headrace
from tests.support.log import events
from tests.support.mosquitto import Mosquitto
from tests.support.mqtt_client import MqttEndpoint
from tests.support.prometheus import get

pytestmark = pytest.mark.real
[(USER, PASSWORD)] = USERS.items()
KEY = "ca11ab1e" * 4
CODES = {"doctor": {1, 3}}
"""Which exit codes are expected, but 0: the bench has faults that a doctor finds."""
CANARIES = ("canary", KEY, KEY.upper(), PASSWORD)
PAYLOADS = (
    b"canary",
    b'{"device": "aq-0001", "ts": "canary"}',
    b'{"canary": 1, "canary": 2}',
    b'{"device": "aq-0001", "ts": 1769000000000, "temperature": "canary", "lat": "canary", "lon": 4}',
    b'{"device": "canary\\u0000", "ts": 1769000000000, "temperature": 1}',
    b"\xff\xfecanary",
)


def marked(text: str) -> list[str]:
    """List the lines that hold a mark."""
    return [line for line in text.splitlines() if any(canary in line for canary in CANARIES)]


def commands(worker: Headrace) -> Iterator[str]:
    """Run what an operator runs on the configuration, and yield all that it says."""
    about = ("--topic", f"{worker.config['tenant']}/aq/0001", "--payload", reading().decode())
    lines = [["check"], ["check", "--format", "json"], ["check", "--connect"], ["explain", *about], ["topics"]]
    lines += [["doctor"], ["doctor", "--format", "json"]]
    lines += [["top", "--count", "1"], ["top", "--count", "1", "--format", "json"]]
    lines += [["devices", each] for each in ("list", "unknown", "silent")]
    for line in lines:
        command = [sys.executable, "-m", "pipeline", *line[:1], *(line[1:2] if line[0] == "devices" else [])]
        rest = line[2:] if line[0] == "devices" else line[1:]
        done = subprocess.run(
            [*command, str(worker.file), *rest], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60
        )
        assert done.returncode in CODES.get(line[0], {0}), done.stdout + done.stderr
        assert done.stdout
        yield done.stdout + done.stderr


def test_no_output_holds_a_secret_or_a_payload(
    bench: WorkerBench, certificates: Certificates, new_mosquitto: Callable[..., Mosquitto]
) -> None:
    bench.mosquitto = new_mosquitto(users=USERS, durable=False)
    sasl = {"mechanism": "SCRAM-SHA-512", "username": USER, "password": PASSWORD}
    secure = {"security_protocol": "SASL_SSL", "tls": {"ca_file": str(certificates.ca)}, "sasl": sasl}
    servers = {"bootstrap_servers": [bench.kafka.bootstrap("SASL_SSL")]}
    config = bench.config(feed={"username": USER, "password": PASSWORD}, kafka={**servers, **secure})
    worker = bench.new_headrace(
        {**config, "devices": "devices.yaml", "unknown_devices": "accept", "log": {"level": "debug"}}
    )
    sessions = f"[{{dev_addr: 26000001, nwk_s_key: {KEY}, app_s_key: {KEY}}}]"
    registry = Path(worker.folder) / "devices.yaml"
    registry.write_text(f"- {{key: raw, sessions: {sessions}}}\n", encoding="utf-8")
    registry.chmod(0o600)
    worker.start()
    endpoint = MqttEndpoint(bench.mosquitto.port, username=USER, password=PASSWORD)
    bench.publish(*map(reading, range(3)), *PAYLOADS, endpoint=endpoint)
    assert fates(bench.settled(worker, 3 + len(PAYLOADS))) == {"published": 3, "dead_lettered": len(PAYLOADS)}
    registry.write_text(f"- {{key: raw, sessions: {sessions}, wrong: canary}}\n", encoding="utf-8")
    os.kill(worker.process.pid, signal.SIGHUP)
    until(lambda: "refused, what is in use stays" in worker.logged(), "the refused reload")
    registry.write_text(f"- {{key: raw, sessions: {sessions}}}\n", encoding="utf-8")

    for page in ("/metrics", "/livez", "/readyz", "/startupz", "/healthz?verbose", "/snapshot.json"):
        told = get(f"{worker.admin}{page}")
        assert told
        assert marked(told) == []
    for each in commands(worker):
        assert [line[max(0, line.find("canary") - 300) : line.find("canary") + 60] for line in marked(each)] == []
    bench.mosquitto.process.hard_kill()
    until(lambda: bool(events(worker.logged(), "The feed connects.")[1:]), "another try")
    assert worker.stop() == 0
    log = worker.logged()
    assert marked(log) == []
    assert all(json.loads(line)["message"] for line in log.splitlines())


def test_the_level_changes_by_signals(bench: WorkerBench) -> None:
    worker = bench.worker()

    def lowest() -> list[str]:
        return [each["lowest"] for each in events(worker.logged(), "The log tells from this level on.")]

    os.kill(worker.process.pid, signal.SIGUSR1)
    until(lambda: lowest() == ["debug"], "everything", 10)
    os.kill(worker.process.pid, signal.SIGUSR2)
    until(lambda: lowest() == ["debug", "info"], "the level of the configuration", 10)
    assert worker.stop() == 0
