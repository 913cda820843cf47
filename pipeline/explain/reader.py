"""What takes the messages of one route: plans and decoder, of an inline connector or a vendor's."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from pipeline.binding import Fields
from pipeline.compiler import Compiler, format_fan
from pipeline.config import vendors
from pipeline.config.feeds import Route
from pipeline.config.formats import JSON
from pipeline.config.root import Config
from pipeline.config.used import UsedConnector
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


def reader_of(config: Config, feed: str, route: Route) -> Reader:
    """Return what a route's connector is made of on a feed."""
    name = str(route.connector)
    declared = config.connectors[name]
    if not isinstance(declared, UsedConnector):
        plan = Compiler(config, feed).plan(name)
        if route.format not in {None, JSON}:
            return Reader([plan], f"format {route.format}", format_fan(plan, str(route.format)).readings)
        return Reader([plan], "JSON", lambda message: [parse(message.payload)])
    fan = Compiler(config, feed).fan(declared)
    device = vendors.declared(declared).device
    told = {field_path(each.field).steps: f"Device.{key}" for key, each in device.items()}
    return Reader(fan.plans, f"the decoder of {fan.plans[0].provenance}", fan.readings, told)
