"""The weather of the demo's city, which all its devices share."""

from __future__ import annotations

from math import sin
from typing import Final

from pipeline.demo.device import Device

_DAY_SECONDS: Final = 86_400


def celsius(device: Device, now: int) -> float:
    """Return the temperature where the device stands."""
    return device.near(11 + 6 * sin(now / 1000 % _DAY_SECONDS / _DAY_SECONDS * 6.283), 2)


def fahrenheit(device: Device, now: int) -> float:
    """Return the same in degrees Fahrenheit."""
    return round(celsius(device, now) * 9 / 5 + 32, 1)
