"""One session's frame counter: which 32 bits the 16 on air stand for, and whether a frame was accepted before."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from enum import Enum
from itertools import starmap

REMEMBERED = 64
"""Frames of a session that are known again: the highest counters accepted."""

MAX_FCNT_GAP = 16_384
"""LoRaWAN 1.0.3, clause 2.1.1. Later versions have no such gap; here it says only which meaning is tried first."""

FIRST_ROLLS = 64
"""Roll-overs of a session of which nothing is known: it may have counted 4 million frames."""

TOP = 1 << 32
"""Where a counter ends."""

_ENTRY = struct.Struct("<I4s")
_MOST_BYTES = REMEMBERED * _ENTRY.size


class Verdict(Enum):
    """What a frame with a right MIC is to its session."""

    NEW = "new"
    DUPLICATE = "duplicate"  # accepted in this life, or acknowledged in an earlier one
    AGAIN = "again"  # accepted in an earlier life, perhaps not acknowledged, and neither it nor a newer one in this one
    BACK = "back"  # below what is remembered, or an old counter for a new frame


def meanings(last: int | None, f_cnt: int, rolls: int = FIRST_ROLLS) -> Sequence[int]:
    """Return the counters that 16 bits may stand for, the likeliest first.

    Args:
        last: The highest accepted so far.
        rolls: How many times 16 bits to try where nothing was accepted.
    """
    if last is None:
        return range(f_cnt, f_cnt + (rolls << 16), 1 << 16)
    ahead = last + ((f_cnt - last) & 0xFFFF)
    behind = ahead - (1 << 16)
    if behind < 0:
        return (ahead,)
    if ahead >= TOP:
        likely: tuple[int, ...] = (behind,)
    else:
        likely = (ahead, behind) if ahead - last <= MAX_FCNT_GAP else (behind, ahead)
    return likely if behind == f_cnt else (*likely, f_cnt)  # a device that was reset counts from 0


class Counter:
    """One session's counter, as accepted in this life and as kept for the next.

    Attributes:
        key: The name of the session in the store, a text.
        place: The name of the session in the journal, in bytes.
        kept: How many of the frames were perhaps not acknowledged when that was written (`told`), and the frames, those
            as the last.
        pending: The mark (`Keys.mark`) of each accepted frame whose record is not confirmed, or not in the file yet.
        waiting: What lets the duplicates of those go, where there are any.
        before: The counter in whose place this one came, until it has a frame.
        saved: How many frames the journal had when all of this one was written (pipeline/lorawan/journal.py).
    """

    __slots__ = (
        "_at_work",
        "_entries",
        "_highest",
        "before",
        "key",
        "last",
        "old",
        "pending",
        "place",
        "retired",
        "saved",
        "told",
        "waiting",
    )

    def __init__(self, key: str, kept: bytes | None, before: Counter | None = None) -> None:
        self.key = key
        self.place = bytes.fromhex(key.replace("-", ""))
        if kept is None or len(kept) % _ENTRY.size != 1:  # or it was damaged
            kept = b"\0"
        self._entries = bytearray(kept[1:])  # not a dict: it would take ten times the memory
        accepted = list(self.accepted)
        self.told = kept[0]
        self.old = frozenset(accepted[len(accepted) - self.told :])  # when it is empty, one for all sessions
        self.pending: dict[int, bytes] = {}
        self.waiting: dict[int, list[Callable[[], None]]] | None = None
        self.last = max(accepted, default=None)
        self.retired = False  # a reset began another count: this one is kept no more
        self.before = before
        self.saved = 0
        self._at_work = 0  # confirmed, and not in the file yet
        self._highest = _highest(accepted)

    @property
    def accepted(self) -> dict[int, bytes]:
        """The marks of the frames whose records are confirmed, in the order of their confirmation."""
        return dict(_ENTRY.iter_unpack(self._entries))

    def judge(self, f_cnt: int, mark: bytes) -> Verdict:
        """Say what a frame is that the session's keys verify, and that is not above `last`, as nearly all are.

        Args:
            mark: What tells it from another of the same counter. A lower counter is no replay if it was never accepted
                and everything near it is remembered: then two gateways' frames, or two connections, overtook each
                other.
        """
        pending = self.pending.get(f_cnt)
        if pending is not None:
            return Verdict.DUPLICATE if pending == mark else Verdict.BACK
        known = self.accepted.get(f_cnt)
        if known is not None:
            if known != mark:
                return Verdict.BACK
            return Verdict.AGAIN if f_cnt in self.old else Verdict.DUPLICATE
        return Verdict.NEW if self.last is None or f_cnt > self.last - REMEMBERED else Verdict.BACK

    def accept(self, f_cnt: int, mark: bytes) -> None:
        """Take a frame on its way."""
        self.pending[f_cnt] = mark
        if self.last is None or f_cnt > self.last:
            self.last = f_cnt
            self.old = frozenset()  # what was not acknowledged comes first; later only who has recorded it sends it
        else:
            self.old -= {f_cnt}

    def wait(self, f_cnt: int, let_go: Callable[[], None]) -> bool:
        """Let a duplicate wait for a frame that is on its way; False: it is not."""
        if f_cnt not in self.pending:
            return False
        if self.waiting is None:
            self.waiting = {}
        self.waiting.setdefault(f_cnt, []).append(let_go)
        return True

    def confirm(self, f_cnt: int) -> bytes:
        """Remember a frame whose record is confirmed, and return what the journal is to say of it."""
        entry = _ENTRY.pack(f_cnt, self.pending[f_cnt])
        self.remember(f_cnt, entry)
        self._at_work += 1
        self.told = min(self._at_work, REMEMBERED)
        return entry

    def remember(self, f_cnt: int, entry: bytes) -> None:
        """Remember a frame as the last, in place of the lowest."""
        entries = self._entries
        if f_cnt > self._highest:
            self._highest = f_cnt
            entries += entry
            if len(entries) > _MOST_BYTES:
                if self.old:
                    self.old -= {int.from_bytes(entries[:4], "little")}
                del entries[: _ENTRY.size]
        else:
            self._insert(f_cnt, entry)

    def _insert(self, f_cnt: int, entry: bytes) -> None:
        """Remember a frame, though a higher one came before, or it is remembered already."""
        accepted = self.accepted
        accepted.pop(f_cnt, None)
        accepted[f_cnt] = entry[4:]
        if len(accepted) > REMEMBERED:
            lowest = min(accepted)
            del accepted[lowest]
            self.old -= {lowest}
        self._entries = bytearray(b"".join(starmap(_ENTRY.pack, accepted.items())))
        self._highest = _highest(list(accepted))

    def written(self, f_cnt: int) -> Sequence[Callable[[], None]]:
        """Take note that a confirmed frame is in the file, and return what lets its duplicates go."""
        del self.pending[f_cnt]
        self._at_work -= 1
        return self.waiting.pop(f_cnt, ()) if self.waiting else ()

    def dump(self) -> bytes:
        """Return what the next life is to know."""
        return bytes([self.told]) + self._entries


def _highest(accepted: list[int]) -> int:
    """Return the highest of what stands in order, so that what is above it is the last and the first is the lowest."""
    if accepted != sorted(accepted):
        return TOP
    return accepted[-1] if accepted else -1
