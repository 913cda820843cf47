"""What the tests of the whole worker share."""

from collections.abc import Callable

import pytest

from tests.integration.worker_bench import WorkerBench
from tests.support.headrace import Headrace
from tests.support.kafka import Kafka
from tests.support.kafka_client import KafkaClient
from tests.support.mosquitto import Mosquitto


@pytest.fixture
def bench(
    tenant: str, mosquitto: Mosquitto, kafka: Kafka, kafka_client: KafkaClient, new_headrace: Callable[..., Headrace]
) -> WorkerBench:
    return WorkerBench(tenant, mosquitto, kafka, kafka_client, new_headrace)
