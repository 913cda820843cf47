"""The texts that an NGSI-LD entity is joined from (GS CIM 009 clause 4.5: normalised representation)."""

from __future__ import annotations

from pipeline import times
from pipeline.connector import Fixed
from pipeline.record import header

TIME_CLOSING = '"}}'
LOCATION_OPENING = ',"location":{"type":"GeoProperty","value":{"type":"Point","coordinates":['
LOCATION_MIDDLE = ']},"observedAt":"'
PROPERTY_CLOSING = '"}'

_TIME_SIZE = len(times.text(0))


def _header_start(name: str) -> str:
    return header(name, b"x" * _TIME_SIZE)[:-_TIME_SIZE].decode("latin-1")


TIME_START = _header_start("ce_time")
RECORDED_START = _header_start("ce_recordedtime")


def time_opening(name: str) -> str:
    """Return the text before a time that is an attribute of its own."""
    return f',"{name}":{{"type":"Property","value":{{"@type":"DateTime","@value":"'


def fixed_location(place: Fixed) -> str:
    """Return the location that is known beforehand; nobody observed it, so it has no time."""
    return f"{LOCATION_OPENING}{','.join(map(repr, place.coordinates))}]}}}}"


def recorded_header(arrival: int) -> str:
    """Return the encoded header `ce_recordedtime` as latin-1 text: the same for all messages of one read."""
    return RECORDED_START + times.text(arrival)
