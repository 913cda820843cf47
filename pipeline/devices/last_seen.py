"""When a device spoke, and how long it may be silent: one small object a device, which all of its entities share.

The hot path only sets `last`. All else is worked out by whoever looks at it, every few seconds (silent.py).
"""

from __future__ import annotations

from enum import Enum
from typing import Any

import orjson

_FEW = 3  # gaps, below which nothing is taken for learned
_OLD = 8  # gaps: about as many count for the estimate
_REGULAR = 4.0  # deviations above the mean that still are regular
_LATE = 2.0  # deviations above the mean that are no surprise
_SHORTEST = 60.0  # seconds; less would call for a person at each hiccup of a network


class Standing(Enum):
    """What the device registry says of a device: nothing, that it is in use, or that it is not."""

    UNREGISTERED = 0
    IN_USE = 1
    UNUSED = 2


class Seen:
    """What is known of one device.

    last: when a record of it was made, in milliseconds since 1970 UTC; 0: never. looked: the same at the last look.
    since: from when on its silence counts: then, or when it was first expected. interval: seconds that are configured;
    0: learn them. called: the connector and the model by which it spoke first. standing: what the
    device registry says of it. silent: whether it was overdue at the last look. written: when it
    was last kept, in milliseconds since 1970 UTC; 0: never.
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
        return 0.0 if self._gaps < _FEW else max(_SHORTEST, self._mean + _LATE * self._deviation)

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
        """Move all times, since the clock was set. by: milliseconds, forward. now: by the clock as it is now.

        Whether it spoke before or after that is not known, where it spoke since the last look: a moment ago it was.
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

    def kept(self) -> bytes:
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


UNSEEN = Seen("")
"""Of all devices that nobody watches."""
