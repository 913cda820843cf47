"""The values of a payload, each with the attribute or rule that uses it: shows why a value is not published."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pipeline.build.connectors import Compiler, format_fan
from pipeline.config.connectors import InlineConnectorConfig
from pipeline.config.feeds import JSON, RouteConfig
from pipeline.config.root import Config
from pipeline.config.used_connectors import UsedConnectorConfig
from pipeline.core.delivery import Message
from pipeline.core.field_path import Fields, Path, Steps, kind, lack, spelled, surrogate
from pipeline.core.strict_json import parse
from pipeline.devices.state import DeviceStates
from pipeline.models.units import resolve
from pipeline.normalise.binding import AttributeRule, Binding, FromField, Position, ValueRefusedError
from pipeline.normalise.plan import Plan
from pipeline.normalise.records import CompiledConnector, listed
from pipeline.sdk.connector import Decoded
from pipeline.sdk.uplink import Uplink
from pipeline.tools.explain.explanation import Attribute, Explanation, Field


@dataclass(frozen=True, slots=True)
class PayloadReader:
    """How a connector reads one payload.

    Attributes:
        plans: One for each entity that a reading makes.
        told: Fields that tell of the device itself.
    """

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


def of_route(config: Config, feed: str, route: RouteConfig, message: Message) -> PayloadReader:
    """Return what a route's connector makes of a message."""
    name = str(route.connector)
    declared = config.connectors[name]
    if not isinstance(declared, UsedConnectorConfig):
        plan = Compiler(config, feed).plan(name)
        if route.format not in {None, JSON}:
            fan = format_fan(plan, str(route.format), config.found)
            return PayloadReader([plan], f"format {route.format}", lambda: fan.readings(message))
        return PayloadReader([plan], "JSON", lambda: parse(message.payload))
    fan = Compiler(config, feed).fan(declared)
    return PayloadReader(fan.plans, _decoder(fan), lambda: fan.readings(message), _told(fan.states))


def of_uplink(config: Config, connector: str, fan: CompiledConnector, uplink: Uplink) -> PayloadReader:
    """Return what a connector makes of an uplink.

    Args:
        fan: The compiled connector.
    """
    by_server = isinstance(config.connectors.get(connector), InlineConnectorConfig)
    decoder = "the network server" if by_server else _decoder(fan)
    return PayloadReader(fan.plans, decoder, lambda: fan.decoded(uplink), _told(fan.states))


def _decoder(fan: CompiledConnector) -> str:
    return f"the decoder of {fan.plans[0].provenance}"


def _told(states: DeviceStates | None) -> Mapping[Steps, str]:
    return {} if states is None else {path.steps: f"Device.{name}" for name, path in states.paths.items()}


def attributes_of(plans: Sequence[Plan], fields: Mapping[str, Any]) -> list[Attribute]:
    """Ask each slot what it makes of its field; of several plans, those that the reading has something for."""
    if len(plans) == 1:
        return [_attribute(plans[0], slot, slot.path.find(fields), fields) for slot in plans[0].slots]
    measured = [plan for plan in plans if any(slot.path.find(fields) is not None for slot in plan.slots)]
    return [
        replace(each, name=f"{plan.model.name}.{each.name}")
        for plan in measured
        for each in attributes_of([plan], fields)
    ]


def _attribute(plan: Plan, slot: AttributeRule, value: object, fields: Mapping[str, Any]) -> Attribute:
    field = slot.path.text
    if value is None:
        return Attribute(slot.name, field, lack(slot.path, fields), "absent")
    unit = plan.binding.attributes[slot.name].unit
    came = f"{field} {shown(value)}" + (f" {resolve(unit).symbol}" if unit else "")
    flags: list[str] = []
    try:
        made = slot.render(value, flags).decode()
    except ValueRefusedError as refusal:
        verdict = "wrong type" if str(refusal) == "type" else "out of bounds"
        return Attribute(slot.name, field, came, verdict, f"left out; {_unfit(slot, value)}")
    change = f"{came} -> {made}" + (f" ({slot.code})" if slot.code else "")
    if flags:
        low, high = slot.likely
        said = f"flagged; likely is {low:g} to {high:g}" + (f" ({slot.code})" if slot.code else "")
        return Attribute(slot.name, field, change, "implausible", said)
    return Attribute(slot.name, field, change, "fits")


def _unfit(slot: AttributeRule, value: object) -> str:
    half = surrogate(value) if isinstance(value, str) else None
    if half is not None:
        return f"it holds {half}, which is half of a surrogate pair, and no character"
    return f"expected {slot.allowed()}"


_SHOWN = 200
_LONGEST = 60
_PLAIN = {str, float, bool, type(None)}
_DEEPEST = 32  # as core/strict_json.py; what a decoder returns may even hold itself


def fields_of(
    bindings: Sequence[Binding], decoded: Mapping[str, Any], told: Mapping[Steps, str] | None = None
) -> list[Field]:
    """Return the values of the payload, at most 200.

    Args:
        told: What else uses a value, by the steps of its path.
    """
    takers = dict(told or {})
    for binding in reversed(bindings):
        takers |= dict(_takers(binding))
    found: list[Field] = []
    for steps, value in _leaves(decoded, ()):
        if len(found) == _SHOWN:
            break
        by = next((takers[steps[:end]] for end in range(1, len(steps) + 1) if steps[:end] in takers), None)
        found.append(Field(spelled(steps), value, by))
    return found


def shown(value: object) -> str:
    """Write a value as JSON does, cut where it is long; nothing in it can break a line."""
    try:
        text = json.dumps(value, ensure_ascii=False, default=as_json)
        text = text if text.isprintable() else json.dumps(value, default=as_json)
    except Exception as error:  # noqa: BLE001 - a decoder may return what holds itself, or refuses to be shown
        text = f"{kind(value)} that cannot be shown: {type(error).__name__}"
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."


def as_json(value: object) -> object:
    """Return what JSON takes in the place of a value that it does not know: `default` of json.dumps."""
    return dict(value) if isinstance(value, Mapping) else repr(value)


def _takers(binding: Binding) -> Iterator[tuple[Steps, str]]:
    if isinstance(binding.location, Position):
        place = binding.location
        named = {"longitude": place.longitude, "latitude": place.latitude, "altitude": place.altitude}
        yield from ((path.steps, f"location ({name})") for name, path in named.items() if isinstance(path, Path))
    if binding.observed_at is not None:
        yield binding.observed_at.path.steps, "time"
    if isinstance(binding.device, FromField):
        yield binding.device.path.steps, "device"
    for name, source in binding.attributes.items():
        yield source.path.steps, name


def _leaves(value: object, steps: Steps) -> Iterator[tuple[Steps, object]]:
    if len(steps) == _DEEPEST and isinstance(value, Mapping | list):
        yield steps, shown(value)
    elif isinstance(value, Mapping) and value:
        for name, each in value.items():
            yield from _leaves(each, (*steps, name))
    elif isinstance(value, list) and value:
        for index, each in enumerate(value):
            yield from _leaves(each, (*steps, index))
    elif steps:
        yield steps, value if type(value) in _PLAIN or _short(value) else shown(value)


def _short(value: object) -> bool:
    return type(value) is int and value.bit_length() <= _LONGEST
