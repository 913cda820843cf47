"""`headrace tail` through every kind of listener, and what it says when it may not or cannot read."""

import asyncio
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiokafka import AIOKafkaProducer

from pipeline.core.delivery import Message
from pipeline.core.errors import Reason
from pipeline.core.record import decode_headers
from pipeline.encode.dead_letter import DeadLetters
from tests.conftest import USERS
from tests.integration.worker_bench import WorkerBench
from tests.support.certs import Certificates
from tests.support.headrace import ROOT

pytestmark = pytest.mark.real
[(USER, PASSWORD)] = USERS.items()


def tail(bench: WorkerBench, folder: Path, kafka: dict[str, Any], *more: str) -> subprocess.CompletedProcess[str]:
    file = folder / "city.yaml"
    file.write_text(yaml.safe_dump(bench.config(kafka=kafka)), encoding="utf-8")
    command = [sys.executable, "-m", "pipeline", "tail", "AirQualityObserved", str(file), *more]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=150)


def ways(bench: WorkerBench, certificates: Certificates) -> dict[str, dict[str, Any]]:
    ca = {"ca_file": str(certificates.ca)}
    own = {"cert_file": str(certificates.client.certificate), "key_file": str(certificates.client.key)}
    sasl = {"mechanism": "SCRAM-SHA-512", "username": USER, "password": PASSWORD}
    made = {
        "PLAINTEXT": {},
        "SSL": {"tls": {**ca, **own}},
        "SASL_SSL": {"tls": ca, "sasl": sasl},
    }
    return {
        name: {"bootstrap_servers": [bench.kafka.bootstrap(name)], "security_protocol": name, **each}
        for name, each in made.items()
    }


@pytest.mark.parametrize("way", ["PLAINTEXT", "SSL", "SASL_SSL"])
def test_every_way_in(bench: WorkerBench, certificates: Certificates, tmp_path: Path, way: str) -> None:
    bench.client.create_topic(bench.topic, 3)
    bench.client.produce(bench.topic, [(b"one", b'{"a": {"value": 1}}'), (b"two", b'{"a": {"value": 2}}')])

    done = tail(bench, tmp_path, ways(bench, certificates)[way], "--from-beginning", "--count", "1", "--key", "two")

    assert done.returncode == 0, done.stderr
    assert "a: 2" in done.stdout
    assert "a: 1" not in done.stdout
    assert done.stderr == ""


def test_a_topic_that_is_not_there_is_not_made(bench: WorkerBench, tmp_path: Path) -> None:
    done = tail(bench, tmp_path, {})
    assert done.returncode == 1
    assert done.stderr.startswith(f"Kafka has no topic {bench.topic}.")
    assert bench.topic not in bench.client.topics()


def test_a_wrong_password(bench: WorkerBench, certificates: Certificates, tmp_path: Path) -> None:
    way = ways(bench, certificates)["SASL_SSL"]
    way["sasl"]["password"] = "canary"
    done = tail(bench, tmp_path, way)
    assert done.returncode == 1
    assert "refused our credentials" in done.stderr
    assert "canary" not in done.stderr
    assert "Traceback" not in done.stderr


def test_it_ends_after_what_is_there(bench: WorkerBench, tmp_path: Path) -> None:
    bench.client.create_topic(bench.topic, 3)
    nothing = tail(bench, tmp_path, {}, "--until-end")
    assert (nothing.returncode, nothing.stdout) == (0, "")
    bench.client.produce(bench.topic, [(b"%d" % number, b'{"a": {"value": %d}}' % number) for number in range(20)])

    everything = tail(bench, tmp_path, {}, "--until-end")
    assert sorted(re.findall(r"a: (\d+)", everything.stdout), key=int) == [str(number) for number in range(20)]
    assert len(re.findall(r"a: ", tail(bench, tmp_path, {}, "--since", "1h", "--until-end").stdout)) == 20
    later = tail(bench, tmp_path, {}, "--since", "2099-01-01T00:00:00Z", "--until-end")
    assert (later.returncode, later.stdout) == (0, "")


def test_dead_letters_of_one_reason(bench: WorkerBench, tmp_path: Path) -> None:
    letters = DeadLetters(bench.tenant, bench.letter_topic)
    made = [
        letters.record(Message("t", b"%d" % at, at), feed="city", connector="", stage="route", reason=reason, detail="")
        for at, reason in enumerate([Reason.NO_ROUTE, Reason.MALFORMED, Reason.NO_ROUTE])
    ]
    bench.client.create_topic(bench.letter_topic, 1)

    async def produce() -> None:
        async with AIOKafkaProducer(bootstrap_servers=bench.kafka.bootstrap()) as producer:
            for each in made:
                await producer.send_and_wait(bench.letter_topic, each.value, headers=decode_headers(each.headers))

    asyncio.run(produce())
    file = tmp_path / "city.yaml"
    file.write_text(yaml.safe_dump(bench.config()), encoding="utf-8")
    command = [sys.executable, "-m", "pipeline", "tail", str(file), "--reason", "no_route", "--until-end"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=50)
    assert (done.returncode, done.stdout.count("no_route (stage route"), done.stdout.count("malformed")) == (0, 2, 0)


STRANGE: tuple[tuple[bytes | None, bytes | None, list[tuple[str, bytes | None]]], ...] = (
    (b"k", None, []),
    (b"\xff\xfe\x1b[2J", b"\xff\x00\x1b[2J", []),
    (b"k", b"{}", [("ce_type", None), ("\x1b[2J", b"\x1b")]),
    (b"k", b"[1,2", [("ce_type", b"org.headrace.DeadLetter"), ("ce_reason", b"\xff"), ("ce_time", None)]),
    (None, b'"\\ud800"', []),
    (b"k", b'{"a": {"value": {"@value": [NaN]}, "unitCode": 5}, "b": 5, "c": {}}', []),
    (b"k", b"[" * 100_000, []),
)


@pytest.mark.parametrize("form", ["text", "json"])
def test_whatever_another_producer_wrote(bench: WorkerBench, tmp_path: Path, form: str) -> None:
    async def produce() -> None:
        producer = AIOKafkaProducer(bootstrap_servers=bench.kafka.bootstrap())
        async with producer:
            for key, value, headers in STRANGE:
                await producer.send_and_wait(bench.topic, value, key=key, headers=headers)

    bench.client.create_topic(bench.topic, 1)
    asyncio.run(produce())

    more = ("--from-beginning", "--count", str(len(STRANGE)), "--format", form)
    done = tail(bench, tmp_path, {}, *more)

    assert (done.returncode, done.stderr) == (0, "")
    assert "\x1b" not in done.stdout
    if form == "json":
        values = [json.loads(line)["value"] for line in done.stdout.splitlines()]
        assert values[:4] == ["", {"hex": "ff001b5b324a"}, {}, "[1,2"]
