"""The box that a city's places lie in."""

from __future__ import annotations

from typing import NamedTuple


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
