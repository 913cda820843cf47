"""When a message arrived: by this machine's clock, or by Kafka's where they differ so much that one of them is wrong.

A gateway without a battery wakes up in 1970, and a clock set by hand may be hours ahead. Records would then be deleted
at once or refused, and good times of devices taken for wrong ones. Kafka's time is what its topics are kept by, so it
is taken where it is known, and carried on by the monotonic clock, which cannot be set: a clock that is set to a wrong
time while Headrace runs is noticed with the next message.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from time import monotonic, time
from typing import Final

TOLERATED: Final = 60.0
"""Seconds; what two clocks that are set by NTP differ by is a thousandth of it."""

RELEASED: Final = 1_767_225_600.0
"""2026-01-01 in seconds since 1970 UTC: no clock that says less can be right, for Headrace is younger."""

_STEP: Final = 1.0  # seconds; NTP turns a clock slowly, and sets it only where it is further off

_FIX: Final = "Set it (`timedatectl set-ntp true`), or Kafka's, if that one is wrong."


class Clock:
    """Milliseconds since 1970 UTC.

    Args:
        wall: This machine's clock, in seconds.
        steady: The monotonic one.
    """

    def __init__(self, wall: Callable[[], float] = time, steady: Callable[[], float] = monotonic) -> None:
        self._wall = wall
        self._steady = steady
        self._kafka: float | None = None  # Kafka's time less the steady clock's, in seconds
        self._most = TOLERATED  # seconds that this machine's clock may be away from Kafka's
        self._offset = wall() - steady()
        self._doubted: float | None = None  # the wall clock's time less the steady one's, when Kafka refused it

    def now(self) -> int:
        """Return the time; one that is known to be wrong is replaced by Kafka's."""
        now = self._wall()
        if self._kafka is not None:
            told = self._steady() + self._kafka
            if abs(now - told) > self._most:
                now = told
        return round(now * 1000)

    def at(self, moment: float) -> int | None:
        """Return the time of a moment of the steady clock; None if neither clock can be trusted."""
        if self._unset or self._refused:
            return None
        return self.now() - round((self._steady() - moment) * 1000)

    def learn(self, ahead: float, doubt: float) -> None:
        """Take note of how Kafka's clock stands.

        Args:
            ahead: Seconds by which this machine's clock is ahead of Kafka's.
            doubt: Seconds by which that may be wrong.
        """
        told = self._wall() - ahead - self._steady()
        self._most = TOLERATED + doubt
        if self._kafka is None or abs(told - self._kafka) > doubt:  # else times would jitter with each answer
            self._kafka = told
        self._doubted = None

    def stepped(self) -> bool:
        """Say whether this machine's clock was set, or did not run, since this was asked last."""
        before, self._offset = self._offset, self._wall() - self._steady()
        return abs(self._offset - before) > _STEP

    def refused(self) -> None:
        """Take note that Kafka does not take the times of this clock."""
        if self._kafka is None:
            self._doubted = self._wall() - self._steady()

    @property
    def ahead(self) -> float | None:
        """By how many seconds this machine's clock is ahead of Kafka's; None while Kafka's time is unknown."""
        return None if self._kafka is None else self._wall() - self._steady() - self._kafka

    @property
    def problem(self) -> str:
        """What is wrong with this machine's clock and how to mend it, a sentence; empty if nothing is."""
        said = f"This machine's clock says {datetime.fromtimestamp(self._wall(), UTC):%Y-%m-%d %H:%M:%S}Z"
        ahead = self.ahead
        if ahead is not None and abs(ahead) > self._most:
            order = "ahead of" if ahead > 0 else "behind"
            apart = f"{abs(ahead):,.0f} s {order} Kafka's"
            return f"{said}, {apart}: arrival is told by Kafka's clock meanwhile. {_FIX}"
        if self._refused or self._unset:
            why = "Kafka refuses that" if self._refused else "which is before Headrace was made"
            return f"{said}; {why}, and does not tell its own time: records go without a Kafka timestamp. {_FIX}"
        return ""

    @property
    def _unset(self) -> bool:
        return self._kafka is None and self._wall() < RELEASED

    @property
    def _refused(self) -> bool:
        """Whether Kafka refused this clock's times, and it was not set since."""
        return self._doubted is not None and abs(self._wall() - self._steady() - self._doubted) < TOLERATED


CLOCK: Final = Clock()
"""That of this process."""
