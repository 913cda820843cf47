"""The sessions stage: whose frame is it, is it what it says it is, was it heard before, and what does it say.

A frame's counter is kept after its record is confirmed, and the frame acknowledged after that is in the file: what was
acknowledged is never accepted again, not after a SIGKILL either. A duplicate is acknowledged after its original.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from functools import partial
from time import monotonic
from typing import Any, Literal, Protocol

from pipeline.core.budgets import Allowance
from pipeline.core.delivery import Batch, Delivery, Fate, Message, Stage, copy_fates, sub_delivery
from pipeline.core.errors import PayloadError, Reason, Refused
from pipeline.encode.dead_letter import Refusals
from pipeline.lorawan.dedupe import Copies
from pipeline.lorawan.frame_counter import Counter, Verdict
from pipeline.lorawan.journal import Keeper
from pipeline.lorawan.phy_payload import DataUp, JoinRequest, parse
from pipeline.lorawan.session_table import Known, SessionTable
from pipeline.lorawan.statistics import DeviceFrameStatistics, FrameOutcome, FrameStatistics
from pipeline.lorawan.tries import PutOffError, Waiting
from pipeline.lorawan.unwrap import Heard, Told
from pipeline.sdk.dialect import Event
from pipeline.sdk.uplink import LazyDetails, Reception, Uplink

Accepted = list[tuple[Counter, int]]
"""The frames of a batch, to be kept when their records are confirmed."""
_ASIDE = LazyDetails(tuple)
_AGAIN_SECONDS = 0.25  # between tries of what was put off: one frame of each DevAddr
_NOW_AND_THEN = 63  # of 64 frames one: then the ledger is told that the device is still heard of


class Written(Keeper, Protocol):
    """What outlives the process, and says when it does: pipeline/state/store.py."""

    @property
    def trouble(self) -> str:
        """Why nothing outlives the process now; empty while it does."""

    def when_written(self, call: Callable[[], None], *, insist: bool = False) -> None:
        """Call back once all that was put so far is in the file.

        Args:
            insist: Not before, whatever is wrong.
        """


class FramePolicy(Protocol):
    """What becomes of frames that are no uplinks of ours, as the feed's section `frames` says; it has the defaults."""

    @property
    def unknown(self) -> Refused:
        """No session has that DevAddr; most are other people's, who have not asked to be recorded."""

    @property
    def wrong_mic(self) -> Refused:
        """The DevAddr is one of ours, but no key fits."""

    @property
    def invalid(self) -> Refused:
        """The bytes are no frame that a device sends."""

    @property
    def replay(self) -> Refused:
        """The counter went back."""

    @property
    def reset(self) -> Literal["accept", "refuse"]:
        """Whether a counter that went back is a device's that was reset, or is dealt with as `replay` says.

        `accept` is for an ABP device without memory, but then a recorded frame that is sent again is accepted as well.
        """

    @property
    def joins(self) -> int:
        """How many join requests of a device are told in an hour, since nothing proves that they are its own."""

    @property
    def unkept(self) -> Literal["accept", "hold"]:
        """Whether frames wait, and are not acknowledged, while their counters cannot be kept."""


