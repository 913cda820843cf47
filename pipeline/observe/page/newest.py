"""The newest entities: where they are and what they say, looked at once a second, whatever the traffic."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import orjson

from pipeline.core.record import Record, decode_headers
from pipeline.encode.headers import QUALITY
from pipeline.models.units import UNITS

MOST = 200
_A_SECOND = 64  # records that are looked at in one second
_DOUBTFUL = 8
_TOLD = 4  # attributes of an entity that the page shows


class Newest:
    """Keeps references to the last records, and reads them when asked to look.

    heard: arrival in ms of a connector's newest record, by its name; of those that were looked at. doubtful: entities
    whose newest record says in `ce_quality` that something is wrong with it, of late last.
    """

    def __init__(self) -> None:
        self._last: deque[Record] = deque(maxlen=_A_SECOND)
        self._entities: dict[str, dict[str, Any]] = {}
        self.heard: dict[str, int] = {}
        self.doubtful: dict[str, dict[str, Any]] = {}
        self.note: Callable[[Record], None] = self._last.append

    def look(self) -> None:
        """Read what came since the last look."""
        fresh = list(self._last)
        self._last.clear()
        for record in fresh:
            if record.message is not None:  # a dead letter has none
                self.heard[record.destination.connector.rpartition("@")[0]] = record.timestamp
                self._doubt(record)
                self._learn(record)

    def entities(self) -> list[dict[str, Any]]:
        """Return the entities that have a place, the newest first."""
        return [*reversed(self._entities.values())]

    def _doubt(self, record: Record) -> None:
        identity = record.destination.key.decode()
        self.doubtful.pop(identity, None)
        told = dict(decode_headers(record.headers)).get(QUALITY) if QUALITY.encode() in record.headers else None
        if told is not None:
            self.doubtful[identity] = {"id": identity, "quality": told.decode(), "at": record.timestamp}
            if len(self.doubtful) > _DOUBTFUL:
                del self.doubtful[next(iter(self.doubtful))]

    def _learn(self, record: Record) -> None:
        entity = orjson.loads(record.value)
        place = entity.get("location", {}).get("value", {})
        if place.get("type") != "Point":
            return
        identity = entity["id"]
        self._entities.pop(identity, None)
        self._entities[identity] = {
            "id": identity,
            "type": entity["type"],
            "at": record.timestamp,
            "place": place["coordinates"][:2],
            "values": dict(_values(entity)),
        }
        if len(self._entities) > MOST:
            del self._entities[next(iter(self._entities))]


def _values(entity: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the first few numbers, which are what a sensor has measured, with their units as people write them."""
    found = 0
    for name, member in entity.items():
        value = member.get("value") if isinstance(member, dict) else None
        if isinstance(value, int | float) and not isinstance(value, bool) and found < _TOLD:
            found += 1
            unit = UNITS.get(member.get("unitCode", ""))
            yield name, f"{value:g} {unit.symbol}" if unit is not None and unit.symbol != "1" else f"{value:g}"
