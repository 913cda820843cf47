"""A device whose messages take two routes of one model in turn, all in one read: its records stay in order."""

import json
from struct import pack
from typing import Any

import pytest

from tests.hostile.experiment import Experiment, sized
from tests.integration.worker_bench import READING, WorkerBench, entity_of
from tests.support.headrace import ROOT

pytestmark = pytest.mark.real
MESSAGES = sized(60, 3000)  # of each of two devices


def config(bench: WorkerBench) -> dict[str, Any]:
    """Write two routes of one model, and two that name a vendor's connector, which tells of its devices too."""
    made = bench.config()
    inline = made["connectors"]["city-aq"]
    vendor = {"use": "acme/th-1", "device": {"topic": "device"}, "location": [4.89, 52.37]}
    connectors = {"one": inline, "two": inline, "three": vendor, "four": vendor}
    routes = [{"topic": f"{bench.tenant}/{name}/{{device}}", "connector": name} for name in connectors]
    made["feeds"]["city"] |= {"subscribe": [f"{bench.tenant}/#"], "routes": routes}
    vendors = [str(ROOT / "tests" / "support" / "vendors")]
    return {**made, "connectors": connectors, "connector_paths": vendors, "streams": {}}


def sent(bench: WorkerBench) -> list[tuple[str, bytes]]:
    made = []
    for number in range(MESSAGES):
        aq = json.dumps({**READING, "ts": READING["ts"] + number}).encode()
        made.append((f"{bench.tenant}/{('one', 'two')[number % 2]}/1", aq))
        th = pack(">hBB", number % 600, 60, number * 100 // MESSAGES)
        made.append((f"{bench.tenant}/{('three', 'four')[number % 2]}/th-1", th))
    return made


def test_two_routes_to_one_entity_keep_its_order(bench: WorkerBench) -> None:
    worker = bench.worker(config(bench))
    assert worker.stop() == 0
    messages = sent(bench)
    bench.publish_on(messages)  # the session waits: the worker's next life reads them together
    worker.start()
    bench.settled(worker, len(messages))
    assert worker.stop() == 0

    air = [entity_of(record)["dateObserved"]["value"]["@value"] for record in bench.records()]
    weather = [entity_of(each) for each in bench.client.consume_all(f"{bench.tenant}.WeatherObserved.v1")]
    degrees = [round(each["temperature"]["value"] * 10) for each in weather]
    devices = [entity_of(each) for each in bench.client.consume_all(f"{bench.tenant}.Device.v1")]
    levels = [round(each["batteryLevel"]["value"] * 100) for each in devices]
    with Experiment("two routes to one entity") as experiment:
        experiment.notes |= {"messages": len(messages), "weather": len(weather), "devices": len(devices)}
        experiment.expect("records of two inline routes in order", came=air[:8], holds=air == sorted(air))
        experiment.expect("none is missing", came=len(air), holds=len(air) == MESSAGES)
        expected = [number % 600 for number in range(MESSAGES)]
        experiment.expect("records of two vendors' routes in order", came=degrees[:8], holds=degrees == expected)
        experiment.expect("the Device's states in order", came=levels, holds=levels == sorted(levels))
