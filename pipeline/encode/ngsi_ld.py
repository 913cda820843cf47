"""The forms of NGSI-LD (ETSI GS CIM 009): normalised, and concise, which says the same in fewer words.

Clause 4.5.2.2 is the normalised Property; 4.5.2.3 and 4.5.3.3 the concise Property and Relationship: `type` is inferred
from `value`, `object` or a GeoJSON geometry, and a Property without anything beside its value is the bare value.
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
    Place,
    Template,
)

_OPENING = b'{"id":"'
_OBSERVED = b',"observedAt":"'
_NO_ATTRIBUTES = ("id", "type", "@context")
_KEYWORDS = frozenset(("type", "value", "object", "languageMap", "json", "vocab", "valueList", "objectList"))
"""A bare object with one of these would be taken for an attribute written out (4.5.2.3)."""


@dataclass(frozen=True, slots=True)
class NgsiLdEncoder:
    """Writes JSON-LD with the `@context` last.

    concise: whether the types of attributes are left to be inferred.
    """

    content_type: str
    concise: bool
    conforms: bool = True
    opening: bytes = _OPENING

    def head(self, model: str) -> bytes:
        """Return the text behind the id."""
        return f'","type":"{model}"'.encode()

    def stated(self, attributes: Mapping[str, Any]) -> bytes:
        """Return Properties without a time."""
        return b"".join(_member(name, self._stated(value)) for name, value in attributes.items())

    def related(self, targets: Mapping[str, str]) -> bytes:
        """Return Relationships."""
        kind = {} if self.concise else {"type": "Relationship"}
        return b"".join(_member(name, {**kind, "object": target}) for name, target in targets.items())

    def times(self, names: Sequence[str]) -> Template:
        """Return Properties of type DateTime."""
        moments = (BEGINNING, MOMENT) if len(names) > 1 else (MOMENT,)
        return [part for name, moment in zip(names, moments, strict=False) for part in self._time(name, moment)]

    def location(self, *, altitude: bool, observed: bool) -> Template:
        """Return a GeoProperty: a Point of GeoJSON."""
        point: list[bytes | Place] = [b'{"type":"Point","coordinates":[', LONGITUDE, b",", LATITUDE]
        point += [b",", ALTITUDE, b"]}"] if altitude else [b"]}"]
        opening = b',"location":' + self._value_opening("GeoProperty")
        if observed:
            return [opening, *point, _OBSERVED, MOMENT, b'"}']
        return [b',"location":', *point] if self.concise else [opening, *point, b"}"]

    def attribute(self, name: str, unit: str) -> Template:
        """Return a Property with its unit and its time."""
        opening = f',"{name}":'.encode() + self._value_opening("Property")
        code = f',"unitCode":"{unit}"'.encode() if unit else b""
        return [opening, VALUE, code + _OBSERVED, MOMENT, b'"}']

    def tail(self, context: Iterable[str]) -> bytes:
        """Return the `@context`."""
        return b',"@context":' + orjson.dumps(list(context)) + b"}"

    def read(self, entity: Mapping[str, Any]) -> EntityView:
        """Read an entity of either form: what is concise is a case of what a reader of NGSI-LD must expect."""
        return EntityView(str(entity.get("id", "")), str(entity.get("type", "")), tuple(self._members(entity)))

    def _members(self, entity: Mapping[str, Any]) -> Iterator[Member]:
        for name, attribute in entity.items():
            if name in _NO_ATTRIBUTES or not (self.concise or isinstance(attribute, dict)):
                continue
            told = attribute if isinstance(attribute, dict) else {}
            value = told.get("value", told.get("object", attribute))
            if isinstance(value, dict):
                value = value.get("@value", value.get("coordinates", value))
            yield Member(name, value, str(told.get("unitCode", "")))

    def _stated(self, value: Any) -> Any:  # noqa: ANN401 - an attribute holds anything
        return value if self.concise and not _misread(value) else {"type": "Property", "value": value}

    def _time(self, name: str, moment: Place) -> Template:
        typed = b'{"@type":"DateTime","@value":"'
        if self.concise:
            return [f',"{name}":'.encode() + typed, moment, b'"}']
        return [f',"{name}":'.encode() + self._value_opening("Property") + typed, moment, b'"}}']

    def _value_opening(self, kind: str) -> bytes:
        return b'{"value":' if self.concise else f'{{"type":"{kind}","value":'.encode()


def _misread(value: Any) -> bool:  # noqa: ANN401 - an attribute holds anything
    """Say whether a bare value would be taken for an attribute, or for several."""
    if isinstance(value, list):
        return any(isinstance(each, dict) for each in value)
    return isinstance(value, dict) and bool(value.keys() & _KEYWORDS)


def _member(name: str, value: Any) -> bytes:  # noqa: ANN401 - an attribute holds anything
    return f',"{name}":'.encode() + orjson.dumps(value)


NORMALISED: Final[Encoder] = NgsiLdEncoder("application/ld+json", concise=False)
CONCISE: Final[Encoder] = NgsiLdEncoder("application/ld+json;format=concise", concise=True)
"""NGSI-LD tells its forms apart by a parameter `format`, and defines neither a media type nor a profile for each."""
