"""Frame counters: which 32 bits the 16 on air stand for, and whether a frame was accepted before.

A counter is kept once the frame's record is confirmed, and not before: a frame that came, whose record was lost with
the process, is new when its source sends it again. One that was confirmed, but perhaps not acknowledged any more, is
published again under the same id when it comes after a restart, before any newer one. All others are never published
again: whoever sends them has recorded them.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from hashlib import sha256
from typing import Protocol

from pipeline.devices import Device, Session
from pipeline.directory import Directory
from pipeline.lorawan.crypto import Keys
from pipeline.lorawan.frames import DataUp

TABLE = "lorawan"
REMEMBERED = 64
"""Frames of a session that are known again: the highest counters accepted."""

MAX_FCNT_GAP = 16_384
"""LoRaWAN 1.0.3, clause 2.1.1. Later versions have no such gap; here it says only which meaning is tried first."""

_FIRST_ROLLS = 64  # 4 million frames: a session of which nothing is known may have counted that far
_FIRST_TRIES = 1024  # for a frame: a DevAddr that very many share costs no more until some of them were heard
_ENTRY = struct.Struct("<I4s")
_TOP = 1 << 32


class Keeper(Protocol):
    """What outlives the process: pipeline/store.py."""

    def get(self, table: str, key: str) -> bytes | None:
        """Return the value, or None."""

    def put(self, table: str, key: str, value: bytes) -> None:
        """Keep a value in place of the one before."""


class Verdict(Enum):
    """What a frame with a right MIC is to its session."""

    NEW = "new"
    DUPLICATE = "duplicate"  # accepted in this life, or acknowledged in an earlier one
    AGAIN = "again"  # accepted in an earlier life, perhaps not acknowledged, and neither it nor a newer one in this one
    BACK = "back"  # below what is remembered, or an old counter for a new frame


def meanings(last: int | None, f_cnt: int, rolls: int = _FIRST_ROLLS) -> Sequence[int]:
    """Return the counters that 16 bits may stand for, the likeliest first.

    last: the highest accepted so far. rolls: how many times 16 bits to try where nothing was accepted.
    """
    if last is None:
        return range(f_cnt, f_cnt + (rolls << 16), 1 << 16)
    ahead = last + ((f_cnt - last) & 0xFFFF)
    behind = ahead - (1 << 16)
    if behind < 0:
        return (ahead,)
    if ahead >= _TOP:
        likely: tuple[int, ...] = (behind,)
    else:
        likely = (ahead, behind) if ahead - last <= MAX_FCNT_GAP else (behind, ahead)
    return likely if behind == f_cnt else (*likely, f_cnt)  # a device that was reset counts from 0


class Counter:
    """One session's counter, as accepted in this life and as kept for the next.

    kept: how many of the frames were not acknowledged when it was written, and the frames, those as the last.
    pending: the mark (`Keys.mark`) of each accepted frame whose record is not confirmed, or not in the file. waiting:
    what lets the duplicates of those go, where there are any.
    """

    __slots__ = ("accepted", "key", "last", "old", "pending", "retired", "waiting")

    def __init__(self, key: str, kept: bytes | None) -> None:
        self.key = key
        kept = kept or b"\0"
        self.accepted = {f_cnt: _ENTRY.pack(f_cnt, mark) for f_cnt, mark in _ENTRY.iter_unpack(kept[1:])}
        self.old = set(list(self.accepted)[len(self.accepted) - kept[0] :])
        self.pending: dict[int, bytes] = {}
        self.waiting: dict[int, list[Callable[[], None]]] = {}
        self.last = max(self.accepted, default=None)
        self.retired = False  # a reset began another count: this one is kept no more

    def judge(self, f_cnt: int, mark: bytes) -> Verdict:
        """Say what a frame is that the session's keys verify. mark: what tells it from another of the same counter.

        A lower counter is no replay if it was never accepted and everything near it is remembered: then two gateways'
        frames, or two connections, overtook each other.
        """
        last = self.last
        if last is None or f_cnt > last:
            return Verdict.NEW  # nothing above `last` is pending or accepted
        pending = self.pending.get(f_cnt)
        if pending is not None:
            return Verdict.DUPLICATE if pending == mark else Verdict.BACK
        known = self.accepted.get(f_cnt)
        if known is not None:
            if known[4:] != mark:
                return Verdict.BACK
            return Verdict.AGAIN if f_cnt in self.old else Verdict.DUPLICATE
        return Verdict.NEW if f_cnt > last - REMEMBERED else Verdict.BACK

    def accept(self, f_cnt: int, mark: bytes) -> None:
        """Take a frame on its way."""
        self.pending[f_cnt] = mark
        if self.last is None or f_cnt > self.last:
            self.last = f_cnt
            self.old.clear()  # what was not acknowledged comes first; later only who has recorded it sends it
        else:
            self.old.discard(f_cnt)

    def confirm(self, f_cnt: int) -> None:
        """Remember a frame whose record is confirmed, in place of the lowest."""
        accepted = self.accepted
        accepted.pop(f_cnt, None)  # so that it becomes the last
        accepted[f_cnt] = _ENTRY.pack(f_cnt, self.pending[f_cnt])
        if len(accepted) > REMEMBERED:
            lowest = min(accepted)
            del accepted[lowest]
            self.old.discard(lowest)

    def kept(self) -> bytes:
        """Return what the next life is to know."""
        accepted = self.accepted
        unacknowledged = sum(1 for f_cnt in self.pending if f_cnt in accepted)
        return bytes([unacknowledged]) + b"".join(accepted.values())


@dataclass(slots=True)
class Known:
    """A device's session, ready for its frames.

    name: what the engine knows the device by: its DevEUI, or else its key. dev_addr: 8 lower-case hex digits. counter:
    another one after a reset.
    """

    name: str
    dev_addr: str
    keys: Keys
    counter: Counter


class Counters:
    """The sessions of all devices by DevAddr, with their counters; one for each worker, whatever feeds bring frames."""

    def __init__(self, directory: Directory, keeper: Keeper) -> None:
        self._directory = directory
        self._keeper = keeper
        self._known: dict[bytes, tuple[Known, ...]] = {}  # by DevAddr as it travels
        self._counters: dict[str, Counter] = {}
        directory.on_change(self._changed)

    def match(self, frame: DataUp) -> tuple[Known, int] | None:
        """Find the session that verifies a frame, and the whole counter; several devices may share a DevAddr."""
        sessions = self._known.get(frame.address) or self._sessions(frame)
        rolls = _FIRST_ROLLS if len(sessions) * _FIRST_ROLLS <= _FIRST_TRIES else _rolls(sessions)
        for known in sessions:
            for f_cnt in meanings(known.counter.last, frame.f_cnt, rolls):
                if known.keys.verifies(frame, f_cnt):
                    return known, f_cnt
        return None

    def knows(self, frame: DataUp) -> bool:
        """Say whether any session has the DevAddr of a frame."""
        return bool(self._sessions(frame))

    def by_eui(self, eui: str) -> Device | None:
        """Return the registered device with that DevEUI, or None."""
        return self._directory.devices.by_eui(eui)

    def restart(self, known: Known) -> None:
        """Begin a session's count anew: its device was reset."""
        known.counter.retired = True
        known.counter = self._counters[known.counter.key] = Counter(known.counter.key, None)

    def confirm(self, frames: Iterable[tuple[Counter, int]]) -> None:
        """Keep the counters of frames whose records are confirmed."""
        changed: dict[str, Counter] = {}
        for counter, f_cnt in frames:
            counter.confirm(f_cnt)
            if not counter.retired:
                changed[counter.key] = counter
        for key, counter in changed.items():
            self._keeper.put(TABLE, key, counter.kept())

    def _sessions(self, frame: DataUp) -> tuple[Known, ...]:
        known = self._known.get(frame.address)
        if known is None:
            sessions = self._directory.devices.sessions(frame.dev_addr)
            if not sessions:
                return ()
            known = self._known[frame.address] = tuple(self._ready(device, session) for device, session in sessions)
        return known

    def _ready(self, device: Device, session: Session) -> Known:
        key = place_of(session)
        counter = self._counters.get(key)
        if counter is None:
            counter = self._counters[key] = Counter(key, self._keeper.get(TABLE, key))
        return Known(device.dev_eui or device.key, session.dev_addr, Keys(session), counter)

    def _changed(self) -> None:
        """Take another registry: sessions that stay keep their counters, the others' go when they are done."""
        self._known.clear()
        stay = {place_of(session) for device in self._directory.devices for session in device.sessions}
        gone = [counter for key, counter in self._counters.items() if key not in stay and not counter.pending]
        for counter in gone:
            if counter.accepted and not counter.old:  # all of it is acknowledged by now, should the session come back
                self._keeper.put(TABLE, counter.key, counter.kept())
            del self._counters[counter.key]


def _rolls(sessions: Sequence[Known]) -> int:
    """Return how many roll-overs each session may have behind it that was never heard."""
    unheard = sum(1 for known in sessions if known.counter.last is None)
    return max(1, min(_FIRST_ROLLS, _FIRST_TRIES // max(1, unheard)))


def place_of(session: Session) -> str:
    """Return where a session's counter is kept: by its keys, of which nothing can be learned from it.

    A session with other keys is another one, and its counter begins anew; a device that is called otherwise is not.
    """
    keys = sha256(b"headrace" + session.f_nwk_s_int_key + session.s_nwk_s_int_key)
    return f"{session.dev_addr}-{keys.hexdigest()[:16]}"
