"""The seam between what a record says and how its value is written: what a form of records answers.

The rules judge a reading first: its time, its place, each value's type, bounds and unit. An encoder is asked once a
plan for the constant texts between what was judged, and sees no reading, so that no form costs a call a message. What
is absent, null or refused is in none of its texts; the header `ce_quality` tells of it in every form.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, Final, Literal, Protocol

Place = Literal["value", "moment", "beginning", "longitude", "latitude", "altitude"]
"""What a reading fills in, as JSON: a number, a text with its quotes, or another value; times stand without quotes."""
Template = Sequence[bytes | Place]
"""A piece of a record's value: constant texts, and the places between them."""

VALUE: Final[Place] = "value"
MOMENT: Final[Place] = "moment"
"""When it was observed; of what covers a period, its end."""
BEGINNING: Final[Place] = "beginning"
LONGITUDE: Final[Place] = "longitude"
LATITUDE: Final[Place] = "latitude"
ALTITUDE: Final[Place] = "altitude"


class Pattern:
    """A template made ready, so that what a reading says is filled in by one step of C.

    Args:
        template: The piece.
        order: The places that `filled` is told, in this order; the template may have fewer.
    """

    __slots__ = ("_pattern", "_pick")

    def __init__(self, template: Template, *order: Place) -> None:
        texts = (part.replace(b"%", b"%%") if isinstance(part, bytes) else b"%b" for part in template)
        places = [order.index(part) for part in template if not isinstance(part, bytes)]
        self._pattern = b"".join(texts)
        self._pick: Callable[[Sequence[bytes]], Any] = itemgetter(*places) if places else lambda _: ()

    def filled(self, *values: bytes) -> bytes:
        """Return the piece with what a reading says in its places."""
        filled: bytes = self._pattern % self._pick(values)
        return filled


@dataclass(frozen=True, slots=True)
class Member:
    """One member of an entity, as any form tells it.

    Attributes:
        name: Its name in the model; `location` is the entity's place.
        value: Plain JSON: a time is its text, a relation the other entity's id, a place its coordinates.
        unit: The UN/CEFACT code of the unit, or "" without one.
    """

    name: str
    value: Any
    unit: str = ""


@dataclass(frozen=True, slots=True)
class EntityView:
    """An entity read back from a record, whatever the record's form."""

    id: str
    type: str
    members: tuple[Member, ...]

    @property
    def place(self) -> list[float] | None:
        """The coordinates, longitude first, or None where it has none."""
        found = next((each.value for each in self.members if each.name == "location"), None)
        return found if isinstance(found, list) and len(found) > 1 else None


class Encoder(Protocol):
    """How the value of an entity's record is written, and read back.

    In the order of the value: `opening`, the entity's id, `head`, what is known beforehand (`stated`, `related`),
    `times`, `location`, an `attribute` each, `tail`.
    """

    @property
    def content_type(self) -> str:
        """The header `content-type`, by which readers tell one form from another."""

    @property
    def conforms(self) -> bool:
        """Whether the value, simplified as NGSI-LD says, satisfies the model's official schema (`ce_dataschema`)."""

    @property
    def opening(self) -> bytes:
        """The text before the entity's id."""

    def head(self, model: str) -> bytes:
        """Return the text behind the id, with the entity's type."""

    def stated(self, attributes: Mapping[str, Any]) -> bytes:
        """Return attributes that are known beforehand; they were not observed, so they have no time."""

    def related(self, targets: Mapping[str, str]) -> bytes:
        """Return relations, each to the id of one entity."""

    def times(self, names: Sequence[str]) -> Template:
        """Return the times of the entity. names: what the model calls the moment, or the beginning and the end."""

    def location(self, *, altitude: bool, observed: bool) -> Template:
        """Return the place. observed: whether the reading told it, or it is known beforehand."""

    def attribute(self, name: str, unit: str) -> Template:
        """Return a measured attribute. unit: its UN/CEFACT code, or "" without one."""

    def tail(self, context: Iterable[str]) -> bytes:
        """Return the end. context: the addresses of the model's `@context`."""

    def read(self, entity: Mapping[str, Any]) -> EntityView:
        """Read an entity back; what the form does not know is left out."""
