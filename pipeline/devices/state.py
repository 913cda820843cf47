"""What is known of each device (battery, firmware, signal): the whole of it is published when it changes, or is old."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import orjson

from pipeline.core.field_path import Fields, Path
from pipeline.core.recent import MOST_NAMES
from pipeline.state.store import Store

STATE = "\0device"
"""Under this name, which no device has, the fields of a Device entity hold its state."""
SIGNAL, FRAMES, LONGITUDE, LATITUDE = "\0signal", "\0frames", "\0longitude", "\0latitude"
"""In the state, as the network tells it: the received signal (dBm), a text on frame counters, a gateway's place."""

_TABLE = "device"
_REMEMBERED_DEVICES = MOST_NAMES
_LONGEST_TEXT = 200  # characters; a longer one is no state of a device, and would fill the memory
_MOST = 2**53  # above which a JSON number is no longer exact

Values = dict[str, Any]


class Learned(NamedTuple):
    """The whole state after a reading; whether it is another than before, and whether it is to be published."""

    whole: Values
    changed: bool
    due: bool


class DeviceStates:
    """The states of the devices of one connector, as they came: kept over a restart, after which each is published.

    Args:
        paths: Where in a reading each attribute of the Device stands.
        interval: Seconds after which an unchanged state is published again; in milliseconds from then on.
        store: What keeps them.
    """

    def __init__(
        self, paths: Mapping[str, Path], interval: float, store: Store, most: int = _REMEMBERED_DEVICES
    ) -> None:
        self.paths = dict(paths)
        self.interval = round(interval * 1000)
        self._store = store
        self._most = most
        self._published: dict[str, int] = {}

    @property
    def any(self) -> bool:
        """Whether a reading may tell anything."""
        return bool(self.paths)

    def heard(self, fields: Fields) -> Values:
        """Return what a reading says of its device."""
        found = ((name, path.find(fields)) for name, path in self.paths.items())
        return {name: value for name, value in found if plain(value)}

    def learn(self, key: str, heard: Values, arrival: int) -> Learned:
        """Add what was heard to what is known.

        Args:
            key: The device, and the connector that read it, for another may mean another unit by the same number.
            arrival: In milliseconds since 1970.
        """
        kept = self._store.get(_TABLE, key)
        whole = heard if kept is None else {**orjson.loads(kept), **heard}
        value = orjson.dumps(whole) if heard else kept
        if value is not None and value != kept:
            self._store.put(_TABLE, key, value)
            self._published.pop(key, None)
        return Learned(whole, value != kept, self.due(key, arrival))

    def due(self, key: str, arrival: int) -> bool:
        """Say whether what is under that key was not published, or long ago."""
        return arrival - self._published.get(key, 0) >= self.interval

    def published(self, key: str, arrival: int) -> None:
        """Take note that the record of the whole state is on its way."""
        self._published.pop(key, None)
        self._published[key] = arrival
        if len(self._published) > self._most:
            del self._published[next(iter(self._published))]

    def when_kept(self, call: Callable[[], None]) -> None:
        """Call back once what was learned outlives the process, or cannot be kept."""
        self._store.when_written(call)


def plain(value: object) -> bool:
    """Say whether a value may be a state: a short text that can be printed, or an exact number."""
    if isinstance(value, str):
        return len(value) <= _LONGEST_TEXT and value.isprintable()
    return isinstance(value, int | float) and abs(value) <= _MOST  # which NaN is not
