"""The flat form: one level of plain JSON, for tables and readers that know no NGSI-LD.

    {"id": "urn:ngsi-ld:...", "type": "AirQualityObserved", "time": "2026-01-21T12:53:20.000Z",
     "lon": 4.89, "lat": 52.37, "no2": 31.5, "no2_unit": "GQ"}

Names of attributes are the model's, units its UN/CEFACT codes. `time` is when the reading was made, or the end of what
it covers, which begins at `time_from`; `alt` is the altitude, if it is known. A list or an object that the device
registry states stays one, and a relation is the other entity's id. There is no `@context`, and no official schema
describes it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson

from pipeline.encode.encoder import (
    ALTITUDE,
    BEGINNING,
    LATITUDE,
    LONGITUDE,
    MOMENT,
    VALUE,
    Encoder,
    EntityView,
    Member,
    Template,
)

UNIT: Final = "_unit"
"""What the name of an attribute's unit ends with."""
_PLACE = ("lon", "lat", "alt")
OWN_NAMES: Final = frozenset({"id", "type", "time", "time_from", *_PLACE})
"""Names that no attribute may have."""


@dataclass(frozen=True, slots=True)
class FlatEncoder:
    """Writes an entity as one object without objects in it."""

    content_type: str = "application/json"
    conforms: bool = False
    opening: bytes = b'{"id":"'

    def head(self, model: str) -> bytes:
        """Return the text behind the id."""
        return f'","type":"{model}"'.encode()

    def stated(self, attributes: Mapping[str, Any]) -> bytes:
        """Return bare values."""
        return b"".join(f',"{name}":'.encode() + orjson.dumps(value) for name, value in attributes.items())

    def related(self, targets: Mapping[str, str]) -> bytes:
        """Return the ids."""
        return self.stated(targets)

    def times(self, names: Sequence[str]) -> Template:
        """Return `time`, which every record has, and `time_from` of what covers a period."""
        begins = [b',"time_from":"', BEGINNING, b'"'] if len(names) > 1 else []
        return [*begins, b',"time":"', MOMENT, b'"']

    def location(self, *, altitude: bool, observed: bool) -> Template:  # noqa: ARG002 - the same from every source
        """Return longitude and latitude in degrees, and the altitude in metres."""
        above = [b',"alt":', ALTITUDE] if altitude else []
        return [b',"lon":', LONGITUDE, b',"lat":', LATITUDE, *above]

    def attribute(self, name: str, unit: str) -> Template:
        """Return the value, and the unit beside it."""
        return [f',"{name}":'.encode(), VALUE, f',"{name}{UNIT}":"{unit}"'.encode() if unit else b""]

    def tail(self, context: Iterable[str]) -> bytes:  # noqa: ARG002 - plain JSON has none
        """Return the end."""
        return b"}"

    def read(self, entity: Mapping[str, Any]) -> EntityView:
        """Read an entity back; a place is one member, and a unit goes to its attribute."""
        return EntityView(str(entity.get("id", "")), str(entity.get("type", "")), tuple(_members(entity)))


def _members(entity: Mapping[str, Any]) -> Iterator[Member]:
    for name, value in entity.items():
        attribute = name.removesuffix(UNIT)
        if name == "lon":
            yield Member("location", [entity[each] for each in _PLACE if each in entity])
        elif name not in {"id", "type", "lat", "alt"} and not (name != attribute and attribute in entity):
            yield Member(name, value, str(entity.get(f"{name}{UNIT}", "")))


FLAT: Final[Encoder] = FlatEncoder()
