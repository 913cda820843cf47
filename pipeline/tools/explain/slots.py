"""The attributes of a plan, each with its value, its conversion and the verdict of its own slot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from pipeline.core.json_words import lack, surrogate
from pipeline.models.units import resolve
from pipeline.normalise.attribute import Slot, ValueRefusedError
from pipeline.normalise.plan import Plan
from pipeline.tools.explain.explanation import Attribute
from pipeline.tools.explain.fields import shown


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


def _attribute(plan: Plan, slot: Slot, value: object, fields: Mapping[str, Any]) -> Attribute:
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


def _unfit(slot: Slot, value: object) -> str:
    half = surrogate(value) if isinstance(value, str) else None
    if half is not None:
        return f"it holds {half}, which is half of a surrogate pair, and no character"
    return f"expected {slot.allowed()}"
