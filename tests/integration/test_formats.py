"""`format:` of a route through Mosquitto and Kafka: each reading of a SenML pack and of an UltraLight payload."""

import json
import time
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.integration.worker_bench import WorkerBench, entity_of, fates, headers_of

pytestmark = pytest.mark.real
DEVICE = "urn:dev:mac:0024befffe804ff1"


def config(bench: WorkerBench) -> dict[str, Any]:
    common = {"model": "WeatherObserved", "location": [4.8952, 52.3702]}
    connectors = {
        "wards": {
            **common,
            "device": {"field": "device"},
            "observed_at": {"field": "time", "unit": "ms"},
            "attributes": {"temperature": {"field": "values.temp", "unit": "degC"}},
        },
        "masts": {
            **common,
            "device": {"topic": "device"},
            "observed_at": {"field": "TimeInstant", "format": "iso"},
            "attributes": {"temperature": {"field": "t", "unit": "degC"}},
        },
    }
    routes = [
        {"topic": f"{bench.tenant}/senml", "format": "senml", "connector": "wards"},
        {"topic": f"{bench.tenant}/ul/{{device}}", "format": "ultralight", "connector": "masts"},
    ]
    return {**bench.config(feed={"routes": routes}), "connectors": connectors, "streams": {}}


def test_every_reading_of_a_message_is_published(bench: WorkerBench) -> None:
    worker = bench.worker(config(bench))
    second = int(time.time()) - 60
    first = [{"bn": f"{DEVICE}:", "bt": second, "n": "temp", "u": "Cel", "v": 20.0}]
    series = json.dumps([*first, *({"n": "temp", "t": step, "v": 20.0 + step} for step in range(1, 5))]).encode()
    present = [json.dumps([{"bn": f"{DEVICE}:", "n": "temp", "u": "Cel", "v": value}]).encode() for value in (30, 31)]
    moment = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    senml, mast = f"{bench.tenant}/senml", f"{bench.tenant}/ul/mast-7"
    bench.publish_on([(senml, series), *((senml, each) for each in present), (senml, b'{"temp": 20}')])
    bench.publish_on([(mast, f"{moment}|t|10#{moment}|t|11".encode()), (mast, b"t|10|h")])
    metrics = bench.settled(worker, 6)
    assert fates(metrics) == {"published": 4, "dead_lettered": 2}
    assert worker.stop() == 0

    records = bench.client.consume_all(f"{bench.tenant}.WeatherObserved.v1")
    wards = [record for record in records if entity_of(record)["id"].endswith("0024befffe804ff1")]
    values = [entity_of(record)["temperature"]["value"] for record in wards]
    assert values == [20.0, 21.0, 22.0, 23.0, 24.0, 30.0, 31.0], "one key, one partition, in order"
    ids = [headers_of(record)["ce_id"] for record in wards]
    assert [each.rsplit(":", 1)[1][:-10] for each in ids[:5]] == [f"{second + step}000" for step in range(5)]
    assert len(set(ids)) == 7
    masts = [headers_of(record)["ce_id"] for record in records if record not in wards]
    assert len(set(masts)) == 2
    assert {each[:-10] for each in masts} == {f"WeatherObserved:mast-7:{second}000"}
    details = sorted(headers_of(letter)["ce_detail"] for letter in bench.letters())
    assert details == ["expected a list of SenML records", "expected pairs such as `t|25`, got 't|10|h'"]
