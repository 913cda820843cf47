"""The dedupe stage: one transmission heard by several gateways is one.

Copies agree in PHYPayload, frequency and data rate. They wait for each other during the window, and then go on
together, first come first. A copy that comes later still is deduplicated too, but acknowledged only when the fate of
its original is decided: were the process to die before, the copy is what the source has to send again.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from itertools import islice
from typing import Literal

from pipeline.delivery import Batch, Delivery, Fate, Stage, merged, part, seal_alike
from pipeline.dialect import Frame
from pipeline.errors import PayloadError, Reason
from pipeline.lorawan.frames import LONGEST
from pipeline.lorawan.ledger import Outcome, RawLedger
from pipeline.message import Message
from pipeline.refusals import Refusals
from pipeline.unwrap import Caught

Refused = Literal["filter", "dead_letter"]
"""What becomes of a frame that is not used: counted only, or kept as a dead letter, too."""

_REMEMBER_SECONDS = 60.0
_MOST_REMEMBERED = 16_384
_MOST_KEPT = 65_536
_MOST_AT_ONCE = 512  # transmissions, so that a flood leaves the loop to the others
_GRAIN_SECONDS = 0.025  # so that those due one after the other go on together

Key = tuple[bytes, int, str]


@dataclass(slots=True)
class Copies:
    """One transmission. frames: as the gateways heard it, in order of arrival. message: what brought the first."""

    frames: list[Frame]
    message: Message


@dataclass(slots=True)
class _Waiting:
    """A transmission whose copies are waited for. owed: a delivery for each copy."""

    copies: Copies
    owed: list[Delivery]
    due: float


@dataclass(slots=True)
class _Gone:
    """A transmission that went on. late: what the copies owe that came since, while its fate is open."""

    until: float
    settled: bool = False
    late: list[Delivery] = field(default_factory=list)


class Dedupe(Stage[Caught]):
    """Makes one of the copies of each transmission. window: seconds to wait for other gateways' copies."""

    def __init__(
        self, window: float, out: Stage[Copies], *, crc: Refused, ledger: RawLedger, refusals: Refusals
    ) -> None:
        self._window = window
        self._out = out
        self._crc = crc
        self._ledger = ledger
        self._refusals = refusals
        self._waiting: dict[Key, _Waiting] = {}
        self._gone: dict[Key, _Gone] = {}
        self._kept = 0
        self._timer: asyncio.TimerHandle | None = None

    def put(self, batch: Batch[Caught]) -> None:
        """Keep each frame for the window, beside its copies."""
        now = asyncio.get_running_loop().time()
        ledger, delivery = self._ledger, batch.delivery
        for frame, message in batch.items:
            ledger.heard(frame)
            if frame.crc_ok is False:
                self._broken(delivery, message)
                continue
            key = _key(frame)
            waiting = self._waiting.get(key)
            if waiting is not None:
                waiting.copies.frames.append(frame)
                waiting.owed.append(delivery)
                self._kept += 1
                ledger.count(Outcome.COPY)
            elif (gone := self._gone.get(key)) is not None:
                self._late(gone, delivery)
            else:
                self._waiting[key] = _Waiting(Copies([frame], message), [delivery], now + self._window)
                self._kept += 1
        if self._kept > _MOST_KEPT:
            self._pass_on(now, len(self._waiting))
        self._wind(now)

    def kept(self) -> int:
        """How many frames wait for others' copies, or for the fate of theirs."""
        return self._kept

    async def drain(self, deadline: float) -> None:  # noqa: ARG002 - nothing here takes time
        """Pass on what waits: no copy is worth a wait any more."""
        self._pass_on(asyncio.get_running_loop().time(), len(self._waiting))
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _broken(self, delivery: Delivery, message: Message) -> None:
        """Refuse what a gateway heard with a wrong checksum: its bytes may look like another transmission's."""
        self._ledger.count(Outcome.CRC_INVALID)
        if self._crc == "filter":
            delivery.seal(Fate.FILTERED)
        else:
            error = PayloadError("The gateway says that the frame's checksum is wrong.", Reason.CRC_INVALID)
            self._refusals.refuse(delivery, message, error, "dedupe")

    def _late(self, gone: _Gone, delivery: Delivery) -> None:
        self._ledger.count(Outcome.LATE_COPY)
        if gone.settled:
            delivery.seal(Fate.DEDUPLICATED)
        else:
            gone.late.append(delivery)
            self._kept += 1

    def _wind(self, now: float) -> None:
        """Set the one timer to the first that is due."""
        if self._timer is None and self._waiting:
            first = next(iter(self._waiting.values())).due
            self._timer = asyncio.get_running_loop().call_later(max(0.0, first - now) + _GRAIN_SECONDS, self._ring)

    def _ring(self) -> None:
        self._timer = None
        now = asyncio.get_running_loop().time()
        due = next((n for n, waiting in enumerate(self._waiting.values()) if waiting.due > now), len(self._waiting))
        self._pass_on(now, min(due, _MOST_AT_ONCE))
        if due > _MOST_AT_ONCE:
            self._timer = asyncio.get_running_loop().call_later(0, self._ring)
        else:
            self._wind(now)

    def _pass_on(self, now: float, count: int) -> None:
        """Pass on the `count` transmissions that came first, as one batch."""
        if not count:
            return
        taken = list(islice(self._waiting.items(), count))
        gone = [_Gone(now + _REMEMBER_SECONDS) for _ in taken]
        for (key, waiting), each in zip(taken, gone, strict=True):
            del self._waiting[key]
            self._gone[key] = each
            self._kept -= len(waiting.owed)
        self._forget(now)
        output = merged([waiting.owed for _, waiting in taken])
        delivery = part(output, count, partial(self._settled, output, gone))
        self._out.put(Batch(delivery, [waiting.copies for _, waiting in taken]))

    def _settled(self, output: Delivery, gone: list[_Gone], delivery: Delivery) -> None:
        seal_alike(output, delivery)
        for each in gone:
            each.settled = True
            self._kept -= len(each.late)
            for late in each.late:
                late.seal(Fate.DEDUPLICATED)
            each.late.clear()

    def _forget(self, now: float) -> None:
        """Forget those that went on long ago; a copy of one that is forgotten is known by its frame counter."""
        excess = len(self._gone) - _MOST_REMEMBERED
        old: list[Key] = []
        for key, gone in self._gone.items():
            if len(old) >= excess and gone.until > now:
                break
            old.append(key)
        for key in old:
            del self._gone[key]


def _key(frame: Frame) -> Key:
    """Return what copies agree in; bytes that are too long for a frame are remembered by their digest."""
    phy = frame.phy_payload
    return phy if len(phy) <= LONGEST else sha256(phy).digest(), frame.frequency, frame.data_rate
