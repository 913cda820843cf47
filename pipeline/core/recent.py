"""Bounded caches of what was looked up by name; the least used entries are forgotten first.

    room = Room("entities", 131_072)
    cache: Recent[str, Entity] = Recent(room)
    cache.young.get(name) or cache.get(name)    a hit is one look into a dict
    cache.put(name, entity)

Two generations stand for an order by use, which would cost something at each hit. What is put is young. When so many
are young as the room has places, the old ones go and the young ones become old; an old one that is asked for is young
again. So as many as there are places are always known, at most twice as many are held, and a flood of names that
is never asked for again pushes out only what was not asked for meanwhile.

The hot path may keep `young` for the length of one batch: a generation that has become old still answers.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar
from weakref import WeakSet

from pipeline.core.logs import Log

_LOG = Log(__name__)
_NEARLY = 0.8

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


MOST_NAMES = 131_072
"""How many devices, topics and the like are remembered by name; beyond that the least used is forgotten."""


class Room:
    """The places that all caches of one kind share.

    Attributes:
        kind: What is remembered, for metrics and the log.
        places: How many are always known.
        young: How many were asked for since the generations changed last.
        forgotten: How many entries were forgotten because they were not asked for.
    """

    def __init__(self, kind: str, places: int, characters: int = 1 << 62) -> None:
        """Make a room.

        Args:
            kind: What is remembered.
            places: How many, at most.
            characters: How long the names of a generation may be together: one can have thousands.
        """
        self.kind = kind
        self.places = places
        self.young = 0
        self.forgotten = 0
        self._characters = characters
        self._length = 0
        self._caches: WeakSet[Recent[object, object]] = WeakSet()
        self._said = False

    def take_in(self, cache: Recent[object, object]) -> None:
        """Count the entries of one more cache, as long as it is in use."""
        self._caches.add(cache)

    def taken(self, characters: int) -> None:
        """Count one more young entry, and let the generations change if it is the last."""
        self.young += 1
        self._length += characters
        if self.young >= self.places * _NEARLY and not self._said:
            self._said = True
            told = {"kind": self.kind, "known": self.young, "places": self.places}
            _LOG.warning("Nearly as many names are known as there are places: soon some are forgotten.", **told)
        if self.young >= self.places or self._length >= self._characters:
            self.turn()

    def turn(self) -> None:
        """Let the old entries go, and the young ones become old."""
        self.young = self._length = 0
        for cache in self._caches:
            self.forgotten += cache.turn()

    def clear(self) -> None:
        """Find everything out anew."""
        self.young = self._length = 0
        for cache in self._caches:
            cache.young, cache.old = {}, {}


class Recent(Generic[K, V]):
    """One cache; see the module."""

    __slots__ = ("__weakref__", "_room", "old", "young")

    def __init__(self, room: Room) -> None:
        self.young: dict[K, V] = {}
        self.old: dict[K, V] = {}
        self._room = room
        room.take_in(self)  # type: ignore[arg-type]

    def __len__(self) -> int:
        return len(self.young) + len(self.old)

    def get(self, name: K) -> V | None:
        """Return what is remembered under a name, which is young from now on; or None."""
        found = self.young.get(name)
        if found is None and self.old and (found := self.old.pop(name, None)) is not None:
            self.put(name, found)
        return found

    def put(self, name: K, value: V, characters: int | None = None) -> None:
        """Remember a value.

        Args:
            characters: How long what is kept of the name is, if longer than the name.
        """
        self.young[name] = value
        self._room.taken(len(str(name)) if characters is None else characters)

    def drop(self, name: K) -> V | None:
        """Forget a name, and return what was remembered; or None."""
        old = self.old.pop(name, None)
        return self.young.pop(name, old)

    def clear(self) -> None:
        """Forget all of this cache; the others of the room keep theirs."""
        self._room.young -= min(self._room.young, len(self.young))
        self.young, self.old = {}, {}

    def turn(self) -> int:
        """Let the old entries go; return how many they were."""
        gone, self.old, self.young = len(self.old), self.young, {}
        return gone