class Sessions(Stage[Copies]):
    """Makes uplinks and events of one feed's transmissions.

    Args:
        counters: The frame counters of all sessions, shared by all feeds.
        frames: The statistics of devices' frames, shared by all feeds.
        joins: How many join requests of a device are recorded in an hour, shared by all feeds.
    """

    def __init__(
        self,
        counters: SessionTable,
        store: Written,
        *,
        uplinks: Stage[Heard],
        events: Stage[Told],
        policy: FramePolicy,
        ledger: FrameStatistics,
        frames: DeviceFrameStatistics,
        refusals: Refusals,
        joins: Allowance,
    ) -> None:
        self._counters = counters
        self._store = store
        self._uplinks = uplinks
        self._events = events
        self._policy = policy
        self._hold = policy.unkept == "hold"
        self._counters_repeat = policy.reset == "accept"
        self._ledger = ledger
        self._frames = frames
        self._refusals = refusals
        self._joins = joins
        self._kept = 0
        self._held: deque[Batch[Copies]] = deque()
        self._later = Waiting()
        self._timer: asyncio.TimerHandle | None = None

    def put(self, batch: Batch[Copies]) -> None:
        """Pass on what each transmission says, in order; or hold it, while its counter cannot be kept."""
        if self._hold and (self._held or self._store.trouble):
            self._held.append(batch)
            if len(self._held) == 1:
                self._store.when_written(self._go_on, insist=True)
        else:
            self._take(batch)

    def _go_on(self) -> None:
        """Take what was held, in order."""
        while self._held and not self._store.trouble:
            self._take(self._held.popleft())
        if self._held:
            self._store.when_written(self._go_on, insist=True)

    def _take(self, batch: Batch[Copies]) -> None:  # noqa: C901 - one loop: a call for each frame would cost a tenth of it
        found, delivery = _Found(), batch.delivery
        match, received = self._counters.match, self._frames.received
        for copies in batch.items:
            try:
                frame = parse(copies.phy)
                if isinstance(frame, JoinRequest):
                    self._join(frame, copies, delivery, found)
                    continue
                matched = match(frame)
                if matched is None:
                    self._stranger(frame, copies.message, delivery)
                    continue
                known, f_cnt = matched
                last, mark = known.counter.last, known.keys.mark(frame)
                if last is None or f_cnt > last:
                    if known.counted is None or not f_cnt & _NOW_AND_THEN:
                        known.counted = self._frames.refresh(known.name)
                    received(known.counted, known.dev_addr, f_cnt)
                elif not self._fresh(known, f_cnt, mark, copies.message, delivery):
                    continue
                self._accept(known, frame, f_cnt, copies, found)
                known.counter.accept(f_cnt, mark)
            except PutOffError as busy:
                self._put_off(busy.address, copies, delivery)
            except PayloadError as refusal:
                self._refuse(self._policy.invalid, FrameOutcome.FRAME_INVALID, delivery, copies.message, refusal)
            except Exception as error:  # noqa: BLE001 - nothing in a frame may stop the ones beside it
                self._refusals.refuse(delivery, copies.message, error, "sessions")
        self._ledger.count(FrameOutcome.UPLINK, len(found.uplinks))
        self._pass_on(delivery, found.uplinks, found.accepted, self._uplinks)
        self._pass_on(delivery, found.mac, found.accepted_mac, self._events)
        if found.joins:
            self._events.put(Batch(delivery, found.joins))

    def pending(self) -> int:
        """How many duplicates wait for the fate of their originals, and how many transmissions are held or put off."""
        return self._kept + len(self._later) + sum(len(batch.items) for batch in self._held)

    async def drain(self, deadline: float) -> None:
        """Try what was put off; nothing else can be passed on: the duplicates go with their originals."""
        self._counters.tries.unbounded = True
        while self._later and monotonic() < deadline:
            self._try_again()
            await asyncio.sleep(0)

    def _put_off(self, address: bytes, copies: Copies, delivery: Delivery) -> None:
        """Try a frame later, when its DevAddr has had fewer tries of late; refuse it when too many wait."""
        if self._later.add(address, copies, delivery):
            self._wind()
            return
        self._ledger.count(FrameOutcome.TOO_EXPENSIVE)
        refusal = PayloadError(
            f"Expected frames of the DevAddr {address[::-1].hex()} that its sessions' next counters fit, got so many "
            "others that not all could be tried: most likely they are forged.",
            Reason.TOO_EXPENSIVE,
        )
        self._refusals.refuse(delivery, copies.message, refusal, "sessions")

    def _wind(self) -> None:
        if self._later and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_AGAIN_SECONDS, self._ring)

    def _ring(self) -> None:
        self._timer = None
        self._try_again()
        self._wind()

    def _try_again(self) -> None:
        for copies, delivery in self._later.take(self._counters.tries.enough):
            self.put(Batch(delivery, [copies]))

    def _fresh(self, known: Known, f_cnt: int, mark: bytes, message: Message, delivery: Delivery) -> bool:
        """Say whether a frame that is not above the last is to be published; if not, its fate is seen to."""
        counter, device = known.counter, known.name
        verdict = counter.judge(f_cnt, mark)
        if verdict is Verdict.NEW:
            self._frames.received(self._frames.refresh(device), known.dev_addr, f_cnt)
        elif verdict is Verdict.AGAIN:
            self._ledger.count(FrameOutcome.REDELIVERED)
        elif verdict is Verdict.DUPLICATE:
            self._ledger.count(FrameOutcome.RETRANSMISSION)
            self._frames.duplicate(device)
            self._wait(counter, f_cnt, delivery)
            return False
        elif self._policy.reset == "accept":
            self._ledger.count(FrameOutcome.RESET)
            self._counters.restart(known)
            self._frames.received(self._frames.refresh(device), known.dev_addr, f_cnt, reset=True)
        else:
            refusal = PayloadError(
                f"Expected a frame counter above {counter.last}, got {f_cnt}, of the device {device}. A device that "
                "was reset needs a new session, or `frames: {reset: accept}`.",
                Reason.F_CNT_INVALID,
            )
            self._refuse(self._policy.replay, FrameOutcome.WENT_BACK, delivery, message, refusal)
            return False
        return True

    def _wait(self, counter: Counter, f_cnt: int, delivery: Delivery) -> None:
        if counter.wait(f_cnt, partial(self._let_go, delivery)):
            self._kept += 1
        else:
            delivery.seal(Fate.DEDUPLICATED)

    def _accept(self, known: Known, frame: DataUp, f_cnt: int, copies: Copies, found: _Found) -> None:
        receptions, message, name, port = copies.receptions, copies.message, known.name, frame.port
        time = gps_time(receptions)
        mark = f"-{frame.mic.hex()}" if self._counters_repeat else ""  # then the counter alone tells frames not apart
        if port:
            payload = known.keys.payload(frame, f_cnt)
            # By place: by name, it would take twice the time.
            uplink = Uplink(payload, port, None, 0, name, time, known.dev_addr, f_cnt, receptions, _ASIDE, raw=True)
            uplink.mark = mark
            found.uplinks.append((uplink, message))
            found.accepted.append((known.counter, f_cnt))
        else:
            details, place = _mac(known, frame, f_cnt, receptions), f"{known.dev_addr}-{f_cnt}{mark}"
            event = Event("mac", name, time=time, details=details, id=place)
            found.mac.append((event, message))
            found.accepted_mac.append((known.counter, f_cnt))
            self._ledger.count(FrameOutcome.MAC)

    def _join(self, frame: JoinRequest, copies: Copies, delivery: Delivery, found: _Found) -> None:
        if self._counters.by_eui(frame.dev_eui) is None:
            self._ledger.count(FrameOutcome.FOREIGN_JOIN)
            delivery.seal(Fate.FILTERED)
            return
        if not self._joins.take(frame.dev_eui, copies.message.arrival, self._policy.joins):
            self._ledger.count(FrameOutcome.JOIN_LIMITED)
            delivery.seal(Fate.FILTERED)
            return
        self._ledger.count(FrameOutcome.JOIN)
        details = _join(frame) | {"rxInfo": _told(copies.receptions)}
        asked = frame.join_eui or f"rejoin{frame.rejoin}-{frame.net_id}"
        time, place = gps_time(copies.receptions), f"{asked}-{frame.nonce}"
        event = Event("join", frame.dev_eui, time=time, details=details, id=place, verified=False)
        found.joins.append((event, copies.message))

    def _stranger(self, frame: DataUp, message: Message, delivery: Delivery) -> None:
        if self._counters.knows(frame):
            refusal = PayloadError(
                f"No session of the DevAddr {frame.dev_addr} has keys that fit the MIC.", Reason.MIC_INVALID
            )
            self._refuse(self._policy.wrong_mic, FrameOutcome.MIC_INVALID, delivery, message, refusal)
        else:
            refusal = PayloadError(
                f"The registry has no session of the DevAddr {frame.dev_addr}.", Reason.DEVICE_UNKNOWN
            )
            self._refuse(self._policy.unknown, FrameOutcome.FOREIGN, delivery, message, refusal)

    def _refuse(
        self, policy: Refused, outcome: FrameOutcome, delivery: Delivery, message: Message, refusal: PayloadError
    ) -> None:
        self._ledger.count(outcome)
        if policy == "filter":
            delivery.seal(Fate.FILTERED)
        else:
            self._refusals.refuse(delivery, message, refusal, "sessions")

    def _pass_on(self, parent: Delivery, items: list[Any], accepted: Accepted, out: Stage[Any]) -> None:
        if items:
            out.put(Batch(sub_delivery(parent, len(items), partial(self._confirmed, parent, accepted)), items))

    def _confirmed(self, parent: Delivery, accepted: Accepted, settled: Delivery) -> None:
        self._counters.confirm(accepted)
        self._store.when_written(partial(self._written, parent, accepted, settled), insist=self._hold)

    def _written(self, parent: Delivery, accepted: Accepted, settled: Delivery) -> None:
        copy_fates(parent, settled)
        for counter, f_cnt in accepted:
            for let_go in counter.written(f_cnt):
                let_go()

    def _let_go(self, delivery: Delivery) -> None:
        self._kept -= 1
        delivery.seal(Fate.DEDUPLICATED)


