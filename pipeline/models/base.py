"""How a common data model is described: what of a Smart Data Model's schema the pipeline needs to know.

Written from the facts of the official schemas; the tests hold each definition against them.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

Kind = Literal["number", "integer", "text", "boolean"]


class Bounds(BaseModel):
    """A closed range; None is open. NaN and the infinities are never inside."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    minimum: float | None = None
    maximum: float | None = None


class ModelAttribute(BaseModel):
    """One attribute (NGSI-LD Property) of a model.

    units: the canonical UN/CEFACT code for each dimension that the attribute may have; the first is the usual one
    (pollutants may be a mass per volume or a fraction by volume, and are never converted between the two). Empty: the
    attribute has no dimension and carries no unitCode; a fraction from 0 to 1 has `C62`.
    allowed: what the official JSON schema allows; outside it the value cannot be published.
    plausible: what the physical world allows, by unit code; outside it the value is published and flagged.
    wrap: an angle is brought into the schema's range by whole turns, instead of being refused.
    choices: the schema's enum.
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


class Model(BaseModel):
    """One common data model.

    subject: the repository of the Smart Data Models that defines it, `dataModel.Environment`.
    context: the `@context` documents, pinned and versioned, the subject's first, the NGSI-LD core's last.
    schema_url: the official schema (`ce_dataschema`).
    time: the attributes that carry the observation's time: `("dateObserved",)`, or the beginning and the end.
    device: the attribute that relates the entity to its device.
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
    location_required: bool
    required: tuple[str, ...] = ()
    attributes: tuple[ModelAttribute, ...]

    def attribute(self, name: str) -> ModelAttribute | None:
        """Return the attribute of that name, or None."""
        return next((attribute for attribute in self.attributes if attribute.name == name), None)
