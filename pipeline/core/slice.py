"""How much is handed over before the event loop has its turn: what a message costs shows only when it is done.

One read may hold a thousand cheap messages, or fifty that each become a thousand records. A slice is bounded in bytes.
It is halved, and more, when it took too long, and doubled when it was quick, so that costly messages go one by one
after the first few, and plain ones travel in slices that cost nothing to speak of.
"""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter

BUDGET = 0.01
"""Seconds of work after which the loop has its turn."""

LARGEST = 65_536
"""Bytes: some 200 plain messages, and no more than sixteen of those that become a thousand records each."""

_SMALLEST = 256


class Slice:
    """The size of the next slice, learned from those before: bytes, or whatever else is counted. clock: seconds."""

    def __init__(
        self, largest: int = LARGEST, smallest: int = _SMALLEST, clock: Callable[[], float] = perf_counter
    ) -> None:
        self.size = largest
        self._largest, self._smallest = largest, smallest
        self._clock = clock
        self._began = self._slice_began = clock()

    def begin(self) -> None:
        """Note that the loop has just had its turn."""
        self._began = self._slice_began = self._clock()

    def over(self) -> bool:
        """Take note of a slice that is done, and say whether the loop should have its turn before the next."""
        now = self._clock()
        took = now - self._slice_began
        self._slice_began = now
        if took > BUDGET:
            self.size = max(self._smallest, int(self.size * BUDGET / took) // 2)
        elif took < BUDGET / 4:
            self.size = min(self._largest, self.size * 2)
        return now - self._began > BUDGET
