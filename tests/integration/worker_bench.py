"""One worker between the real broker and the real Kafka, under a tenant of its own."""

import asyncio
import json
import re
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from tests.support.headrace import Headrace, example_config
from tests.support.kafka import Kafka
from tests.support.kafka_client import Consumed, KafkaClient
from tests.support.mosquitto import Mosquitto
from tests.support.mqtt_client import MqttEndpoint, publish
from tests.support.records import assert_record

READING: dict[str, Any] = {
    "device": "aq-0001",
    "ts": 1_769_000_000_000,
    "temperature": 21.5,
    "humidity": 45.2,
    "pm10": 12.1,
    "pm25": 7.4,
    "no2": 31.5,
    "battery": 3.61,
    "lat": 52.37,
    "lon": 4.89,
}
CE_ID = re.compile(r"AirQualityObserved:aq-(\d+):(\d+)-2[0-9a-f]{8}")


def reading(number: int = 0, device: int = 1, **changes: Any) -> bytes:
    """Make the example's message; `number` is the time step, so that (device, number) names the reading."""
    own = {"device": f"aq-{device:04d}", "ts": READING["ts"] + number}
    return json.dumps({**READING, **own, **changes}, separators=(",", ":")).encode()


def headers_of(record: Consumed) -> dict[str, str]:
    return {name: content.decode() for name, content in record.headers}


def entity_of(record: Consumed) -> dict[str, Any]:
    assert record.key is not None
    assert record.value is not None
    return assert_record(record.value, record.headers, record.key)


def number_of(record: Consumed) -> tuple[int, int]:
    """Read (device, number) back from the record's own identity."""
    found = CE_ID.fullmatch(headers_of(record)["ce_id"])
    assert found
    return int(found[1]), int(found[2]) - READING["ts"]


def until(true: Callable[[], bool], what: str, timeout: float = 180.0) -> None:
    deadline = time.monotonic() + timeout
    while not true():
        assert time.monotonic() < deadline, f"waited {timeout:g} s for {what}"
        time.sleep(0.05)


@dataclass
class WorkerBench:
    """What a test of the whole worker needs; the prefix of all its MQTT topics is the tenant."""

    tenant: str
    mosquitto: Mosquitto
    kafka: Kafka
    client: KafkaClient
    new_headrace: Callable[..., Headrace]

    def config(
        self, *, feed: Mapping[str, Any] | None = None, kafka: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """Build the example for these brokers, with changes to its one feed and to `kafka`."""
        config = example_config(self.tenant, self.mosquitto.url, self.kafka.bootstrap(), prefix=self.tenant)
        config["feeds"]["city"] |= feed or {}
        config["kafka"] |= kafka or {}
        return {**config, "state_dir": "state"}

    def worker(self, config: Mapping[str, Any] | None = None, **options: Any) -> Headrace:
        """Start a worker and wait until it reads."""
        worker = self.new_headrace(config or self.config(), **options)
        worker.start()
        return worker

    @property
    def topic(self) -> str:
        return f"{self.tenant}.AirQualityObserved.v1"

    @property
    def letter_topic(self) -> str:
        return f"{self.tenant}.dead-letter.v1"

    def publish(self, *payloads: bytes, endpoint: MqttEndpoint | None = None) -> None:
        self.publish_on([(f"{self.tenant}/aq/0001", payload) for payload in payloads], endpoint)

    def publish_on(
        self, messages: Iterable[tuple[str, bytes] | tuple[str, bytes, bool]], endpoint: MqttEndpoint | None = None
    ) -> None:
        publish(endpoint or MqttEndpoint(self.mosquitto.port), messages)

    def records(self) -> list[Consumed]:
        return self.client.consume_all(self.topic)

    def letters(self) -> list[Consumed]:
        return self.client.consume_all(self.letter_topic)

    def configure_topic(self, settings: dict[str, str]) -> None:
        """Change the settings of the model's topic while it is used, as an operator may."""

        async def alter() -> None:
            admin = AIOKafkaAdminClient(bootstrap_servers=self.client.bootstrap)
            await admin.start()
            try:
                await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, self.topic, settings)])
            finally:
                await admin.close()

        asyncio.run(alter())
        until(lambda: settings.items() <= self.client.configs(self.topic).items(), "the topic's settings")

    def settled(self, worker: Headrace, received: int, timeout: float = 180.0) -> dict[str, float]:
        """Wait until so many messages were received and acknowledged; the metrics of that moment, which conserve."""
        until(lambda: _settled(worker.metrics(), received), f"{received} messages to be settled", timeout)
        metrics = worker.metrics()
        assert_conserved(metrics)
        return metrics


def fates(metrics: Mapping[str, float], feed: str = "city") -> dict[str, int]:
    """Return how many messages had each fate; those that nothing had are left out."""
    pattern = re.compile(rf'headrace_messages_total{{fate="(\w+)",feed="{feed}"}}')
    return {found[1]: int(value) for name, value in metrics.items() if value and (found := pattern.fullmatch(name))}


def assert_conserved(metrics: Mapping[str, float], feed: str = "city") -> None:
    received = metrics[f'headrace_received_messages_total{{feed="{feed}"}}']
    flying = metrics[f'headrace_in_flight_messages{{feed="{feed}"}}']
    assert received == sum(fates(metrics, feed).values()) + flying
    assert metrics[f'headrace_conserved{{feed="{feed}"}}'] == 1


def _settled(metrics: Mapping[str, float], received: int, feed: str = "city") -> bool:
    here = metrics[f'headrace_received_messages_total{{feed="{feed}"}}']
    acknowledged = metrics[f'headrace_acknowledged_messages_total{{feed="{feed}"}}']
    assert here <= received, f"expected {received} messages, got {here:g}"
    return here == acknowledged == received
