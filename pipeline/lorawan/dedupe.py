"""The dedupe stage: one transmission heard by several gateways is one.

Copies agree in PHYPayload, frequency and data rate. They wait for each other during the window, and then go on
together, first come first. A copy that comes later still is deduplicated too, but acknowledged only when the fate of
its original is decided: were the process to die before, the copy is what the source has to send again.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from operator import attrgetter

from msgspec import Struct

from pipeline.core.budgets import Slice
from pipeline.core.delivery import Batch, Delivery, Fate, Message, Stage, copy_fates, merge_copies, sub_delivery
from pipeline.core.errors import PayloadError, Reason, Refused
from pipeline.encode.dead_letter import Refusals
from pipeline.lorawan.phy_payload import LONGEST
from pipeline.lorawan.statistics import FrameOutcome, FrameStatistics
from pipeline.lorawan.unwrap import Caught
from pipeline.sdk.uplink import Reception

_REMEMBER_SECONDS = 60.0
_MOST_REMEMBERED = 16_384
_MOST_KEPT = 65_536
_MOST_AT_ONCE, _FEWEST_AT_ONCE = 512, 16  # transmissions, so that a flood leaves the loop to the others
_GRAIN_SECONDS = 0.025  # so that those due one after the other go on together

Key = tuple[bytes, int, str]
"""What copies agree in; bytes that are too long for a frame are remembered by their digest."""


class Copies(Struct, gc=False):
    """One transmission.

    Attributes:
        phy: PHYPayload.
        receptions: How each gateway heard it, in order of arrival.
        message: What brought the first.
        owed: A delivery for each copy.
        due: When they are waited for no more.
    """

    phy: bytes
    receptions: list[Reception]
    message: Message
    owed: list[Delivery]
    due: float
    key: Key


@dataclass(slots=True)
class _Gone:
    """The transmissions that went on at one time.

    Attributes:
        late: What their copies owe that came since, while fates are open.
    """

    until: float
    settled: bool = False
    late: list[Delivery] = field(default_factory=list)


class Dedupe(Stage[Caught]):
    """Makes one of the copies of each transmission.

    Args:
        window: Seconds to wait for other gateways' copies.
    """

    def __init__(
        self, window: float, out: Stage[Copies], *, crc: Refused, ledger: FrameStatistics, refusals: Refusals
    ) -> None:
        self._window = window
        self._out = out
        self._crc = crc
        self._ledger = ledger
        self._refusals = refusals
        self._known: dict[Key, Copies | _Gone] = {}  # in order of first arrival: those that went on come first
        self._waiting: list[Copies] = []
        self._slice = Slice(_MOST_AT_ONCE, _FEWEST_AT_ONCE)
        self._kept = 0
        self._timer: asyncio.TimerHandle | None = None

    def put(self, batch: Batch[Caught]) -> None:
        """Keep each frame for the window, beside its copies."""
        now = asyncio.get_running_loop().time()
        due, delivery, known, waiting = now + self._window, batch.delivery, self._known, self._waiting
        receptions: list[Reception] = []
        before, copies = len(waiting), 0
        for frame, message in batch.items:
            phy, reception = frame.phy_payload, frame.reception
            receptions.append(reception)
            if frame.crc_ok is False:
                self._broken(delivery, message)
                continue
            key = (phy if len(phy) <= LONGEST else sha256(phy).digest(), frame.frequency, frame.data_rate)
            heard = known.get(key)
            if heard is None:
                known[key] = first = Copies(phy, [reception], message, [delivery], due, key)
                waiting.append(first)
            elif isinstance(heard, Copies):
                heard.receptions.append(reception)
                heard.owed.append(delivery)
                copies += 1
            else:
                self._late(heard, delivery)
        self._ledger.heard(receptions)
        self._ledger.count(FrameOutcome.COPY, copies)
        self._kept += len(waiting) - before + copies
        if self._kept > _MOST_KEPT:
            self._pass_on(now, min(len(self._waiting), max(self._kept - _MOST_KEPT, self._slice.size)))
        self._wind(now)

    def pending(self) -> int:
        """How many frames wait for others' copies, or for the fate of theirs."""
        return self._kept

    async def drain(self, deadline: float) -> None:
        """Pass on what waits: no copy is worth a wait any more."""
        self._pass_on(asyncio.get_running_loop().time(), len(self._waiting))
        await self._out.drain(deadline)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _broken(self, delivery: Delivery, message: Message) -> None:
        """Refuse what a gateway heard with a wrong checksum: its bytes may look like another transmission's."""
        self._ledger.count(FrameOutcome.CRC_INVALID)
        if self._crc == "filter":
            delivery.seal(Fate.FILTERED)
        else:
            error = PayloadError("The gateway says that the frame's checksum is wrong.", Reason.CRC_INVALID)
            self._refusals.refuse(delivery, message, error, "dedupe")

    def _late(self, gone: _Gone, delivery: Delivery) -> None:
        self._ledger.count(FrameOutcome.LATE_COPY)
        if gone.settled:
            delivery.seal(Fate.DEDUPLICATED)
        else:
            gone.late.append(delivery)
            self._kept += 1

    def _wind(self, now: float) -> None:
        """Set the one timer to the first that is due."""
        if self._timer is None and self._waiting:
            wait = max(0.0, self._waiting[0].due - now)
            self._timer = asyncio.get_running_loop().call_later(wait + _GRAIN_SECONDS, self._ring)

    def _ring(self) -> None:
        self._timer = None
        now = asyncio.get_running_loop().time()
        due = bisect_right(self._waiting, now, key=attrgetter("due"))
        at_once = self._slice.size
        self._slice.begin()
        self._pass_on(now, min(due, at_once))
        self._slice.over()
        if due > at_once:
            self._timer = asyncio.get_running_loop().call_later(0, self._ring)
        else:
            self._wind(now)

    def _pass_on(self, now: float, count: int) -> None:
        """Pass on the `count` transmissions that came first, as one batch."""
        if not count:
            return
        taken = self._waiting[:count]
        del self._waiting[:count]
        gone, owed = _Gone(now + _REMEMBER_SECONDS), [copies.owed for copies in taken]
        self._known.update(dict.fromkeys([copies.key for copies in taken], gone))
        self._kept -= sum(map(len, owed))
        self._forget(now)
        output = merge_copies(owed)
        self._out.put(Batch(sub_delivery(output, len(taken), partial(self._settled, output, gone)), taken))

    def _settled(self, output: Delivery, gone: _Gone, delivery: Delivery) -> None:
        copy_fates(output, delivery)
        gone.settled = True
        self._kept -= len(gone.late)
        for late in gone.late:
            late.seal(Fate.DEDUPLICATED)
        gone.late.clear()

    def _forget(self, now: float) -> None:
        """Forget those that went on long ago; a copy of one that is forgotten is known by its frame counter."""
        excess = len(self._known) - len(self._waiting) - _MOST_REMEMBERED
        old: list[Key] = []
        for key, gone in self._known.items():
            if isinstance(gone, Copies) or (len(old) >= excess and gone.until > now):
                break
            old.append(key)
        for key in old:
            del self._known[key]
