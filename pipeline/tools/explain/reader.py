"""What takes a message: plans and decoder, of an inline connector or a vendor's; and what they find in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from pipeline.build.connectors import Compiler, format_fan
from pipeline.config.connectors import InlineConnector
from pipeline.config.feeds import Route
from pipeline.config.formats import JSON
from pipeline.config.root import Config
from pipeline.config.used import UsedConnector
from pipeline.core.field_path import Fields
from pipeline.core.json_words import Steps
from pipeline.core.message import Message
from pipeline.core.strict_json import parse
from pipeline.devices.state import DeviceStates
from pipeline.normalise.plan import Plan
from pipeline.normalise.vendor import Fan, listed
from pipeline.sdk.connector import Decoded
from pipeline.sdk.uplink import Uplink
from pipeline.tools.explain.explanation import Explanation
from pipeline.tools.explain.fields import fields_of
from pipeline.tools.explain.slots import attributes_of


@dataclass(frozen=True, slots=True)
class Reader:
    """plans: one for each entity that a reading makes. told: fields that tell of the device itself."""

    plans: Sequence[Plan]
    decoder: str
    decode: Callable[[], Decoded]
    told: Mapping[Steps, str] = field(default_factory=dict)

    def describe(self, said: Explanation) -> Fields | None:
        """Say what the message holds and what takes it; return the first reading, or None if it cannot be decoded."""
        said.model = ", ".join(each.model.name for each in self.plans)
        said.decoder = self.decoder
        try:
            readings = listed(self.decode())
        except Exception:  # noqa: BLE001 - the real stage says why, as a dead letter
            return None
        fields = readings[0] if readings else {}
        if len(readings) > 1:
            held = f"The payload holds {len(readings)} readings"
            said.notes.append(f"{held}; fields and attributes are those of the first.")
        try:
            said.fields = fields_of([each.binding for each in self.plans], fields, self.told)
            said.attributes = attributes_of(self.plans, fields)
        except Exception as error:  # noqa: BLE001 - as above: a decoder may return objects that fail when they are used
            said.notes.append(f"What was decoded cannot be shown: {type(error).__name__}.")
            return None
        return fields


def of_route(config: Config, feed: str, route: Route, message: Message) -> Reader:
    """Return what a route's connector makes of a message."""
    name = str(route.connector)
    declared = config.connectors[name]
    if not isinstance(declared, UsedConnector):
        plan = Compiler(config, feed).plan(name)
        if route.format not in {None, JSON}:
            fan = format_fan(plan, str(route.format), config.found)
            return Reader([plan], f"format {route.format}", lambda: fan.readings(message))
        return Reader([plan], "JSON", lambda: parse(message.payload))
    fan = Compiler(config, feed).fan(declared)
    return Reader(fan.plans, _decoder(fan), lambda: fan.readings(message), _told(fan.states))


def of_uplink(config: Config, connector: str, fan: Fan, uplink: Uplink) -> Reader:
    """Return what a connector makes of an uplink. fan: of that connector."""
    by_server = isinstance(config.connectors.get(connector), InlineConnector)
    decoder = "the network server" if by_server else _decoder(fan)
    return Reader(fan.plans, decoder, lambda: fan.decoded(uplink), _told(fan.states))


def _decoder(fan: Fan) -> str:
    return f"the decoder of {fan.plans[0].provenance}"


def _told(states: DeviceStates | None) -> Mapping[Steps, str]:
    return {} if states is None else {path.steps: f"Device.{name}" for name, path in states.paths.items()}
