"""The stages from route to publish in memory: what their tests share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

import orjson

from pipeline.config.root import StreamConfig
from pipeline.core.delivery import Batch, Fate, Lane, Ledger, Message
from pipeline.core.errors import Reason
from pipeline.core.field_path import Path
from pipeline.core.mqtt_topics import TopicPattern
from pipeline.core.recent import Room
from pipeline.core.record import Record, decode_headers
from pipeline.encode import FORMS, Encoder
from pipeline.encode.dead_letter import DeadLetters, Refusals
from pipeline.models import MODELS
from pipeline.normalise.binding import Binding, FromField, ObservedAt, Position, Source, slots_of
from pipeline.normalise.entity import PlanSpec
from pipeline.normalise.normalise import InlineStage, RouteRules
from pipeline.normalise.plan import Plan
from pipeline.normalise.route import Route, Router

ARRIVAL = 1_769_000_001_000
NOTHING: Mapping[str, Any] = MappingProxyType({})
READING: dict[str, Any] = {
    "device": "aq-0001",
    "ts": 1_769_000_000_000,
    "temperature": 21.5,
    "humidity": 45.2,
    "pm10": 12.1,
    "pm25": 7.4,
    "no2": 31.5,
    "battery": 3.61,
    "lat": 52.37,
    "lon": 4.89,
}


def reading(**changes: Any) -> bytes:
    """Return the message of a reading, with changes."""
    return orjson.dumps({**READING, **changes})


def dead(records: list[Record]) -> dict[str, str]:
    """Return the headers of the one dead letter that was made."""
    assert len(records) == 1
    assert records[0].message is None
    assert records[0].destination.topic == "bench.dead-letter.v1"
    return headers_of(records[0])


def path(text: str) -> Path:
    return Path(text, tuple(text.split(".")))


AIR = Binding(
    name="city-aq",
    version="0a1b2c3d",
    model="AirQualityObserved",
    device=FromField(path("device")),
    observed_at=ObservedAt(path("ts"), "ms", 3650 * 86_400),
    location=Position(path("lon"), path("lat")),
    attributes={
        "temperature": Source(path("temperature"), "degC"),
        "relativeHumidity": Source(path("humidity"), "%"),
        "pm10": Source(path("pm10"), "ug/m3"),
        "pm25": Source(path("pm25"), "ug/m3"),
        "no2": Source(path("no2"), "ug/m3"),
    },
)


def plan_of(
    binding: Binding = AIR,
    room: Room | None = None,
    *,
    encoder: Encoder = FORMS["normalised"],
    beside: Mapping[str, Any] = NOTHING,
    **changes: Any,
) -> Plan:
    """Return a plan. changes: of the binding. beside: what else the plan takes."""
    return Plan(spec_of(replace(binding, **changes), encoder=encoder), room=room, **beside)


def spec_of(binding: Binding = AIR, **more: Any) -> PlanSpec:
    model = MODELS[binding.model]
    given: dict[str, Any] = {
        "tenant": "bench",
        "feed": "city",
        "topic": f"bench.{model.name}.v1",
        "terms": StreamConfig(classification="public", licence="https://creativecommons.org/licenses/by/4.0/"),
        **more,
    }
    return PlanSpec(binding, model, slots_of(binding, model), **given)


@dataclass
class Memory:
    """A publisher that confirms at once, and the counts of what came."""

    records: list[Record] = field(default_factory=list)
    reasons: Counter[Reason] = field(default_factory=Counter)

    def put(self, batch: Batch[Record]) -> None:
        for record in batch.items:
            self.records.append(record)
            batch.delivery.seal(Fate.DEAD_LETTERED if record.message is None else Fate.PUBLISHED)

    def pending(self) -> int:
        return 0

    async def drain(self, deadline: float) -> None: ...

    def dead_lettered(self, feed: str, reason: Reason) -> None:
        assert feed == "city"
        self.reasons[reason] += 1


class Flow:
    """Route, decode and normalise before a publisher in memory."""

    def __init__(self, plan: Plan | None = None, topic: str = "city/aq/{device}", **decode: Any) -> None:
        self.memory = Memory()
        self.ledger = Ledger()
        self.lane: Lane[None] = Lane(None, 10_000, ledger=self.ledger)
        letters = DeadLetters("bench", "bench.dead-letter.v1")
        refusals = Refusals("city", letters, self.memory, self.memory)
        pattern = TopicPattern(topic)
        level: Callable[[str], str | None] = lambda text: pattern.level("device", text)
        options: dict[str, Any] = {"keep_retained": False, "max_payload": 4096, "level": level, **decode}
        stage = InlineStage(plan or plan_of(), RouteRules(**options), refusals)
        routes = [Route(pattern, stage), Route(TopicPattern("city/debug/#"), None)]
        self.router = Router(routes, refusals)

    def put(self, *payloads: bytes, topic: str = "city/aq/0001", **message: Any) -> list[Record]:
        """Send payloads through and return the records that they became."""
        messages = [Message(topic, payload, ARRIVAL, **message) for payload in payloads]
        self.memory.records.clear()
        self.router.put(Batch(self.lane.receive(len(messages), None), messages))
        assert self.ledger.conserved()
        assert self.ledger.in_flight() == 0
        return list(self.memory.records)


def headers_of(record: Record) -> dict[str, str]:
    return {name: value.decode() for name, value in decode_headers(record.headers)}