class _Found:
    """What the transmissions of one batch say."""

    __slots__ = ("accepted", "accepted_mac", "joins", "mac", "uplinks")

    def __init__(self) -> None:
        self.uplinks: list[Heard] = []
        self.accepted: Accepted = []
        self.mac: list[Told] = []
        self.accepted_mac: Accepted = []
        self.joins: list[Told] = []


def gps_time(receptions: list[Reception]) -> int | None:
    """Return when the transmission was heard, if a gateway has its time from GPS; the same whoever was first."""
    earliest: int | None = None
    for reception in receptions:
        if reception.gps:
            time = reception.time
            if time is not None and (earliest is None or time < earliest):
                earliest = time
    return earliest


def _told(receptions: list[Reception]) -> list[dict[str, Any]]:
    return [{"gateway": each.gateway, "rssi": each.rssi, "snr": each.snr} for each in receptions]


def _mac(known: Known, frame: DataUp, f_cnt: int, receptions: list[Reception]) -> dict[str, Any]:
    commands = known.keys.payload(frame, f_cnt) if frame.port == 0 else known.keys.f_opts(frame, f_cnt)
    return {
        "devAddr": known.dev_addr,
        "fCnt": f_cnt,
        "fPort": frame.port,
        "confirmed": frame.confirmed,
        "macCommands": commands.hex(),
        "rxInfo": _told(receptions),
    }


def _join(frame: JoinRequest) -> dict[str, Any]:
    details: dict[str, Any] = {"devEui": frame.dev_eui, "devNonce": frame.nonce}
    if frame.join_eui is not None:
        details["joinEui"] = frame.join_eui
    if frame.rejoin is not None:
        details |= {"rejoinType": frame.rejoin, "netId": frame.net_id}
    return details
