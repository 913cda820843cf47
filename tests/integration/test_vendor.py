"""A vendor's binary connector through Mosquitto and Kafka: several readings, several entities, and the device's own."""

import json
import time
from struct import pack
from typing import Any

import pytest

from tests.integration.worker_bench import WorkerBench, entity_of, fates, headers_of
from tests.support.headrace import ROOT, Headrace
from tests.support.kafka_client import Consumed

pytestmark = pytest.mark.real
VENDORS = ROOT / "tests" / "support" / "vendors"
NOW = pack(">hBB", -50, 55, 80)


def config(bench: WorkerBench) -> dict[str, Any]:
    common = {"use": "acme/th-1", "location": [4.8952, 52.3702]}
    wrapped = {"field": "data", "encoding": "hex"}
    routes = [
        {"topic": f"{bench.tenant}/raw/{{device}}", "connector": "raw"},
        {"topic": f"{bench.tenant}/lora", "connector": "lora"},
    ]
    made = bench.config(feed={"routes": routes})
    connectors = {
        "raw": {**common, "device": {"topic": "device"}},
        "lora": {**common, "device": {"field": "id"}, "payload": wrapped, "port": {"field": "fPort"}},
    }
    return {**made, "connectors": connectors, "streams": {}, "connector_paths": [str(VENDORS)]}


def of(bench: WorkerBench, model: str) -> list[tuple[Consumed, dict[str, Any]]]:
    return [(record, entity_of(record)) for record in bench.client.consume_all(f"{bench.tenant}.{model}.v1")]


def test_binary_payloads_become_entities(bench: WorkerBench) -> None:
    worker: Headrace = bench.worker(config(bench))
    second = int(time.time()) - 60
    kept = b"".join(pack(">IhB", second, 200 + step, 60) for step in range(3))
    uplink = json.dumps({"id": "0A1B", "fPort": 2, "data": kept.hex()}).encode()
    raw, lora = f"{bench.tenant}/raw/7", f"{bench.tenant}/lora"
    bench.publish_on([(raw, NOW), (raw, NOW), (raw, b"\xff"), (lora, uplink), (lora, b'{"id": "0A1B"}')])
    metrics = bench.settled(worker, 5)
    assert fates(metrics) == {"published": 3, "dead_lettered": 2}
    assert worker.stop() == 0

    weather = of(bench, "WeatherObserved")
    values = {headers_of(record)["ce_id"]: entity["temperature"]["value"] for record, entity in weather}
    assert len(weather) == 5
    of_one_second = [name for name in values if name.startswith(f"WeatherObserved:0A1B:{second}000-2")]
    assert len(of_one_second) == 3
    assert not any(name.endswith((":1", ":2")) for name in of_one_second), "what they say tells them apart"
    assert {headers_of(record)["ce_connector"] for record, _ in weather} == {"acme/th-1@1"}

    [(record, device), (_, untold)] = sorted(of(bench, "Device"), key=lambda each: "batteryLevel" not in each[1])
    assert untold["id"] == f"urn:ngsi-ld:Device:{bench.tenant}:0A1B", "its readings refer to it"
    assert device["id"] == f"urn:ngsi-ld:Device:{bench.tenant}:7"
    assert device["batteryLevel"]["value"] == 0.8
    assert record.key == device["id"].encode()
    [(_, family), (_, same)] = of(bench, "DeviceModel")
    assert family["id"] == same["id"], "each of the two connectors tells of it"
    assert device["refDeviceModel"] == {"type": "Relationship", "object": family["id"]}
    for model in ("Device", "DeviceModel"):
        assert bench.client.configs(f"{bench.tenant}.{model}.v1")["cleanup.policy"] == "compact"
    details = sorted(headers_of(letter)["ce_detail"] for letter in bench.letters())
    assert details == ["Expected a text of hex in data; field data is not in the payload.", "expected 4 bytes, got 1"]
