"""Readings of every model, whole and doubtful: what the golden records of each form are made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.core.delivery import Message
from pipeline.core.record import Record
from pipeline.devices.registry import Device
from pipeline.encode import Encoder
from pipeline.encode.headers import recorded_header
from pipeline.models import MODELS
from pipeline.models.base import Model, ModelAttribute
from pipeline.models.device import stated
from pipeline.models.units import UNITS
from pipeline.normalise.binding import Binding, FromField, ObservedAt, Position, Source
from pipeline.normalise.plan import Plan
from tests.pipeline.flow import ARRIVAL, path, plan_of

PLACE = (4.8952, 52.3702, 1.5)
POSITION = Position(path("lon"), path("lat"))
WITH_ALTITUDE = Position(path("lon"), path("lat"), path("alt"))
_TEXTS: Mapping[str, Any] = {"text": 'a "text" of São Paulo', "boolean": False}
_ABOUT_DEVICES = {"Device", "DeviceModel"}


@dataclass(frozen=True)
class Example:
    """One reading, and the connector that it goes through."""

    name: str
    binding: Binding
    fields: Mapping[str, Any]
    device: Device | None = None

    def plan(self, encoder: Encoder) -> Plan:
        """Return the plan that writes the form of an encoder."""
        known: dict[str, Any] = {} if self.device is None else {"lookup": lambda _: self.device, "presented": True}
        return plan_of(self.binding, encoder=encoder, beside=known)

    def record(self, encoder: Encoder) -> Record:
        """Return the record in the form of an encoder."""
        plan = self.plan(encoder)
        message = Message("city/x/1", b"", ARRIVAL)
        return plan.normalise(self.fields, plan.entity("x-1"), message, recorded_header(ARRIVAL), 0)


def examples() -> list[Example]:
    """Return two or three of each model."""
    return [each for model in MODELS.values() for each in (whole(model), doubtful(model), known(model)) if each]


def whole(model: Model) -> Example:
    """Return a reading with every attribute; what is to be expected takes the fast path, if there is one."""
    fields = {each.name: typical(each) for each in model.attributes}
    return Example(f"{model.name}, whole", bound(model), {**place(model), **fields})


def doubtful(model: Model) -> Example | None:
    """Return a reading of a wrong clock, with a value that is implausible and others that cannot be published."""
    numbers = [each for each in model.attributes if each.kind == "number" and each.measured]
    if len(numbers) < 2:
        return None
    others = dict(zip((each.name for each in numbers[2:]), (None, "21.5", float("inf")), strict=False))
    fields = {numbers[0].name: beyond(numbers[0]), numbers[1].name: typical(numbers[1]), **others}
    return Example(f"{model.name}, doubtful", bound(model), {**place(model), **fields, "ts": 1})


def known(model: Model) -> Example | None:
    """Return a reading of a device of which the registry says where it is and what it is; a part is not measured."""
    if model.name == "DeviceModel":
        return None
    first = next(each for each in model.attributes if each.measured)
    constants = {each.name: typical(each) for each in model.attributes if each is not first}
    device = Device("x-1", location=PLACE, attributes=constants)
    binding = bound(model, {first.name: first}, place=False)
    return Example(
        f"{model.name}, known to the registry", binding, {"ts": ARRIVAL - 1000, first.name: typical(first)}, device
    )


def bound(model: Model, attributes: Mapping[str, ModelAttribute] | None = None, *, place: bool = True) -> Binding:
    """Return a connector of all attributes of a model, or of some."""
    taken = {each.name: each for each in model.attributes} if attributes is None else attributes
    about = model.name in _ABOUT_DEVICES
    words: dict[str, Any] = {"controlledProperty": ["temperature", "humidity"]} if model.name == "Device" else {}
    return Binding(
        name="example",
        version="1",
        model=model.name,
        device=FromField(path("device")),
        attributes={name: Source(path(name), _unit(each)) for name, each in taken.items()},
        observed_at=ObservedAt(path("ts"), "ms", 3650 * 86_400),
        period=900.0 if model.covers else None,
        location=None if about or not place else WITH_ALTITUDE if model.covers else POSITION,
        located=not about,
        stated=stated("acme", "th-1", ("temperature",)) if model.name == "DeviceModel" else words,
        related={"refDeviceModel": ("DeviceModel", "acme/th-1")} if model.name == "Device" else {},
    )


def place(model: Model) -> dict[str, Any]:
    """Return when and where a reading of a model was made."""
    where = {} if model.name in _ABOUT_DEVICES else dict(zip(("lon", "lat", "alt"), PLACE, strict=True))
    return {"ts": ARRIVAL - 1000, **where}


def typical(attribute: ModelAttribute) -> Any:
    """Return a value that is allowed and plausible, in the canonical unit."""
    if attribute.kind in _TEXTS:
        return attribute.choices[0] if attribute.choices else _TEXTS[attribute.kind]
    bounds = attribute.plausible.get(_code(attribute), attribute.allowed)
    low, high = bounds.minimum or 0.0, bounds.maximum or 100.0
    middle = low + (high - low) / 3
    return int(middle) if attribute.kind == "integer" else round(middle, 3)


def beyond(attribute: ModelAttribute) -> float:
    """Return a value that is allowed and not plausible, where there is one."""
    bounds = attribute.plausible.get(_code(attribute), attribute.allowed)
    return typical(attribute) if bounds.maximum is None else bounds.maximum * 2


def _code(attribute: ModelAttribute) -> str:
    return attribute.units[0] if attribute.units else ""


def _unit(attribute: ModelAttribute) -> str | None:
    return UNITS[_code(attribute)].symbol if attribute.units else None
