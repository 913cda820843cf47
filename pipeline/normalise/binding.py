"""A device connector as the engine uses it: bound to a feed's way of naming devices, telling times and places.

Plain data, made from the config's `connectors:` and, through them, from what vendors declare. Beside it stand the rules
of its attributes: from a field's value to what may be published, whatever the record's form. Nothing here reads, waits
or remembers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import inf, isfinite
from typing import Any

import orjson

from pipeline.core.errors import ConfigError
from pipeline.core.field_path import Fields, Path
from pipeline.models.base import Bounds, Kind, Model
from pipeline.models.units import UNITS, Conversion, choose, conversion, resolve

MAX_AGE = 30 * 86_400.0
"""Seconds; an older time is a wrong clock's, unless the configuration says otherwise."""
_LARGEST = 1.7976931348623157e308  # an integer beyond has no float


@dataclass(frozen=True, slots=True)
class Source:
    """Where one attribute of the model comes from: the path of its value, and the unit that the device sends."""

    path: Path
    unit: str | None = None


@dataclass(frozen=True, slots=True)
class FromField:
    """The device's name stands in the payload."""

    path: Path


@dataclass(frozen=True, slots=True)
class FromTopic:
    """The device's name is the topic level that the route's `{name}` stands for."""

    name: str


@dataclass(frozen=True, slots=True)
class ObservedAt:
    """The payload carries its own time.

    Attributes:
        format: `iso` (RFC 3339 text), or the unit of a number since 1970 UTC: `s`, `ms`, `us`, `ns`.
        max_age: Seconds; an older time, or one over five minutes ahead of arrival, is replaced by arrival.
        optional: Whether a reading without it was just made, and gets the network's time, or else arrival's.
    """

    path: Path
    format: str = "iso"
    max_age: float = MAX_AGE
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Position:
    """Where in the payload the coordinates stand (WGS84, degrees; altitude in metres)."""

    longitude: Path
    latitude: Path
    altitude: Path | None = None


@dataclass(frozen=True, slots=True)
class Fixed:
    """Coordinates that are known beforehand, longitude first (RFC 7946 section 3.1.1)."""

    coordinates: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Binding:
    """How the messages of one kind of device become entities of one model.

    Attributes:
        name: The first half of `ce_connector`, which is `name@version`.
        version: The second half of `ce_connector`.
        observed_at: None means that arrival is the time.
        period: Seconds that one reading covers, ending at its time (a noise level has a beginning and an end).
        location: None where the model does not require one, or the registry has it.
        located: Whether the entity has a place at all; the Device entity has none.
        decode: None means that the payload is a JSON object.
        stated: Attributes that are known beforehand, each with its value; without a time, as they were not observed.
        related: Relationships, each with the model and the name of the related entity.
    """

    name: str
    version: str
    model: str
    device: FromField | FromTopic
    attributes: Mapping[str, Source]
    observed_at: ObservedAt | None = None
    period: float | None = None
    location: Position | Fixed | None = None
    located: bool = True
    decode: Callable[[bytes], Fields] | None = field(default=None)
    stated: Mapping[str, Any] = field(default_factory=dict)
    related: Mapping[str, tuple[str, str]] = field(default_factory=dict)


class ValueRefusedError(ValueError):
    """A value cannot be published; the text is its flag in `ce_quality`."""


@dataclass(frozen=True, slots=True)
class AttributeRule:
    """A mapped attribute. `low`..`high` is what the model's schema allows, in the canonical unit.

    Attributes:
        likely: What the physical world allows; outside it a value is published and flagged as implausible.
        conversion: None when the device sends the canonical unit.
        code: The unitCode, or "" without one.
        measured: Whether it is what was measured, or says something of how.
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
    shortest: int = 0
    measured: bool = True

    def allowed(self) -> str:
        """Say to a person what the model allows."""
        if self.kind == "text":
            return f"{self.name} {' or '.join(self.choices) or 'a text'}"
        if self.kind == "boolean":
            return f"{self.name} true or false"
        number = f"{self.name} a number"
        if isfinite(self.low):
            number += f" from {self.low:g}"
        if isfinite(self.high):
            number += f" up to {self.high:g}"
        return f"{number} ({self.code})" if self.code else number

    def render(self, value: Any, flags: list[str]) -> bytes:  # noqa: ANN401 - a payload holds anything
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
            return str(value if isinstance(value, int) and self.conversion is None else int(number)).encode()
        return orjson.dumps(number)

    def _number(self, value: Any) -> float:  # noqa: ANN401 - a payload holds anything
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueRefusedError("type")
        number = float(value) if abs(value) <= _LARGEST else inf
        if not isfinite(number):
            raise ValueRefusedError("type")
        if self.conversion is not None:
            number = self.conversion.apply(number)
            if not isfinite(number):
                raise ValueRefusedError("type")
        if self.kind == "integer" and not number.is_integer():
            raise ValueRefusedError("type")
        return number

    def _within(self, number: float) -> float:
        if self.wrap and not self.low <= number <= self.high:
            number = self.low + (number - self.low) % (self.high - self.low)
        if not self.low <= number <= self.high:
            raise ValueRefusedError("out_of_bounds")
        return number

    def _text(self, value: Any) -> bytes:  # noqa: ANN401 - a payload holds anything
        text = str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value
        if not isinstance(text, str):
            raise ValueRefusedError("type")
        if (self.choices and text not in self.choices) or len(text) < self.shortest:
            raise ValueRefusedError("out_of_bounds")
        try:
            return orjson.dumps(text)
        except TypeError:  # half of a surrogate pair, which a decoder may return
            raise ValueRefusedError("type") from None

    def _boolean(self, value: Any) -> bytes:  # noqa: ANN401 - a payload holds anything
        if not isinstance(value, bool):
            raise ValueRefusedError("type")
        return b"true" if value else b"false"


def slots_of(binding: Binding, model: Model) -> tuple[AttributeRule, ...]:
    """Resolve a binding's attributes against its model, in the order of the binding.

    Raises:
        UnitError: a unit is unknown, or of a dimension that the attribute does not have.
        ConfigError: the model has no such attribute.
    """
    return tuple(_slot(name, attribute, model) for name, attribute in binding.attributes.items())


def _slot(name: str, attribute: Source, model: Model) -> AttributeRule:
    known = model.attribute(name)
    if known is None:
        raise ConfigError(f"The model {model.name} has no attribute {name}.")
    code, change = "", None
    if attribute.unit is not None:
        source = resolve(attribute.unit)
        code = choose(known.units, source)
        change = conversion(source, UNITS[code])
    likely = known.plausible.get(code, Bounds())
    return AttributeRule(
        name=name,
        path=attribute.path,
        kind=known.kind,
        code=code,
        conversion=None if change is None or change.identity else change,
        low=_or(known.allowed.minimum, -inf),
        high=_or(known.allowed.maximum, inf),
        likely=(_or(likely.minimum, -inf), _or(likely.maximum, inf)),
        wrap=known.wrap,
        choices=known.choices,
        shortest=known.shortest,
        measured=known.measured,
    )


def _or(value: float | None, default: float) -> float:
    return default if value is None else value
