"""A worker whose clock is hours ahead, or has woken up in 1970: nothing becomes a dead letter or is deleted for it."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer

from pipeline.core.delivery import Message
from pipeline.core.errors import Reason
from pipeline.core.record import decode_headers
from pipeline.encode.dead_letter import DeadLetters
from tests.conftest import USERS
from tests.hostile.experiment import Experiment, sized
from tests.integration.worker_bench import WorkerBench, headers_of, reading, until
from tests.support.headrace import ROOT, Headrace
from tests.support.kafka import Kafka
from tests.support.kafka_client import Consumed, KafkaClient
from tests.support.prometheus import get
from tests.support.toolchain import fake_clock

pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]
AHEAD, BEHIND = "+2h", "@1970-01-01 00:10:00"
MESSAGES = sized(50, 5000)
NEAR = 90.0  # seconds: what the machine takes, and the most that a worker tolerates
WRITE = 4
"""AclOperation.WRITE, which lets describe, too."""
WRONG = [(AHEAD, "CreateTime"), (BEHIND, "CreateTime"), (BEHIND, "LogAppendTime"), (AHEAD, "LogAppendTime")]


def worker_at(bench: WorkerBench, clock: str, config: dict[str, Any]) -> Headrace:
    return bench.worker(config, env={**fake_clock(), "FAKETIME": clock})


def make_topics(bench: WorkerBench, kind: str) -> None:
    for topic in (bench.topic, bench.letter_topic):
        bench.client.create_topic(topic, 2, {"message.timestamp.type": kind, "retention.ms": "86400000"})


def distance(record: Consumed) -> float:
    return abs(record.timestamp / 1000 - time.time())


def recorded(record: Consumed) -> float:
    return abs(datetime.fromisoformat(headers_of(record)["ce_recordedtime"]).timestamp() - time.time())


@pytest.mark.parametrize(("clock", "kind"), sized(WRONG[:2], WRONG))
def test_a_clock_that_is_wrong(bench: WorkerBench, clock: str, kind: str) -> None:
    make_topics(bench, kind)
    worker = worker_at(bench, clock, bench.config())
    now = round(time.time() * 1000)
    bench.publish(*[reading(number, device=number % 7, ts=now + number) for number in range(MESSAGES)])
    until(lambda: worker.metric("headrace_acknowledged_messages_total") == MESSAGES, "all messages")
    records, letters = bench.records(), bench.letters()

    with Experiment(f"a clock at {clock}, topics of {kind}") as experiment:
        experiment.expect("no dead letter", came=len(letters), holds=not letters)
        experiment.expect("every reading in Kafka", came=len(records), holds=len(records) == MESSAGES)
        worst = max(map(distance, records))
        experiment.expect("Kafka's timestamps are near now", came=worst, holds=worst < NEAR)
        worst = max(map(recorded, records))
        experiment.expect("arrival is near now", came=worst, holds=worst < NEAR)
        doubted = sum("ce_quality" in headers_of(record) for record in records)
        experiment.expect("no device's clock is doubted", came=doubted, holds=not doubted)
        ahead = worker.metric("headrace_clock_ahead_seconds")
        told = 7200 if clock == AHEAD else 600 - time.time()
        experiment.expect("the metric tells by how much", came=ahead, holds=abs(ahead - told) < NEAR)
        ready = get(f"{worker.admin}/readyz") or ""
        experiment.expect("readyz says it", came=ready, holds="This machine's clock says" in ready)
        said = worker.logged().count("The clock of this machine is wrong.")
        experiment.expect("the log says it once", came=said, holds=said == 1)


def test_a_clock_that_is_set_while_the_worker_runs(bench: WorkerBench, tmp_path: Path) -> None:
    """Backward first: Kafka takes old times without a word, and deletes what bears them."""
    make_topics(bench, "CreateTime")
    clock = tmp_path / "clock"
    clock.write_text("+0\n", encoding="ascii")
    told = {"FAKETIME_TIMESTAMP_FILE": str(clock), "FAKETIME_NO_CACHE": "1"}
    worker = bench.worker(bench.config(), env={**fake_clock(), **told})
    steps = ["-3h", "+0", "-50y", "+0", "+3h", "+0"]
    wrong = []
    for step in steps:
        clock.write_text(f"{step}\n", encoding="ascii")
        acknowledged = worker.metric("headrace_acknowledged_messages_total") + MESSAGES
        now = round(time.time() * 1000)
        bench.publish(*[reading(number, ts=now + number) for number in range(MESSAGES)])
        until(lambda: worker.metric("headrace_acknowledged_messages_total") == acknowledged, f"messages at {step}")  # noqa: B023
        wrong.append(worker.metric("headrace_clock_wrong"))
    records, letters = bench.records(), bench.letters()

    with Experiment("a clock that is set while the worker runs") as experiment:
        experiment.expect("no dead letter", came=len(letters), holds=not letters)
        experiment.expect("every reading in Kafka", came=len(records), holds=len(records) == MESSAGES * len(steps))
        away = sum(max(distance(record), recorded(record)) > NEAR for record in records)
        experiment.expect("Kafka's timestamps and arrival are near now", came=away, holds=not away)
        doubted = sum("ce_quality" in headers_of(record) for record in records)
        experiment.expect("no device's clock is doubted", came=doubted, holds=not doubted)
        experiment.expect("the metric follows", came=wrong, holds=wrong == [1, 0] * 3)
        clock.write_text("-3h\n", encoding="ascii")  # and stays there: it is asked and told within a second
        until(lambda: "The clock of this machine is wrong." in worker.logged(), "a line of the log", 50)


def test_letters_of_a_wrong_clock_are_replayed(bench: WorkerBench) -> None:
    """As an earlier version wrote them: with an arrival that Kafka refuses as a timestamp."""
    make_topics(bench, "CreateTime")
    worker = bench.worker()
    assert worker.stop() == 0
    arrival = round((time.time() + 7200) * 1000)
    asyncio.run(write_letters(bench, arrival))
    command = [sys.executable, "-m", "pipeline", "replay", str(worker.file), "--dead-letters", "--format", "json"]

    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **worker.process.env}, capture_output=True, text=True, check=False
    )

    with Experiment("dead letters of a clock ahead are replayed") as experiment:
        experiment.expect("replay says that all came out", came=done.stdout + done.stderr, holds=done.returncode == 0)
        records = bench.records()
        experiment.expect("every reading in Kafka", came=len(records), holds=len(records) == MESSAGES)
        worst = max(map(distance, records))
        experiment.expect("under Kafka's timestamps of now", came=worst, holds=worst < NEAR)


async def write_letters(bench: WorkerBench, arrival: int) -> None:
    makes = DeadLetters(bench.tenant, bench.letter_topic)
    producer = AIOKafkaProducer(bootstrap_servers=bench.kafka.bootstrap())
    await producer.start()
    try:
        for number in range(MESSAGES):
            message = Message(f"{bench.tenant}/aq/0001", reading(number), arrival)
            detail = "Kafka refused the record: INVALID_TIMESTAMP."
            told = {"feed": "city", "connector": "city-aq", "stage": "publish", "detail": detail}
            letter = makes.record(message, reason=Reason.RECORD_REFUSED, **told)
            headers = decode_headers(letter.headers)
            await producer.send(bench.letter_topic, letter.value, key=letter.destination.key, headers=headers)
    finally:
        await producer.stop()


def test_a_clock_ahead_where_kafka_tells_no_time(bench: WorkerBench, new_kafka: Callable[..., Kafka]) -> None:
    """A principal that may write and nothing else, and topics of CreateTime: records go without a timestamp."""
    settings = {
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:ANONYMOUS",
        "allow.everyone.if.no.acl.found": "false",
    }
    bench.kafka = new_kafka(users=USERS, settings=settings)
    bench.client = KafkaClient(bench.kafka.bootstrap())
    make_topics(bench, "CreateTime")
    for topic in (bench.topic, bench.letter_topic):
        bench.client.allow("User:headrace", topic, WRITE)
    sasl = {"mechanism": "SCRAM-SHA-512", "username": "headrace", "password": USERS["headrace"]}
    kafka = {"bootstrap_servers": [bench.kafka.bootstrap("SASL_PLAINTEXT")], "security_protocol": "SASL_PLAINTEXT"}
    worker = worker_at(bench, AHEAD, bench.config(kafka={**kafka, "sasl": sasl}))
    bench.publish(*[reading(number, device=number % 7) for number in range(MESSAGES)])
    until(lambda: worker.metric("headrace_acknowledged_messages_total") == MESSAGES, "all messages")
    records, letters = bench.records(), bench.letters()

    with Experiment("a clock ahead where Kafka tells no time") as experiment:
        experiment.expect("no dead letter", came=len(letters), holds=not letters)
        experiment.expect("every reading in Kafka", came=len(records), holds=len(records) == MESSAGES)
        stamps = {record.timestamp for record in records}
        experiment.expect("none has a timestamp", came=stamps, holds=stamps == {-1})
        ready = get(f"{worker.admin}/readyz") or ""
        experiment.expect("readyz says it", came=ready, holds="Kafka refuses that" in ready)
        wrong = worker.metric("headrace_clock_wrong")
        experiment.expect("the metric says it", came=wrong, holds=wrong == 1)
