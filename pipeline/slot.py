"""One attribute of a plan: from a field's value to the text that stands in the entity."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, isfinite
from typing import Any

import orjson

from pipeline.connector import Path
from pipeline.models.base import Kind
from pipeline.units import Conversion

_LARGEST = 1.7976931348623157e308  # an integer beyond has no float


class ValueRefusedError(ValueError):
    """A value cannot be published; the text is its flag in `ce_quality`."""


@dataclass(frozen=True, slots=True)
class Slot:
    """A mapped attribute. `low`..`high` is what the model's schema allows, in the canonical unit.

    likely: what the physical world allows; outside it a value is published and flagged as implausible.
    conversion: None when the device sends the canonical unit. code: the unitCode, or "" without one.
    """

    name: str
    path: Path
    kind: Kind
    code: str
    conversion: Conversion | None
    low: float = -inf
    high: float = inf
    likely: tuple[float, float] = (-inf, inf)
    wrap: bool = False
    choices: tuple[str, ...] = ()

    def opening(self) -> str:
        """Return the text of the entity before the value."""
        return f',"{self.name}":{{"type":"Property","value":'

    def closing(self) -> str:
        """Return the text of the entity between the value and the observation's time."""
        unit = f',"unitCode":"{self.code}"' if self.code else ""
        return f'{unit},"observedAt":"'

    def render(self, value: Any, flags: list[str]) -> str:  # noqa: ANN401 - a payload holds anything
        """Return the value as it stands in the entity; append to `flags` what is implausible.

        Raises:
            ValueRefusedError: the value is of a wrong type, or the model does not allow it.
        """
        if self.kind == "text":
            return self._text(value)
        if self.kind == "boolean":
            return self._boolean(value)
        number = self._within(self._number(value))
        if not self.likely[0] <= number <= self.likely[1]:
            flags.append(f"implausible:{self.name}")
        if self.kind == "integer":
            return str(int(number))
        return repr(number) if self.conversion is None else rounded(number)

    def _number(self, value: Any) -> float:  # noqa: ANN401 - a payload holds anything
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueRefusedError("type")
        number = float(value) if abs(value) <= _LARGEST else inf
        if not isfinite(number):
            raise ValueRefusedError("type")
        if self.conversion is not None:
            number = number * self.conversion.multiplier + self.conversion.offset
        if self.kind == "integer" and not number.is_integer():
            raise ValueRefusedError("type")
        return number

    def _within(self, number: float) -> float:
        if self.wrap and isfinite(self.low + self.high):
            turn = self.high - self.low
            if not self.low <= number <= self.high and -turn <= number <= self.high + turn:
                number += turn if number < self.low else -turn
        low, high = self._schema_range(number)
        if not low <= number <= high:
            raise ValueRefusedError("out_of_bounds")
        return number

    def _schema_range(self, number: float) -> tuple[float, float]:
        # A converted value may miss a bound by its last bits: 100 % of a fraction is 1 whatever the arithmetic says.
        if self.conversion is None:
            return self.low, self.high
        slack = 1e-12 * max(1.0, abs(number))
        return self.low - slack, self.high + slack

    def _text(self, value: Any) -> str:  # noqa: ANN401 - a payload holds anything
        text = str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value
        if not isinstance(text, str):
            raise ValueRefusedError("type")
        if self.choices and text not in self.choices:
            raise ValueRefusedError("out_of_bounds")
        return orjson.dumps(text).decode()

    def _boolean(self, value: Any) -> str:  # noqa: ANN401 - a payload holds anything
        if not isinstance(value, bool):
            raise ValueRefusedError("type")
        return "true" if value else "false"


def rounded(number: float) -> str:
    """Return a converted number with 12 significant digits: conversion must not invent the seventeenth."""
    text = f"{number:.12g}"
    return text if "." in text or "e" in text else text + ".0"
