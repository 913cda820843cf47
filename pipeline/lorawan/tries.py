"""How many tries of keys a DevAddr may cost: a frame of one that many sessions share is tried under each of them.

The first tries of a frame are free: they find nearly every session that was heard before, likeliest first. What follows
(the roll-overs of sessions that were never heard, 64 of each) is taken from an allowance by DevAddr and by worker. A
frame for which nothing is left is put off and tried later, in the order of receipt; when too many wait already, it is
refused (`too_expensive`), which is what a flood of forged frames comes to.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from time import monotonic

from pipeline.core.delivery import Delivery
from pipeline.lorawan.dedupe import Copies

FREE = 64
"""Tries of each frame; 0.15 ms."""

MOST = 1024
"""Tries of a frame: a DevAddr that very many share costs no more until some of them were heard."""

A_SECOND = 4 * MOST
"""Tries beyond those, by DevAddr: 1 % of a core."""

IN_ALL = 8 * A_SECOND
_MOST_WAITING = 64  # frames by DevAddr
_MOST_IN_ALL = 4096
_KEPT = 4096  # DevAddrs


class PutOffError(Exception):
    """A frame cannot be tried now: its DevAddr has had its share.

    Args:
        address: The DevAddr as it travels.
    """

    def __init__(self, address: bytes) -> None:
        super().__init__(address.hex())
        self.address = address


class Tries:
    """What is left to each DevAddr, and to all.

    Attributes:
        clock: seconds.
        unbounded: Set where there is no time to put off.
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self.unbounded = False
        self._clock = clock
        self._left: dict[bytes, tuple[float, float]] = {}
        self._all = float(IN_ALL), clock()

    def take(self, address: bytes, tries: int) -> None:
        """Take so many tries.

        Raises:
            PutOffError: they are not left to the DevAddr, or not to the worker.
        """
        left, in_all, now = self._left_now(address)
        if min(left, in_all) < tries and not self.unbounded:
            raise PutOffError(address)
        self._left.pop(address, None)
        if len(self._left) >= _KEPT:
            del self._left[next(iter(self._left))]  # the one that took any longest ago
        self._left[address] = left - tries, now
        self._all = in_all - tries, now

    def enough(self, address: bytes) -> bool:
        """Say whether any frame of a DevAddr can be tried now."""
        return self.unbounded or min(self._left_now(address)[:2]) >= MOST

    def _left_now(self, address: bytes) -> tuple[float, float, float]:
        now = self._clock()
        left = _left(self._left.get(address, (A_SECOND, now)), now, A_SECOND)
        return left, _left(self._all, now, IN_ALL), now

    def give_back(self, address: bytes, tries: int) -> None:
        """Give back what was taken and not needed."""
        left, at = self._left.get(address, (0.0, self._all[1]))
        self._left[address] = left + tries, at
        self._all = self._all[0] + tries, self._all[1]


def _left(before: tuple[float, float], now: float, a_second: int) -> float:
    tokens, at = before
    return min(float(a_second), tokens + (now - at) * a_second)


class Waiting:
    """Frames that were put off, by DevAddr, each with the delivery that it owes."""

    def __init__(self) -> None:
        self._frames: dict[bytes, deque[tuple[Copies, Delivery]]] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, address: bytes, copies: Copies, delivery: Delivery) -> bool:
        """Keep a frame behind those of its DevAddr; False: too many wait."""
        queue = self._frames.get(address, ())
        if len(queue) >= _MOST_WAITING or self._count >= _MOST_IN_ALL:
            return False
        self._frames.setdefault(address, deque()).append((copies, delivery))
        self._count += 1
        return True

    def take(self, ready: Callable[[bytes], bool]) -> Iterator[tuple[Copies, Delivery]]:
        """Yield the first frame of each DevAddr that is ready, and take it out."""
        for address, queue in list(self._frames.items()):
            if not ready(address):
                continue
            self._count -= 1
            first = queue.popleft()
            if not queue:
                del self._frames[address]
            yield first
