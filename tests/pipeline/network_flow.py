"""A feed of a LoRaWAN network in memory: the configuration as an operator writes it, the stages as they run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
import yaml

from pipeline import config
from pipeline.build import options as wiring
from pipeline.build.context import WorkerContext
from pipeline.core.delivery import Batch, Lane, Ledger, Message
from pipeline.core.record import Record
from pipeline.devices.registry import CurrentRegistry, DeviceRegistry
from pipeline.devices.silence_watch import SilenceWatch
from pipeline.state.store import Store
from tests.pipeline.flow import ARRIVAL, Memory

VENDORS = Path(__file__).resolve().parents[1] / "support" / "vendors"
PLACE = [3.7174, 51.0543]


def written(folder: Path, devices: Sequence[dict[str, Any]] | None = None, **feed: Any) -> str:
    """Return a configuration with one feed; its device registry, if any, is written into the folder."""
    more: dict[str, Any] = {}
    if devices is not None:
        (folder / "devices.yaml").write_text(yaml.safe_dump(list(devices), sort_keys=False))
        (folder / "devices.yaml").chmod(0o600)
        more["devices"] = "devices.yaml"
    where = {"kind": "mqtt", "url": "mqtt://127.0.0.1", "client_id": "c", "subscribe": ["#"]}
    return yaml.safe_dump(
        {
            "tenant": "bench",
            "kafka": {"bootstrap_servers": ["127.0.0.1:9092"]},
            "connector_paths": [str(VENDORS)],
            "streams": {"WeatherObserved": {"classification": "internal"}},
            **more,
            **feed.pop("top", {}),
            "feeds": {"city": {**where, "dialect": "auto", **feed}},
        },
        sort_keys=False,
    )


class NetworkFlow:
    """All stages of one feed before a publisher in memory."""

    def __init__(self, folder: Path, devices: Sequence[dict[str, Any]] | None = None, **feed: Any) -> None:
        self.memory = Memory()
        self.ledger = Ledger()
        self.lane: Lane[None] = Lane(None, 100_000, ledger=self.ledger)
        self.config = config.parse(written(folder, devices, **feed), str(folder / "city.yaml"), {}).config
        self.directory = CurrentRegistry(self.config.registered)
        self.strangers: list[str] = []
        self.shared = WorkerContext(self.directory, Store(None), self)
        self.watch = self.shared.watch = SilenceWatch(self.shared.store, None, self.shared.raw, lambda: ARRIVAL)
        self.first = wiring.router(
            self.config,
            "city",
            publisher=self.memory,
            letters=wiring.dead_letters(self.config),
            events=self.memory,
            shared=self.shared,
        )

    def note(self, eui: str, names: object, arrival: int) -> None:
        """Remember who was refused as unknown."""
        assert names is not None
        assert arrival
        self.strangers.append(eui)

    def take(self, devices: DeviceRegistry) -> None:
        """Put another registry in force."""
        self.directory.take(devices)

    def put(self, *messages: tuple[str, Any], arrival: int = ARRIVAL, **more: Any) -> list[Record]:
        """Send messages, topic and payload (bytes, or what becomes JSON), and return the records that they became."""
        made = [
            Message(topic, payload if isinstance(payload, bytes) else orjson.dumps(payload), arrival, **more)
            for topic, payload in messages
        ]
        self.memory.records.clear()
        self.first.put(Batch(self.lane.receive(len(made), None), made))
        assert self.ledger.conserved()
        return list(self.memory.records)
