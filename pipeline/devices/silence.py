"""Silent devices and gateways: those that have not spoken for several of their intervals.

All is looked through every few seconds, in slices between which the event loop serves others. What was seen is kept in
the store, each device once a minute at most, so that a restart forgets neither silent devices nor expected ones.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Annotated, Any, Literal

import orjson
from pydantic import Field

from pipeline.core.files import Moment
from pipeline.core.recent import MOST_NAMES
from pipeline.devices.registry import Device, DeviceRegistry
from pipeline.encode.headers import device_key
from pipeline.state.store import Store

Kind = Literal["device", "gateway"]


@dataclass(frozen=True, slots=True)
class SilentDevice:
    """One that is overdue.

    Attributes:
        name: Its key in the registry, or what messages call it.
        last: When it spoke, in milliseconds since 1970 UTC; 0: never.
        since: From when on its silence counts.
        interval: Seconds that may lie between two readings.
        known: Where the interval is known from, `assumed` where it is not.
    """

    kind: Kind
    name: str
    last: Moment
    since: Moment
    interval: Annotated[float, Field(ge=0, le=1e12)]
    known: Literal["configured", "learned", "assumed"]


_FEW = 3  # gaps, below which nothing is taken for learned
_OLD = 8  # gaps: about as many count for the estimate
_REGULAR = 4.0  # deviations above the mean that still are regular
_LATE = 2.0  # deviations above the mean that are no surprise
_SHORTEST_PERIOD = 60.0  # seconds; less would call for a person at each hiccup of a network


class Standing(Enum):
    """What the device registry says of a device: nothing, that it is in use, or that it is not."""

    UNREGISTERED = 0
    IN_USE = 1
    UNUSED = 2


class LastSeen:
    """What is known of one device.

    Attributes:
        last: When a record of it was made, in milliseconds since 1970 UTC; 0: never.
        looked: The same at the last look.
        since: From when on its silence counts: then, or when it was first expected.
        interval: Seconds that are configured; 0: learn them.
        called: The connector and the model by which it spoke first.
        standing: What the device registry says of it.
        silent: Whether it was overdue at the last look.
        written: When it was last kept, in milliseconds since 1970 UTC; 0: never.
    """

    __slots__ = (
        *("_deviation", "_gaps", "_mean", "called", "interval", "key", "last", "looked", "silent", "since"),
        *("standing", "written"),
    )

    def __init__(self, key: str, since: int = 0) -> None:
        self.key = key
        self.last = 0
        self.looked = 0
        self.since = since
        self.interval = 0.0
        self.called: tuple[str, ...] = ()
        self.standing = Standing.UNREGISTERED
        self.silent = False
        self.written = 0
        self._mean = 0.0
        self._deviation = 0.0
        self._gaps = 0

    @property
    def registered(self) -> bool:
        """Whether the device registry has it."""
        return self.standing is not Standing.UNREGISTERED

    @property
    def expected(self) -> bool:
        """Whether it is missed when it says nothing."""
        return self.standing is not Standing.UNUSED

    @property
    def learned(self) -> float:
        """The seconds that may lie between two readings, by those seen; 0 while there are too few."""
        return 0.0 if self._gaps < _FEW else max(_SHORTEST_PERIOD, self._mean + _LATE * self._deviation)

    @property
    def gaps(self) -> int:
        """How many gaps between two words of it count for the estimate; about eight at most."""
        return self._gaps

    def look(self) -> None:
        """Take in when it spoke.

        Mean and deviation of the gaps run as in RFC 6298, section 2, over about eight of them. A gap counts for no more
        than what is still regular, so that one night without power does not teach a device to be late.
        """
        if self.last > self.looked > 0:
            self._learn((self.last - self.looked) / 1000)
        self.looked = self.since = self.last

    def set_clock(self, by: int, now: int) -> None:
        """Move all times, since the clock was set.

        Whether it spoke before or after that is not known, where it spoke since the last look: a moment ago it was.

        Args:
            by: Milliseconds, forward.
            now: By the clock as it is now.
        """
        self.last = now if self.last != self.looked else self.last and max(1, self.last + by)
        self.looked = self.looked and max(1, self.looked + by)
        self.since = max(0, self.since + by)
        self.written = self.written and max(1, self.written + by)

    def _learn(self, gap: float) -> None:
        if not self._gaps:
            self._mean = gap
        else:
            gap = min(gap, 2 * self._mean + _REGULAR * self._deviation)
            share = 1 / min(self._gaps + 1, _OLD)
            self._deviation += (abs(gap - self._mean) - self._deviation) * share
            self._mean += (gap - self._mean) * share
        self._gaps = min(self._gaps + 1, _OLD)

    def dump(self) -> bytes:
        """Return what outlives the process."""
        learned = [round(self._mean, 1), round(self._deviation, 1), self._gaps]
        return orjson.dumps([self.looked, self.since, self.silent, *learned])

    def restore(self, kept: bytes) -> None:
        """Take up what an earlier process has kept; what is no such thing changes nothing."""
        try:
            values: list[Any] = orjson.loads(kept)
            looked, since, gaps = int(values[0]), int(values[1]), int(values[5])
            mean, deviation = float(values[3]), float(values[4])
        except (ValueError, TypeError, IndexError, KeyError):
            return
        self.last = self.looked = looked
        self.since, self.silent = since, values[2] is True
        self._mean, self._deviation, self._gaps = mean, deviation, gaps


UNSEEN = LastSeen("")
"""Stands for every device that is not watched."""


AGES = {"1h": 3600, "6h": 21_600, "1d": 86_400, "7d": 604_800}
"""Bounds of how long the silent have been so, in seconds; beyond them stand `longer` and `never`."""
_LABELS = (*AGES, "longer")
_BOUNDS = tuple(bound * 1000 for bound in AGES.values())
_SLICE = 200  # looked at, and kept, in less than 1 ms
_MOST = MOST_NAMES
_MOST_KEYS = 8 * 1024**2  # characters of all keys of unregistered devices: one can have 2,400
_FORGOTTEN = 7 * 86_400_000  # ms; a device without a registration need not come back
_SELDOM = 3  # gaps between words, below which a device is not known to be regular
_KEEP_EVERY = 60_000  # ms
_SHORTEST = 10_000.0  # ms; twice the time between two looks, or a return could be missed


@dataclass(frozen=True, slots=True)
class SilencePolicy:
    """How long one may be silent.

    Attributes:
        after: intervals.
        interval: Seconds, where nothing else is known.
        intervals: Seconds, by connector or model.
    """

    after: float = 3.0
    interval: float = 3600.0
    intervals: Mapping[str, float] = field(default_factory=dict)

    def of(self, *names: str | None) -> float:
        """Return the seconds of the first of these names that has any; 0 if none has."""
        return next((found for name in names if name and (found := self.intervals.get(name))), 0.0)

    def allowed(self, seen: LastSeen) -> float:
        """Return how many milliseconds it may be silent."""
        return max(_SHORTEST, (seen.interval or seen.learned or self.interval) * self.after * 1000)


@dataclass(slots=True)
class SilenceCounts:
    """How many have spoken, and how many are silent, by age."""

    seen: int = 0
    silent: dict[str, int] = field(default_factory=lambda: dict.fromkeys((*_LABELS, "never"), 0))


class SilenceDetector:
    """The devices, or the gateways, of one worker.

    Attributes:
        table: The table of the store that keeps them.
        clock: Returns milliseconds since 1970 UTC.
        counts: The counts at the last look.
        silent: The silent ones, the most recent last.
        gone: Those that fell silent since the list was last emptied.
        back: Those that spoke again since the list was last emptied.
        changed: Whether the set of silent ones differs from before; the reader resets it.
        turned: Called with each that falls silent or speaks again.
        kind: The name of this cache in metrics, as of a `Room`.
        places: How many unregistered ones are remembered at most.
        young: How many unregistered ones are remembered.
        forgotten: How many unregistered ones were forgotten to make room.
        made_room: Called when some were forgotten, so that each that speaks is found anew.
    """

    def __init__(self, table: str, store: Store, clock: Callable[[], int], most: int = _MOST) -> None:
        self.counts = SilenceCounts()
        self.silent: dict[str, LastSeen] = {}
        self.gone: list[str] = []
        self.back: list[str] = []
        self.changed = False
        self.turned: Callable[[LastSeen], None] = _untold
        self.made_room: Callable[[], None] = _unasked
        self.kind, self.places, self.forgotten = table, most, 0
        self._table = table
        self.patience = SilencePolicy()
        self._store = store
        self._clock = clock
        self._seen: dict[str, LastSeen] = {}
        self._earlier = store.share(table, self._rows)  # of an earlier process, until it is taken up
        self._room = most
        self._key_room = _MOST_KEYS
        self._crowded = False

    @property
    def young(self) -> int:
        """How many that no registry has are known."""
        return self.places - self._room

    def find(self, key: str, called: tuple[str, ...] = ()) -> LastSeen:
        """Return what is known of a device that speaks.

        Args:
            key: As in entity ids.
            called: Its connector and model.
        """
        seen = self._seen.get(key)
        if seen is None:
            if self._room <= 0 or self._key_room < len(key):
                self._crowded = True
                return UNSEEN
            self._room -= 1
            self._key_room -= len(key)
            seen = self._new(key)
        if not seen.called:
            seen.called = called
            seen.interval = seen.interval or self.patience.of(*called)
        return seen

    def _new(self, key: str, device: Device | None = None) -> LastSeen:
        now = self._clock()
        seen = self._seen[key] = LastSeen(key, now)
        kept = self._earlier.pop(key, None)
        if device is not None:
            self._register(seen, device)
        if kept is not None:
            seen.restore(kept)
            seen.written = now
            seen.last = seen.looked = min(seen.last, now)  # the clock may have been ahead when that was kept
            seen.since = min(seen.since, now)
            if seen.silent:
                self.silent[key] = seen
            else:  # while the worker was down nothing could be heard
                seen.since = max(seen.since, now - round(self.patience.allowed(seen) / 2))
        return seen

    def _register(self, seen: LastSeen, device: Device) -> None:
        expected = device.lifecycle == "active"
        if expected and not seen.expected:
            seen.since = self._clock()
        seen.standing = Standing.IN_USE if expected else Standing.UNUSED
        seen.interval = device.interval or self.patience.of(device.connector, device.model, *seen.called)

    def restore(self) -> Iterator[None]:
        """Take up unregistered devices that an earlier process saw; pauses after each slice."""
        for number, key in enumerate(list(self._earlier)):
            if key not in self._seen:
                self.find(key)
            if number % _SLICE == 0:
                yield

    def take(self, devices: DeviceRegistry) -> Iterator[None]:
        """Expect these devices from now on, and no other that was registered before; pauses after each slice."""
        keys: set[str] = set()
        for number, device in enumerate(devices):
            key = device_key(device.key)
            keys.add(key)
            seen = self._seen.get(key)
            if seen is None:
                self._new(key, device)
            else:
                self._register(seen, device)
            if number % _SLICE == 0:
                yield
        for number, (key, seen) in enumerate(list(self._seen.items())):
            if seen.registered and key not in keys:
                del self._seen[key]
                self.changed = self.silent.pop(key, None) is not None or self.changed
                self._store.delete(self._table, key)
            elif not seen.registered:
                seen.interval = self.patience.of(*seen.called)
            if number % _SLICE == 0:
                yield

    def look(self) -> Iterator[None]:
        """Find which devices have spoken, and which are silent; pauses after each slice."""
        counts, everybody, forgotten = SilenceCounts(), list(self._seen.values()), self.forgotten
        for start in range(0, len(everybody), _SLICE):
            self._look(everybody[start : start + _SLICE], self._clock(), counts)
            yield
        self.counts = counts
        if self._crowded:
            yield from self._make_room()
            self._crowded = False
        if self.forgotten > forgotten:
            self.made_room()

    def set_clock(self, by: int) -> Iterator[None]:
        """Judge as if the clock had always been as it is now.

        Args:
            by: Milliseconds that it was set forward.
        """
        everybody = list(self._seen.values())
        for start in range(0, len(everybody), _SLICE):
            now = self._clock()
            for seen in everybody[start : start + _SLICE]:
                seen.set_clock(by, now)
            yield

    def _look(self, slice_: Sequence[LastSeen], now: int, counts: SilenceCounts) -> None:
        allowed = self.patience.allowed
        for seen in slice_:
            spoke = seen.last != seen.looked
            if spoke:
                seen.look()
            forgotten = not seen.registered and now - seen.last > _FORGOTTEN
            silent = seen.expected and not forgotten and now - seen.since > allowed(seen)
            counts.seen += seen.last > 0 and not forgotten
            if silent:
                age = _LABELS[bisect_left(_BOUNDS, now - seen.last)] if seen.last else "never"
                counts.silent[age] += 1
            if silent is not seen.silent:
                self._turn(seen, silent=silent, spoke=spoke)
            elif forgotten and self._crowded:
                self._forget(seen)
                continue
            elif not spoke or now - seen.written < _KEEP_EVERY:
                continue
            self._keep(seen, now)

    def _turn(self, seen: LastSeen, *, silent: bool, spoke: bool) -> None:
        seen.silent = silent
        self.changed = True
        if silent:
            self.silent[seen.key] = seen
            self.gone.append(seen.key)
            self.turned(seen)
            return
        self.silent.pop(seen.key, None)
        if spoke:
            self.back.append(seen.key)
            self.turned(seen)

    def _make_room(self) -> Iterator[None]:
        """Forget a quarter of the unregistered devices that spoke seldom: once before twice, the oldest first.

        So made-up names push out each other, and no device that speaks regularly.
        """
        for gaps in range(_SELDOM):
            for number, seen in enumerate(list(self._seen.values()) if self._is_cramped() else ()):
                if not seen.registered and seen.gaps <= gaps and self._is_cramped():
                    self._forget(seen)
                if number % _SLICE == 0:
                    yield

    def _is_cramped(self) -> bool:
        return self._room * 4 < self.places or self._key_room * 4 < _MOST_KEYS

    def _forget(self, seen: LastSeen) -> None:
        """Make room for others; only then, and all plans look it up anew, or its next word would be overheard."""
        self.forgotten += 1
        self.changed = self.silent.pop(seen.key, None) is not None or self.changed
        del self._seen[seen.key]
        self._store.delete(self._table, seen.key)
        self._room += 1
        self._key_room += len(seen.key)

    def _keep(self, seen: LastSeen, now: int) -> None:
        seen.written = now
        self._store.put(self._table, seen.key, seen.dump())

    def _rows(self) -> Iterator[tuple[str, bytes]]:
        """Yield all that outlives the process."""
        yield from self._earlier.items()
        yield from ((key, seen.dump()) for key, seen in self._seen.items() if seen.written)

    def close(self) -> None:
        """Keep what is not yet kept."""
        for seen in self._seen.values():
            if seen.last != seen.looked:
                seen.look()
            if seen.looked > seen.written:
                self._keep(seen, self._clock())


def _untold(_: LastSeen) -> None:
    pass


def _unasked() -> None:
    pass
