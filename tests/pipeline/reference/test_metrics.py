"""The page of the metrics is what the code says, and the series are few, however many devices there are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml
from prometheus_client.parser import text_string_to_metric_families

from pipeline.build import options as wiring
from pipeline.build.context import WorkerContext
from pipeline.config.loading import parse
from pipeline.core.delivery import Batch, Lane, Ledger, Message
from pipeline.core.record import Record
from pipeline.feeds.mqtt.options import Trouble
from pipeline.feeds.semtech_udp import HeardGateways
from pipeline.lorawan.statistics import FrameStatistics
from pipeline.observe.metrics import Metrics
from pipeline.reference import metrics as metrics_reference
from tests.pipeline.flow import ARRIVAL, READING

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "deploy" / "examples" / "bench.yaml"
HOW = "python -m pipeline.reference.metrics > deploy/reference/metrics.md"
DEVICES, CONNECTORS, MOST = 100_000, 50, 2_000
MODELS = ("AirQualityObserved", "WeatherObserved", "NoiseLevelObserved", "IndoorEnvironmentObserved")


def test_the_page_is_what_the_code_says() -> None:
    assert (ROOT / "deploy" / "reference" / "metrics.md").read_text(encoding="utf-8") == metrics_reference.page(), HOW


def test_the_page_has_every_metric_of_the_catalogue() -> None:
    golden = (ROOT / "tests" / "pipeline" / "golden" / "metrics.catalogue").read_text(encoding="utf-8").splitlines()
    page = metrics_reference.page()
    assert [line.split()[0] for line in golden if f"`{line.split()[0]}" not in page] == []


class Confirming:
    """A publisher that confirms each batch at once, and tells the metrics as the real one does."""

    def __init__(self, metrics: Metrics) -> None:
        self.metrics = metrics
        self.published = 0

    def put(self, batch: Batch[Record]) -> None:
        for record in batch.items:
            self.metrics.publish.confirmed(record.destination.topic, 1, len(record.body), [(0.01, 1)], 2.0)
        self.published += len(batch.items)

    def pending(self) -> int:
        return 0

    async def drain(self, deadline: float) -> None:
        pass


def fifty_connectors() -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(EXAMPLE.read_text(encoding="utf-8"))
    connector, feed = content["connectors"].pop("city-aq"), content["feeds"]["city"]
    attributes = {"temperature": {"field": "temperature", "unit": "degC"}}
    feed["routes"] = []
    for at in range(CONNECTORS):
        model = MODELS[at % len(MODELS)]
        told = {"LAeq": {"field": "noise", "unit": "dB"}} if model == "NoiseLevelObserved" else attributes
        period = {"period": "5min"} if model == "NoiseLevelObserved" else {}
        content["connectors"][f"c-{at}"] = {**connector, "model": model, "attributes": told, **period}
        feed["routes"].append({"topic": f"city/{at}/{{device}}", "connector": f"c-{at}"})
    content["streams"] = {}
    return content


def test_series_do_not_grow_with_devices() -> None:
    config = parse(yaml.safe_dump(fifty_connectors()), str(EXAMPLE), {}).config
    metrics, ledger, shared = (
        Metrics("1", [each.value for each in Trouble], [each.value for each in HeardGateways]),
        Ledger(),
        WorkerContext(),
    )
    metrics.feed("city", ledger, 5000)
    metrics.costs = shared.costs
    publisher = Confirming(metrics)
    letters = wiring.dead_letters(config)
    router = wiring.router(config, "city", publisher=publisher, letters=letters, events=metrics, shared=shared)
    lane: Lane[None] = Lane(None, 2 * DEVICES, ledger=ledger)
    for first in range(0, DEVICES, 500):
        messages = [
            Message(
                f"city/{number % CONNECTORS}/device-{number}",
                json.dumps({**READING, "noise": 50, "device": f"device-{number}"}).encode(),
                ARRIVAL,
            )
            for number in range(first, first + 500)
        ]
        router.put(Batch(lane.receive(500, None), messages))
    for at in range(10):
        metrics.feed(f"feed-{at}", Ledger(), 5000)
    for at in range(3):
        metrics.datagram_feed(f"gates-{at}", Ledger(), 5000)
        metrics.raw[f"gates-{at}"] = FrameStatistics()

    assert publisher.published == DEVICES
    text = metrics.exposition()[1].decode()
    series = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    assert 500 < len(series) < MOST
    assert {sample.labels["connector"] for sample in series if "connector" in sample.labels} == set(config.connectors)
    assert all(value >= 0 for value in shared.costs.values())
    assert "device-1" not in text
