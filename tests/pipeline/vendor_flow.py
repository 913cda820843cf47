"""A feed with vendors' connectors in memory: the configuration as an operator writes it, the stages as they run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from pipeline import config
from pipeline.build import options as wiring
from pipeline.build.context import WorkerContext
from pipeline.core.delivery import Batch, Lane, Ledger, Message
from pipeline.core.record import Record
from pipeline.state.store import Store
from tests.pipeline.flow import ARRIVAL, Memory

VENDORS = Path(__file__).resolve().parents[1] / "support" / "vendors"
TH1: dict[str, Any] = {"use": "acme/th-1", "device": {"topic": "device"}, "location": [4.89, 52.37]}
WRAPPED: dict[str, Any] = {
    **TH1,
    "device": {"field": "end.id"},
    "payload": {"field": "data", "encoding": "hex"},
    "port": {"field": "fPort"},
}


def written(connectors: dict[str, Any], **more: Any) -> dict[str, Any]:
    route = [{"topic": f"city/{name}/{{device}}", "connector": name} for name in connectors]
    feed = {"kind": "mqtt", "url": "mqtt://127.0.0.1", "client_id": "c", "subscribe": ["city/#"], "routes": route}
    return {
        "tenant": "bench",
        "kafka": {"bootstrap_servers": ["127.0.0.1:9092"]},
        "feeds": {"city": feed},
        "connectors": connectors,
        "connector_paths": [str(VENDORS)],
        **more,
    }


def loaded(connectors: dict[str, Any], **more: Any) -> config.Loaded:
    return config.parse(yaml.safe_dump(written(connectors, **more), sort_keys=False), "city.yaml", {})


class VendorFlow:
    """Route and fan out before a publisher in memory."""

    def __init__(self, connector: dict[str, Any], *, store: Store | None = None, **more: Any) -> None:
        self.memory = Memory()
        self.ledger = Ledger()
        self.lane: Lane[None] = Lane(None, 100_000, ledger=self.ledger)
        read = loaded({"th": connector}, **more).config
        letters = wiring.dead_letters(read)
        ends: dict[str, Any] = {"publisher": self.memory, "letters": letters, "events": self.memory}
        self.kept = store is not None
        self.router = wiring.router(read, "city", **ends, shared=WorkerContext(store=store))

    def put(self, *payloads: bytes, device: str = "0001", later: int = 0, **message: Any) -> list[Record]:
        """Send payloads through, `later` ms after the first ones, and return the records that they became."""
        messages = [Message(f"city/th/{device}", payload, ARRIVAL + later, **message) for payload in payloads]
        self.memory.records.clear()
        self.router.put(Batch(self.lane.receive(len(messages), None), messages))
        assert self.ledger.conserved()
        assert self.kept or self.ledger.in_flight() == 0
        return list(self.memory.records)


def wrapped(code: str, port: int | None = None, device: object = "0001", **more: Any) -> bytes:
    return json.dumps({"end": {"id": device}, "data": code, "fPort": port, **more}).encode()
