"""The rig of the fault tests, and the parts that they may kill."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.faults.rig import Rig
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


@pytest.fixture
def new_rig(
    tmp_path: Path, tenant: str, kafka: Kafka, new_mosquitto: Callable[..., Mosquitto]
) -> Iterator[Callable[..., Rig]]:
    """Make a rig, not yet started; a Mosquitto of its own, and the Kafka that never dies, unless others are given."""
    made: list[Rig] = []

    def make(*, mosquitto: Mosquitto | None = None, broker: Kafka | None = None, **feed: Any) -> Rig:
        source = mosquitto or new_mosquitto(durable=False, max_inflight_messages=0)
        made.append(Rig(tmp_path / f"rig-{len(made)}", tenant, source, broker or kafka, **feed))
        return made[-1]

    yield make
    for rig in made:
        rig.close()
