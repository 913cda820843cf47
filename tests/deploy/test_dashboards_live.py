"""Every query of a panel and every rule, asked of a real Prometheus while a real worker has load and every trouble."""

import math
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from tests.deploy.dashboards import panel_queries, rules, runbook_queries
from tests.deploy.trouble import Trouble
from tests.integration.worker_bench import WorkerBench
from tests.support.headrace import Headrace
from tests.support.kafka import Kafka
from tests.support.kafka_client import KafkaClient
from tests.support.mosquitto import Mosquitto
from tests.support.prometheus import Prometheus

pytestmark = [pytest.mark.real, pytest.mark.fault]
CHOSEN = {"$job": ".*", "$instance": ".*", "$feed": ".*", "$__rate_interval": "15s", "offset 1d": "offset 3s"}
"""What Grafana puts in for its variables; and yesterday is three seconds ago."""

CAUSED = {"HeadraceRecordsRefused", "HeadraceSessionLost"}
"""Alerts whose expressions hold after what `Trouble` does, however long it must go on until they fire."""


@pytest.fixture
def trouble(
    tenant: str,
    tmp_path: Path,
    new_headrace: Callable[..., Headrace],
    new_mosquitto: Callable[..., Mosquitto],
    new_kafka: Callable[..., Kafka],
) -> Iterator[Trouble]:
    mosquitto, kafka = new_mosquitto(durable=False), new_kafka()
    made = Trouble(WorkerBench(tenant, mosquitto, kafka, KafkaClient(kafka.bootstrap()), new_headrace), tmp_path)
    yield made
    made.end()


def filled(query: str) -> str:
    for variable, chosen in CHOSEN.items():
        query = query.replace(variable, chosen)
    return query


def answered(prometheus: Prometheus, query: str) -> bool:
    return any(math.isfinite(value) for _, value in prometheus.query(query))


def unanswered(trouble: Trouble, prometheus: Prometheus, queries: Mapping[str, str]) -> list[str]:
    """Return what has had no number in some seconds; rates need a few scrapes."""
    missing, deadline = dict(queries), time.monotonic() + 120
    while missing and time.monotonic() < deadline:
        trouble.go_on()
        missing = {name: query for name, query in missing.items() if not answered(prometheus, query)}
        time.sleep(0.5)
    return list(missing)


def test_every_panel_shows_something(trouble: Trouble, new_prometheus: Callable[..., Prometheus]) -> None:
    prometheus = new_prometheus(targets=[trouble.worker.admin.removeprefix("http://")])
    prometheus.wait_for("up == 1")  # what has happened before its first scrape is no increase
    trouble.go_on()
    trouble.happen()

    recorded = {rule["record"]: rule["expr"] for rule in rules() if "record" in rule}
    shown = {name: filled(query) for name, query in panel_queries().items()}
    alerts = {rule["alert"]: filled(rule["expr"]) for rule in rules() if "alert" in rule}
    caused = {name: query for name, query in alerts.items() if name in CAUSED}  # what has happened, its alert must see
    assert unanswered(trouble, prometheus, recorded | shown | caused) == []
    for query in [*alerts.values(), *runbook_queries()]:  # many to many is refused only where there is data
        prometheus.query(query)
    assert prometheus.query("headrace_conserved == 0") == []
    assert trouble.worker.live()
