"""A consumer that removes repeats as README.md says keeps every reading, and each once."""

import json
import time
from typing import Any

import pytest

from tests.hostile.experiment import Experiment, sized
from tests.integration.worker_bench import WorkerBench, entity_of, headers_of
from tests.support.kafka_client import Consumed

pytestmark = pytest.mark.real
ROUNDS = sized(1, 100)  # of twelve readings each


def config(bench: WorkerBench) -> dict[str, Any]:
    common = {
        "model": "WeatherObserved",
        "device": {"topic": "device"},
        "location": [4.8952, 52.3702],
        "attributes": {
            "temperature": {"field": "t", "unit": "degC"},
            "relativeHumidity": {"field": "h", "unit": "%"},
        },
    }
    routes = [{"topic": f"{bench.tenant}/{name}/{{device}}", "connector": name} for name in ("timed", "timeless")]
    connectors = {
        "timed": {**common, "observed_at": {"field": "ts", "unit": "s"}},
        "timeless": {**common, "observed_at": "arrival"},
    }
    feed = {"subscribe": [f"{bench.tenant}/#"], "routes": routes}
    return {**bench.config(feed=feed), "connectors": connectors, "streams": {}}


def twelve(prefix: str, number: int, second: int) -> list[tuple[str, bytes]]:
    """Make what one device measures: seven readings by a clock of whole seconds, and five equal ones without a time."""
    topic = f"{prefix}/timed/mast-{number}"
    parts = [{"ts": second, "t": 20.5}, {"ts": second, "h": 61}]
    burst = [{"ts": second + 1, "t": 20.5 + step / 10} for step in range(5)]
    timed = [(topic, json.dumps(each).encode()) for each in (*parts, *burst)]
    return [*timed, *[(f"{prefix}/timeless/mast-{number}", b'{"t": 20.5}')] * 5]


def deduplicated(records: list[Consumed]) -> dict[tuple[str, str], Consumed]:
    kept: dict[tuple[str, str], Consumed] = {}
    for record in records:
        headers = headers_of(record)
        kept.setdefault((headers["ce_source"], headers["ce_id"]), record)
    return kept


def said(records: list[Consumed]) -> list[str]:
    """Return what entities say, without the times of those that have none of their own."""
    told = []
    for record in records:
        entity = entity_of(record)
        values = {name: entity[name]["value"] for name in ("temperature", "relativeHumidity") if name in entity}
        when = "" if "ce_idclass" in headers_of(record) else entity["dateObserved"]["value"]["@value"]
        told.append(f"{entity['id']} {when} {values}")
    return sorted(told)


def test_a_consumer_that_removes_repeats_keeps_every_reading(bench: WorkerBench) -> None:
    second = int(time.time()) - 60
    readings = [each for number in range(ROUNDS) for each in twelve(bench.tenant, number, second)]
    resent = [each for each in readings if "/timed/" in each[0]]
    worker = bench.worker(config(bench))
    assert worker.stop() == 0
    bench.publish_on([*readings, *resent])  # the session waits: the worker's next life reads them together
    worker.start()
    bench.settled(worker, len(readings) + len(resent))
    assert worker.stop() == 0

    records = bench.client.consume_all(f"{bench.tenant}.WeatherObserved.v1")
    kept = deduplicated(records)
    with Experiment("readings that share a time, or have none") as experiment:
        experiment.notes |= {"readings": len(readings), "sent again": len(resent), "records": len(records)}
        experiment.expect(
            "a consumer that removes repeats by ce_source and ce_id keeps every reading, and each once",
            came=len(kept),
            holds=len(kept) == len(readings),
        )
        firsts = list(kept.values())
        experiment.expect(
            "what it keeps is all that was said",
            came=len(set(said(firsts))),
            holds=set(said(firsts)) == set(said(records)) and len(said(firsts)) == len(readings),
        )
