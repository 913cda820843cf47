"""The texts that an NGSI-LD entity is joined from (GS CIM 009 clause 4.5: normalised representation)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import orjson

from pipeline.core import times
from pipeline.core.record import header_start

TIME_CLOSING = b'"}}'
LOCATION_OPENING = b',"location":{"type":"GeoProperty","value":{"type":"Point","coordinates":['
LOCATION_MIDDLE = b']},"observedAt":"'
ENTITY_OPENING = b'{"id":"'
PROPERTY_CLOSING = b'"}'

_TIME_SIZE = len(times.text(0))


TIME_START = header_start("ce_time", _TIME_SIZE)
RECORDED_START = header_start("ce_recordedtime", _TIME_SIZE)


def time_opening(name: str) -> bytes:
    """Return the text before a time that is an attribute of its own."""
    return f',"{name}":{{"type":"Property","value":{{"@type":"DateTime","@value":"'.encode()


def fixed_location(coordinates: Sequence[float]) -> bytes:
    """Return the location that is known beforehand; nobody observed it, so it has no time."""
    return LOCATION_OPENING + orjson.dumps(list(coordinates))[1:-1] + b"]}}"


def stated(attributes: Mapping[str, Any]) -> str:
    """Return attributes that are known beforehand; nobody observed them, so they have no time."""
    pairs = ((name, {"type": "Property", "value": value}) for name, value in attributes.items())
    return "".join(f',"{name}":{orjson.dumps(value).decode()}' for name, value in pairs)


def related(targets: Mapping[str, str]) -> str:
    """Return relationships, each to the id of one entity."""
    pairs = ((name, {"type": "Relationship", "object": target}) for name, target in targets.items())
    return "".join(f',"{name}":{orjson.dumps(value).decode()}' for name, value in pairs)


@lru_cache(maxsize=1)
def recorded_header(arrival: int) -> bytes:
    """Return the encoded header `ce_recordedtime`: the same for all messages of one read, so the last is kept."""
    return RECORDED_START + times.text(arrival)
