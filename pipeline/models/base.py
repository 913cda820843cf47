"""How a common data model is described: what of a Smart Data Model's schema the pipeline needs to know.

Written from the facts of the official schemas; the tests hold each definition against them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, model_validator

from pipeline.models.units import UNITS


class Area(NamedTuple):
    """The box that a city's places lie in, in degrees (WGS84); in the order of RFC 7946 section 5."""

    west: float
    south: float
    east: float
    north: float

    def holds(self, longitude: float, latitude: float) -> bool:
        """Say whether a position lies inside, the edge included."""
        return self.west <= longitude <= self.east and self.south <= latitude <= self.north

    def refusal(self, longitude: float, latitude: float) -> str:
        """Say that a position lies outside, and whether its swapped pair would not."""
        said = f"[{longitude:g}, {latitude:g}] lies outside `area` {list(self)}"
        if self.holds(latitude, longitude):
            return f"{said}; the swapped pair lies inside, and longitude comes first"
        return said


WORLD = Area(-180.0, -90.0, 180.0, 90.0)


Kind = Literal["number", "integer", "text", "boolean"]


class Bounds(BaseModel):
    """A closed range; None is open. NaN and the infinities are never inside."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    minimum: float | None = None
    maximum: float | None = None


def between(minimum: float | None = None, maximum: float | None = None) -> Bounds:
    """Return a closed range; None is open."""
    return Bounds(minimum=minimum, maximum=maximum)


class ModelAttribute(BaseModel):
    """One attribute (NGSI-LD Property) of a model.

    units: the canonical UN/CEFACT code for each dimension that the attribute may have; the first is the usual one
    (pollutants may be a mass per volume or a fraction by volume, and are never converted between the two). Empty: the
    attribute has no dimension and carries no unitCode (counts, indices, text); a fraction from 0 to 1 has `C62`.
    allowed: what the official JSON schema allows, as a number, whatever the unit; outside it the value cannot be
    published.
    plausible: what the physical world allows, by unit code, or by "" where there is no unit; outside it the value is
    published and flagged.
    wrap: an angle is brought into the schema's range by whole turns, instead of being refused.
    choices: the schema's enum. shortest: the fewest characters that the schema allows a text.
    measured: False for what says how or where something was measured; an entity of such attributes alone says nothing.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    kind: Kind
    description: str
    units: tuple[str, ...] = ()
    allowed: Bounds = Bounds()
    plausible: dict[str, Bounds] = {}
    wrap: bool = False
    choices: tuple[str, ...] = ()
    shortest: int = 0
    measured: bool = True

    @model_validator(mode="after")
    def _coherent(self) -> Self:
        dimensions = [UNITS[code].dimension for code in self.units if code in UNITS]
        if len(set(dimensions)) != len(self.units):
            raise ValueError(f"{self.name}: expected known units, one a dimension, got {self.units}.")
        if set(self.plausible) - set(self.units or ("",)):
            raise ValueError(f"{self.name}: expected plausible bounds by a unit of {self.units}, got {self.plausible}.")
        if self.kind in {"text", "boolean"} and (self.units or self.plausible or self.allowed != Bounds()):
            raise ValueError(f"{self.name}: expected neither unit nor bounds on a {self.kind}.")
        if self.wrap and None in {self.allowed.minimum, self.allowed.maximum}:
            raise ValueError(f"{self.name}: expected both bounds of the turn that an angle is wrapped into.")
        return self


def text_attribute(name: str, what: str, *choices: str, measured: bool = True) -> ModelAttribute:
    """Return an attribute that is a text: one of the choices, if there are any."""
    return ModelAttribute(name=name, kind="text", description=what, choices=choices, measured=measured)


class Model(BaseModel):
    """One common data model.

    subject: the repository of the Smart Data Models that defines it, `dataModel.Environment`.
    context: the `@context` documents, pinned and versioned, the subject's first, the NGSI-LD core's last.
    schema_url: the official schema (`ce_dataschema`), pinned to the same commit.
    time: the attributes that carry the observation's time: `("dateObserved",)`, or the beginning and the end; none
    where nothing is observed. device: the attribute that relates the entity to its device. relations: others that
    relate it.
    required: attributes that the schema requires besides id, type, location and the time.
    location_required: whether the schema requires `location`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    subject: str
    version: str
    context: tuple[str, ...]
    schema_url: str
    time: tuple[str, ...]
    device: str | None
    relations: tuple[str, ...] = ()
    location_required: bool
    required: tuple[str, ...] = ()
    attributes: tuple[ModelAttribute, ...]

    def attribute(self, name: str) -> ModelAttribute | None:
        """Return the attribute of that name, or None."""
        return next((attribute for attribute in self.attributes if attribute.name == name), None)

    def tells_nothing(self, names: Iterable[str]) -> bool:
        """Say whether attributes of these names only tell how or where something was measured, and not what."""
        known = [attribute for attribute in map(self.attribute, names) if attribute is not None]
        return bool(known) and not any(attribute.measured for attribute in known)

    @property
    def covers(self) -> bool:
        """Whether an entity has a beginning and an end, and not one moment."""
        return len(self.time) > 1

    @property
    def terms(self) -> tuple[str, ...]:
        """Every name that the subject's `@context` defines for this model; `location` is the core's."""
        device = (self.device,) if self.device else ()
        supplied = (*self.required, *(attribute.name for attribute in self.attributes))
        return (self.name, *self.time, *device, *self.relations, *supplied)
