"""Headrace for sensor vendors: all that a device connector needs to import. See connectors/README.md."""

from pipeline.core.errors import PayloadError
from pipeline.sdk.connector import (
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
