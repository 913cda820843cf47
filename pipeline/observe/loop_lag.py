"""How late the event loop is: what a timer of ours waits beyond its time, all other work waits too."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import monotonic

_TICK = 0.1
_HALF = 15.0  # seconds; two such windows are looked at, so that no scrape every 15 s misses a peak


class LoopLag:
    """Measures while `run` runs. All values are seconds."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._due: float | None = None
        self._last = 0.0
        self._since = clock()
        self._peak = self._peak_before = 0.0

    async def run(self) -> None:
        """Measure until cancelled."""
        while True:
            self._due = self._clock() + _TICK
            await asyncio.sleep(_TICK)
            self.note(self._clock() - self._due)

    def note(self, late: float) -> None:
        """Take one measurement."""
        self._last = max(0.0, late)
        if self._clock() - self._since >= _HALF:
            self._since, self._peak_before, self._peak = self._clock(), self._peak, 0.0
        self._peak = max(self._peak, self._last)

    def now(self) -> float:
        """How late the loop is at this moment: the last measurement, or the one that is overdue."""
        overdue = 0.0 if self._due is None else self._clock() - self._due
        return max(self._last, overdue)

    def worst(self) -> float:
        """How late it was at its worst, in the last 15 to 30 seconds."""
        return max(self._peak, self._peak_before, self.now())
