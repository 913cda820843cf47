"""What takes the messages of one route: plans and decoder, of an inline connector or a vendor's."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from pipeline import wiring
from pipeline.binding import Fields
from pipeline.config import vendors
from pipeline.config.connectors import InlineConnector
from pipeline.config.root import Config
from pipeline.config.values import field_path
from pipeline.explain.fields import Steps
from pipeline.json_guard import parse
from pipeline.message import Message
from pipeline.plan import Plan


@dataclass(frozen=True, slots=True)
class Reader:
    """plans: one for each entity that a reading makes. told: fields that tell of the device itself."""

    plans: Sequence[Plan]
    decoder: str
    decode: Callable[[Message], Sequence[Fields]]
    told: Mapping[Steps, str] = field(default_factory=dict)


def reader_of(config: Config, feed: str, name: str) -> Reader:
    """Return what the connector of that name is made of on a feed."""
    declared = config.connectors[name]
    if isinstance(declared, InlineConnector):
        return Reader([wiring.plan_of(config, feed, name)], "JSON", lambda message: [parse(message.payload)])
    fan = wiring.fan_of(config, feed, declared)
    device = vendors.declared(declared).device
    told = {field_path(each.field).steps: f"Device.{key}" for key, each in device.items()}
    return Reader(fan.plans, f"the decoder of {fan.plans[0].provenance}", fan.readings, told)
