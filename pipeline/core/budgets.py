"""How much may be done or recorded at a time: the slices of the event loop, and allowances by sender."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter

LEAVE_SECONDS = 2.0
"""For the last acknowledgements and goodbyes, beyond the time to drain."""

BUDGET = 0.01
"""Seconds of work after which the loop has its turn."""

LARGEST = 65_536
"""Bytes: some 200 plain messages, and no more than sixteen of those that become a thousand records each."""

_SMALLEST = 256


class Slice:
    """The size of the next slice, learned from those before: bytes, or whatever else is counted.

    Args:
        clock: seconds.
    """

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


_HOUR = 3_600_000.0  # ms


class Allowance:
    """A bucket for each sender, which is full at first and fills in an hour.

    Attributes:
        refused: How many times the answer was no.
    """

    def __init__(self, most: int, newcomers: int | None = None) -> None:
        """Make an allowance.

        Args:
            most: How many senders are remembered; above it the one not heard of for longest is forgotten, and begins
                anew when it comes back.
            newcomers: How many senders that are not remembered may come in an hour, once `most` have come; None: any
                number, since their names are a closed list.
        """
        self.refused = 0
        self._most = most
        self._newcomers = newcomers
        self._buckets: dict[str, tuple[float, int]] = {}
        self._strangers = (float(most), 0)

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, sender: str, now: int, per_hour: int) -> bool:
        """Say whether a sender may be told of once more.

        Args:
            sender: Its name.
            now: Milliseconds since 1970 UTC; a clock that was set back refills nothing.
            per_hour: How often it may be told of in an hour, and at once after a silence of an hour.
        """
        bucket = self._buckets.pop(sender, None)
        if bucket is None and not self._admitted(now):
            self.refused += 1
            return False
        left = float(per_hour) if bucket is None else _filled(bucket, now, per_hour)
        granted = left >= 1
        self._buckets[sender] = (left - granted, now)
        if len(self._buckets) > self._most:
            del self._buckets[next(iter(self._buckets))]
        self.refused += not granted
        return granted

    def _admitted(self, now: int) -> bool:
        if self._newcomers is None:
            return True
        left, since = self._strangers
        left = min(float(self._most), left + max(0, now - since) * self._newcomers / _HOUR) if since else left
        self._strangers = (left - (left >= 1), now)
        return left >= 1


def _filled(bucket: tuple[float, int], now: int, per_hour: int) -> float:
    left, since = bucket
    return min(float(per_hour), left + max(0, now - since) * per_hour / _HOUR)
