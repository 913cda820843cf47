"""Headrace for sensor vendors: all that a device connector needs to import. See connectors/README.md."""

from pipeline.connector import (
    Attribute,
    Connector,
    Decoded,
    Example,
    Fields,
    Format,
    FromArrival,
    Observation,
    Place,
    Time,
    Uplink,
)
from pipeline.errors import PayloadError

__all__ = [
    "Attribute",
    "Connector",
    "Decoded",
    "Example",
    "Fields",
    "Format",
    "FromArrival",
    "Observation",
    "PayloadError",
    "Place",
    "Time",
    "Uplink",
]
