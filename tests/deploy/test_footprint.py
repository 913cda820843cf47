"""What an edge gateway has to spare for a worker that waits."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from tests.support.headrace import Headrace, example_config
from tests.support.kafka import Kafka
from tests.support.mosquitto import Mosquitto

IDLE_AT_MOST = 64 * 1024**2


@pytest.mark.real
def test_an_idle_worker_is_small(
    new_headrace: Callable[..., Headrace], mosquitto: Mosquitto, kafka: Kafka, tenant: str
) -> None:
    worker = new_headrace(example_config(tenant, mosquitto.url, kafka.bootstrap(), prefix=tenant))
    worker.start()
    time.sleep(3)
    assert worker.process.rss() <= IDLE_AT_MOST
    assert worker.stop() == 0
