"""Every example of every connector of the tree through Mosquitto, one worker and Kafka: what it says is in the topics.

Each example is the message of a device of its own, so that its records and its dead letter are known by their names.
"""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from headrace import Connector, Example, PayloadError
from pipeline.core.errors import Reason
from pipeline.models import MODELS
from tests.connectors.conformance import BESIDES, by_model, found, same
from tests.integration.worker_bench import WorkerBench, entity_of, fates, headers_of
from tests.support.records import simplified

pytestmark = pytest.mark.real
REFUSALS = {Reason.PAYLOAD_ERROR.value, Reason.MALFORMED.value}
Entities = Mapping[tuple[str, str], Sequence[Mapping[str, Any]]]
"""The attributes of each record, in order, by device and model."""


@dataclass(frozen=True)
class Case:
    """One example and the device that sends it."""

    connector: Connector
    example: Example
    number: int

    @property
    def name(self) -> str:
        return f"{self.connector.vendor}-{self.connector.devices[0]}"

    @property
    def device(self) -> str:
        return f"{self.name}-{self.number}"

    def topic(self, tenant: str) -> str:
        return f"{tenant}/{self.name}/{self.device}"

    def message(self) -> bytes:
        """Return the bytes as they are, or wrapped with their port where the connector asks for it."""
        payload = self.example.payload()
        if not has_ports(self.connector):
            return payload
        return json.dumps({"fPort": self.example.port, "data": payload.hex()}).encode()

    def wanted(self) -> list[Mapping[str, Mapping[str, Any]]]:
        """Return the attributes of each reading, by model."""
        expect = self.example.expect
        assert not isinstance(expect, type)
        assert self.example.decoded is None, "an example that shows no entity proves nothing here"
        readings = list(expect) if isinstance(expect, Sequence) else [expect]
        return [by_model(self.connector, reading) for reading in readings]


CASES = [
    Case(connector, example, number) for _, connector in found() for number, example in enumerate(connector.examples)
]
REFUSED = [case for case in CASES if case.example.expect is PayloadError]


def has_ports(connector: Connector) -> bool:
    return any(example.port is not None for example in connector.examples)


def config(bench: WorkerBench) -> dict[str, Any]:
    connectors, routes = {}, []
    for case in CASES:
        used: dict[str, Any] = {
            "use": f"{case.connector.vendor}/{case.connector.devices[0]}",
            "device": {"topic": "device"},
            "max_age": "36500d",
        }
        if case.connector.place is None:
            used["location"] = [4.8952, 52.3702]
        if has_ports(case.connector):
            used |= {"payload": {"field": "data", "encoding": "hex"}, "port": {"field": "fPort"}}
        if case.name not in connectors:
            routes.append({"topic": f"{bench.tenant}/{case.name}/{{device}}", "connector": case.name})
        connectors[case.name] = used
    kafka = {"create_topics": {"partitions": 1}}
    return {**bench.config(feed={"routes": routes}, kafka=kafka), "connectors": connectors, "streams": {}}


def entities(bench: WorkerBench) -> Entities:
    made: dict[tuple[str, str], list[Mapping[str, Any]]] = defaultdict(list)
    models = {each.model for case in CASES for each in case.connector.observed()} | {"Device"}
    for model in models:
        for record in bench.client.consume_all(f"{bench.tenant}.{model}.v1"):
            entity = simplified(entity_of(record))
            beside = {*BESIDES, *MODELS[model].time, *MODELS[model].relations, "controlledProperty", "refDevice"}
            assert "ce_quality" not in headers_of(record)
            told = {name: value for name, value in entity.items() if name not in beside}
            if told or model != "Device":  # a Device that tells nothing of itself is there to be referred to
                made[entity["id"].rsplit(":", 1)[1], model].append(told)
    return made


def test_every_example_comes_out_as_it_says(bench: WorkerBench) -> None:
    worker = bench.worker(config(bench))
    bench.publish_on([(case.topic(bench.tenant), case.message()) for case in CASES])
    counts = fates(bench.settled(worker, len(CASES)))
    assert worker.stop() == 0

    made = entities(bench)
    letters = {headers["ce_sourcetopic"]: headers for headers in map(headers_of, bench.letters())}
    assert sum(counts.values()) == len(CASES)
    assert counts["dead_lettered"] == len(letters)
    for case in CASES:
        letter = letters.pop(case.topic(bench.tenant), None)
        if case in REFUSED:
            assert letter is not None, f"{case.device}: {case.example.name} was not refused"
            assert letter["ce_reason"] in REFUSALS, case.device
            assert letter["ce_detail"].startswith("expected "), letter["ce_detail"]
            assert not [place for place in made if place[0] == case.device], case.device
        else:
            hold(case, made, letter)
    assert not letters


def hold(case: Case, made: Entities, letter: Mapping[str, str] | None) -> None:
    """Hold the records of a good example against its expectation; one that measures nothing says so."""
    readings = case.wanted()
    for model in {each.model for each in case.connector.observed()}:
        wanted = [reading[model] for reading in readings if reading.get(model)]
        came = made.get((case.device, model), [])
        assert len(came) == len(wanted), f"{case.device} ({case.example.name}): {model} {came}"
        for got, want in zip(came, wanted, strict=True):
            same(got, want)
    state = {name: value for reading in readings for name, value in reading.get("Device", {}).items()}
    came = made.get((case.device, "Device"), [])
    if state:
        assert len(came) >= 1, case.device
        same(came[-1], state)
    nothing = readings and not any(readings) and not came  # an empty list has nothing to publish, and is filtered
    assert (None if letter is None else letter["ce_reason"]) == ("nothing_measured" if nothing else None), case.device
