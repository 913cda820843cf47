"""What is known of each device (battery, firmware, signal): the whole of it is published when it changes, or is old."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.binding import Fields, Path

STATE = "\0device"
"""Under this name, which no device has, the fields of a Device entity hold its state."""

_KEPT_DEVICES = 131_072
_LONGEST_TEXT = 200  # characters; a longer one is no state of a device, and would fill the memory

Values = dict[str, Any]


class DeviceStates:
    """The states of the devices of one connector; those not heard of for longest are forgotten first.

    paths: where in a reading each attribute of the Device stands. interval: seconds after which an unchanged state is
    published again. A start forgets all: what a device has not sent since is not in its entity.
    """

    def __init__(self, paths: Mapping[str, Path], interval: float, most: int = _KEPT_DEVICES) -> None:
        self._paths = dict(paths)
        self._interval = interval * 1000
        self._most = most
        self._known: dict[str, tuple[Values, int]] = {}

    def heard(self, fields: Fields) -> Values:
        """Return what a reading says of its device."""
        found = ((name, path.find(fields)) for name, path in self._paths.items())
        return {name: value for name, value in found if _plain(value)}

    def learn(self, key: str, heard: Values, arrival: int) -> Values | None:
        """Return the whole state if it is to be published now, or None.

        key: the device's, as in its entity id. arrival: in milliseconds since 1970.
        """
        values, published = self._known.pop(key, ({}, 0))
        whole = {**values, **heard}
        due = whole != values or arrival - published >= self._interval
        self._known[key] = (whole, arrival if due else published)
        if len(self._known) > self._most:
            del self._known[next(iter(self._known))]
        return whole if due else None


def _plain(value: object) -> bool:
    return isinstance(value, int | float) or (isinstance(value, str) and len(value) <= _LONGEST_TEXT)
