"""The frame counters of all sessions: whose a frame is, and what of it outlives the process.

A counter is kept once the frame's record is confirmed, and not before: a frame that came, whose record was lost with
the process, is new when its source sends it again. One that was confirmed, but perhaps not acknowledged any more, is
published again under the same id when it comes after a restart, before any newer one. All others are never published
again: whoever sends them has recorded them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import chain, islice

from pipeline.devices.registry import CurrentRegistry, Device, Session
from pipeline.lorawan.crypto import Keys
from pipeline.lorawan.frame_counter import FIRST_ROLLS, MAX_FCNT_GAP, TOP, Counter, meanings
from pipeline.lorawan.journal import ROWS, Journal, Keeper
from pipeline.lorawan.phy_payload import DataUp
from pipeline.lorawan.statistics import FrameCounts
from pipeline.lorawan.tries import FREE, MOST, Tries


@dataclass(slots=True)
class Known:
    """A device's session, ready for its frames.

    Attributes:
        name: What the engine knows the device by: its DevEUI, or else its key.
        dev_addr: 8 lower-case hex digits.
        counter: Another one after a reset.
        counted: Where the ledger counts the device's frames, once it does.
    """

    name: str
    dev_addr: str
    keys: Keys
    counter: Counter
    counted: FrameCounts | None = None


class SessionTable:
    """The sessions of all devices by DevAddr, with their counters; one for each worker, whatever feeds bring frames."""

    def __init__(self, directory: CurrentRegistry, keeper: Keeper, tries: Tries | None = None) -> None:
        self.tries = tries or Tries()
        self._directory = directory
        self._keeper = keeper
        self._journal = Journal(keeper)
        self._known: dict[bytes, tuple[Known, ...]] = {}  # by DevAddr as it travels
        self._counters: dict[str, Counter] = {}
        directory.on_change(self._changed)

    def match(self, frame: DataUp) -> tuple[Known, int] | None:
        """Find the session that verifies a frame, and the whole counter; several devices may share a DevAddr.

        Raises:
            PutOffError: that would take more tries than are left to its DevAddr now.
        """
        sessions = self._known.get(frame.address) or self._sessions(frame)
        if len(sessions) == 1:  # as nearly always: the likeliest meaning, without the way to the others
            known, low = sessions[0], frame.f_cnt
            last = known.counter.last
            if last is not None:
                f_cnt = last + ((low - last) & 0xFFFF)
                if f_cnt - last <= MAX_FCNT_GAP and f_cnt < TOP and known.keys.verifies(frame, f_cnt):
                    return known, f_cnt
        tries, count = _likeliest_first(sessions, frame.f_cnt)
        for known, f_cnt in islice(tries, FREE):
            if known.keys.verifies(frame, f_cnt):
                return known, f_cnt
        left = count - FREE
        if left > 0:
            self.tries.take(frame.address, left)
        for known, f_cnt in tries:
            left -= 1
            if known.keys.verifies(frame, f_cnt):
                self.tries.give_back(frame.address, left)
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
        before = known.counter
        before.retired = True
        # What has no frame yet stands in the file as the one before it.
        known.counter = self._counters[before.key] = Counter(before.key, None, before.before or before)

    def confirm(self, frames: Sequence[tuple[Counter, int]]) -> None:
        """Keep the counters of frames whose records are confirmed."""
        self._journal.write(frames)

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
            counter = self._counters[key] = Counter(key, self._keeper.get(ROWS, key))
        return Known(device.dev_eui or device.key, session.dev_addr, Keys(session), counter)

    def _changed(self) -> None:
        """Take another registry: sessions that stay keep their counters, the others' go when they are done."""
        self._known.clear()
        stay = {place_of(session) for device in self._directory.devices for session in device.sessions}
        gone = [counter for key, counter in self._counters.items() if key not in stay and not counter.pending]
        for counter in gone:
            if not counter.old:
                counter.told = 0  # all of it is acknowledged by now, should the session come back
            del self._counters[counter.key]
        self._journal.save([counter for counter in gone if counter.accepted])


def _likeliest_first(sessions: Sequence[Known], low: int) -> tuple[Iterator[tuple[Known, int]], int]:
    """Return whose a frame with these 16 bits may be, with which counter, and how many such tries there are."""
    rolls = FIRST_ROLLS if len(sessions) * FIRST_ROLLS <= MOST else _rolls(sessions)
    heard = [(known, last, meanings(last, low)) for known in sessions if (last := known.counter.last) is not None]
    heard.sort(key=lambda each: abs(each[2][0] - each[1]))
    first = [(known, counts[0]) for known, _, counts in heard]
    others = [(known, f_cnt) for known, _, counts in heard for f_cnt in counts[1:]]
    unheard = [known for known in sessions if known.counter.last is None]
    first += [(known, low) for known in unheard]
    rolled = ((known, low + (roll << 16)) for roll in range(1, rolls) for known in unheard)
    return chain(first, others, rolled), len(first) + len(others) + (rolls - 1) * len(unheard)


def _rolls(sessions: Sequence[Known]) -> int:
    """Return how many roll-overs each session may have behind it that was never heard."""
    unheard = sum(1 for known in sessions if known.counter.last is None)
    return max(1, min(FIRST_ROLLS, MOST // max(1, unheard)))


def place_of(session: Session) -> str:
    """Return where a session's counter is kept: by its keys, of which nothing can be learned from it.

    A session with other keys is another one, and its counter begins anew; a device that is called otherwise is not.
    """
    keys = sha256(b"headrace" + session.f_nwk_s_int_key + session.s_nwk_s_int_key)
    return f"{session.dev_addr}-{keys.hexdigest()[:16]}"
