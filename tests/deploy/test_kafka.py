"""Kafka's settings as they are shipped, in a real Kafka; only what needs three brokers is lowered to one."""

from __future__ import annotations

import asyncio
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from pipeline.publish.batch import partition_of
from tests.support.kafka import Kafka
from tests.support.kafka_client import KafkaClient
from tests.support.toolchain import kafka_command

SHIPPED = Path(__file__).resolve().parents[2] / "deploy" / "kafka"
FILES = ("broker.properties", "topic.properties")
ONE_BROKER = {
    "default.replication.factor": "1",
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    # Nobody signs in on the test's listener; elsewhere these are the brokers and the administrator.
    "super.users": "User:ANONYMOUS",
}


def shipped(file: str) -> dict[str, str]:
    lines = (SHIPPED / file).read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kafka]:
    with Kafka(tmp_path_factory.mktemp("kafka"), settings=shipped("broker.properties") | ONE_BROKER) as kafka:
        yield kafka


def in_force(kafka: Kafka) -> dict[str, str]:
    async def ask() -> dict[str, str]:
        admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap())
        await admin.start()
        try:
            [answer] = await admin.describe_configs([ConfigResource(ConfigResourceType.BROKER, "1")])
        finally:
            await admin.close()
        return {entry[0]: entry[1] for entry in answer.resources[0][4]}

    return asyncio.run(ask())


@pytest.mark.real
def test_a_broker_knows_each_of_its_settings(broker: Kafka) -> None:
    wanted = shipped("broker.properties")
    found = in_force(broker)
    # What Kafka does not know it keeps in silence, without a type; these it hands to the authorizer.
    known = {name: value for name, value in wanted.items() if name != "allow.everyone.if.no.acl.found"}
    assert {name: found.get(name) for name in known} == {**known, **{n: v for n, v in ONE_BROKER.items() if n in known}}


@pytest.mark.real
def test_a_topic_takes_each_of_its_settings(broker: Kafka) -> None:
    client = KafkaClient(broker.bootstrap())
    client.create_topic("t.settings.v1", configs=shipped("topic.properties"))
    assert client.configs("t.settings.v1").items() >= shipped("topic.properties").items()


@pytest.mark.real
def test_a_device_is_erased_by_the_command_that_the_readme_says(broker: Kafka) -> None:
    """The null must reach the partition where Headrace put the device, or compaction never meets the two."""
    page = (SHIPPED.parent / "README.md").read_text(encoding="utf-8")
    said = re.search(r"^    echo '(.+)' \| kafka-console-producer.sh ((?:.*\\\n)*.*)$", page, flags=re.MULTILINE)
    assert said is not None
    client = KafkaClient(broker.bootstrap())
    client.create_topic("city.Device.v1", 6, {"cleanup.policy": "compact"})
    arguments = shlex.split(said[2].replace("\\\n", " ").replace("KAFKA", broker.bootstrap()))
    command = [*kafka_command("org.apache.kafka.tools.ConsoleProducer"), *arguments]
    done = subprocess.run(command, input=f"{said[1]}\n", capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    [null] = client.wait_for(1, "city.Device.v1")
    key = b"urn:ngsi-ld:Device:city:aq-0001"
    assert (null.key, null.value, null.partition) == (key, None, partition_of(key, 6))


@pytest.mark.parametrize("file", FILES)
def test_every_line_has_its_reason(file: str) -> None:
    lines = (SHIPPED / file).read_text(encoding="utf-8").splitlines()
    settings = [at for at, line in enumerate(lines) if line and not line.startswith("#")]
    assert settings
    assert [lines[at] for at in settings if not lines[at - 1].startswith("# ")] == []
