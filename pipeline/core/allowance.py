"""How often each of many senders may be told of, where nothing proves who they are.

    joins = Allowance(most=131_072)
    joins.take("0011223344556677", now, per_hour=20)     False: it was told of often enough

A join request of LoRaWAN cannot be verified without the device's root key, and Semtech's UDP protocol verifies nothing:
whoever reaches an antenna or the port could else make a record with each packet. What is beyond the allowance is
counted, and not recorded. Memory is bounded; so are the records of names that were made up, by `newcomers`.
"""

from __future__ import annotations

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
