"""What is counted of raw frames: what became of them, how well they were heard, and what each device's counter tells.

Nothing here is a metric by device or gateway: their number is the city's, and a metric's labels are closed lists.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import accumulate
from time import monotonic

from pipeline.core.delivery import Batch, Stage
from pipeline.core.recent import MOST_NAMES
from pipeline.lorawan.unwrap import Heard
from pipeline.sdk.uplink import Reception

_EACH = 1.0  # seconds
_MOST = 32  # uplinks of a batch, in less than a tenth of a millisecond


class RadioStatistics:
    """The receptions of one feed. rssi: dBm. snr: dB."""

    def __init__(self) -> None:
        self.rssi = Histogram(RSSI_BOUNDS)
        self.snr = Histogram(SNR_BOUNDS)


class RadioSampler(Stage[Heard]):
    """Before the stage of uplinks. radio: where what is sampled goes."""

    def __init__(self, out: Stage[Heard], radio: RadioStatistics) -> None:
        self._out, self._radio = out, radio
        self._next = 0.0

    def put(self, batch: Batch[Heard]) -> None:
        """Pass the batch on, and look at how it was heard if that is due."""
        now = monotonic()
        if now >= self._next:
            self._next = now + _EACH
            self._look(batch)
        self._out.put(batch)

    def _look(self, batch: Batch[Heard]) -> None:
        for uplink, _ in batch.items[:_MOST]:
            if uplink.raw:  # its receptions were counted when they came
                continue
            try:
                receptions = uplink.receptions()
            except Exception:  # noqa: BLE001, S112 - whoever makes its record says what is wrong with it
                continue
            self._radio.rssi.add([each.rssi for each in receptions])
            self._radio.snr.add([each.snr for each in receptions])

    def pending(self) -> int:
        """Say how many items wait behind here."""
        return self._out.pending()

    async def drain(self, deadline: float) -> None:
        """Pass on what waits behind here."""
        await self._out.drain(deadline)


RSSI_BOUNDS = tuple(range(-130, -40, 10))
SNR_BOUNDS = tuple(range(-20, 15, 5))
_MOST_GATEWAYS = 4096
_MOST_DEVICES = MOST_NAMES
_WIDEST_GAP = 16_384  # LoRaWAN 1.0.3, clause 2.1.1; a counter that jumps farther tells no more of what is missing
_LATE = 64  # frames that overtake each other are nearer than a device that counts from 0 again


class FrameOutcome(Enum):
    """What became of a transmission, or of a copy of one; the closed list shared by metrics and documentation."""

    UPLINK = "uplink"
    MAC = "mac"  # no application data: FPort 0, or none
    JOIN = "join"  # of a registered device
    JOIN_LIMITED = "join_limited"  # the same, more often than the device may be told of: most likely forged
    REDELIVERED = "redelivered"  # accepted in an earlier life of the process, and published again
    COPY = "copy"  # heard by another gateway, within the window
    LATE_COPY = "late_copy"  # after it
    RETRANSMISSION = "retransmission"  # the same frame once more: on another frequency, or much later
    RESET = "reset"  # the counter went back, and policy takes that for a restart of the device
    WENT_BACK = "went_back"  # the counter went back: a replay, or a restart that policy does not take
    FOREIGN = "foreign"  # no session has that DevAddr
    FOREIGN_JOIN = "foreign_join"
    MIC_INVALID = "mic_invalid"
    TOO_EXPENSIVE = "too_expensive"  # too many frames of its DevAddr wait for the tries that they take: a flood
    CRC_INVALID = "crc_invalid"
    FRAME_INVALID = "frame_invalid"

    __hash__ = object.__hash__  # members are counted by the million, and each is one object


class Histogram:
    """A histogram's counts: how many values were at most each bound, each value counted once.

    Attributes:
        bounds: The upper bounds of all buckets but the last, which has none.
        counts: How many values fell into each bucket.
        total: The sum of all values.
    """

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def add(self, values: Iterable[float | None]) -> None:
        """Count values; where there is none, nothing. Equal ones are sorted in at once: radios tell few."""
        for value, times in Counter(values).items():
            if value is not None:
                self.observe(value, times)

    def observe(self, value: float, times: int = 1) -> None:
        """Count one value, or as many that are equal."""
        self.counts[bisect_left(self.bounds, value)] += times
        self.total += value * times

    def cumulative(self) -> list[tuple[str, float]]:
        """Return the buckets as the exposition format wants them: each counts all that is at most its bound."""
        bounds = [*(str(float(bound)) for bound in self.bounds), "+Inf"]
        return [(bound, float(count)) for bound, count in zip(bounds, accumulate(self.counts), strict=True)]

    def __add__(self, other: Histogram) -> Histogram:
        """Return the counts of both, which have the same bounds."""
        both = Histogram(self.bounds)
        both.counts = [mine + theirs for mine, theirs in zip(self.counts, other.counts, strict=True)]
        both.total = self.total + other.total
        return both


class FrameStatistics:
    """One feed's counts of raw frames, for the life of the process.

    gateways: how many receptions each brought; those silent for longest are forgotten first. packets, packets_ok:
    what gateways have received by their own account, and of that with a right checksum. gateway_events_limited: what
    gateways said of themselves, or others in their name, and was too often to be told.
    """

    def __init__(self) -> None:
        self.outcomes = dict.fromkeys(FrameOutcome, 0)
        self.rssi = Histogram(RSSI_BOUNDS)
        self.snr = Histogram(SNR_BOUNDS)
        self.gateways: dict[str, int] = {}
        self.packets = self.packets_ok = 0
        self.gateway_events_limited = 0

    def count(self, outcome: FrameOutcome, times: int = 1) -> None:
        """Count what became of a transmission, or of several."""
        self.outcomes[outcome] += times

    def counted(self, packets: int, ok: int) -> None:
        """Add what a gateway has counted itself since it last said so: packets received, and right ones of them."""
        self.packets += packets
        self.packets_ok += ok

    def heard(self, receptions: Sequence[Reception]) -> None:
        """Count how gateways heard frames; those of a batch at once, which takes a third of the time."""
        self.rssi.add([reception.rssi for reception in receptions])
        self.snr.add([reception.snr for reception in receptions])
        gateways = self.gateways
        for gateway, times in Counter([reception.gateway for reception in receptions]).items():
            gateways[gateway] = gateways.pop(gateway, 0) + times  # as the newest
            if len(gateways) > _MOST_GATEWAYS:
                del gateways[next(iter(gateways))]


@dataclass(slots=True)
class FrameCounts:
    """What one device's frame counter tells.

    missing: frames that nobody has told us of, lost on air most likely; a late one is missing no more. refused: those
    of the received that made no record, or less than they hold: they were lost here, to the dead letters.
    """

    dev_addr: str = ""
    last: int = 0
    received: int = 0
    missing: int = 0
    duplicate: int = 0
    reset: int = 0
    refused: int = 0

    def text(self) -> str:
        """Return the counts for a person, as the Device entity has them."""
        told = f"frames received {self.received}, missing {self.missing}, duplicate {self.duplicate}"
        return f"{told}, reset {self.reset}, refused {self.refused}"


class DeviceFrameStatistics:
    """The frame counters of all devices; those not heard of for longest are forgotten first.

    total: the sum over all devices, forgotten ones too.
    """

    def __init__(self, most: int = _MOST_DEVICES) -> None:
        self.total = FrameCounts()
        self._devices: dict[str, FrameCounts] = {}
        self._most = most

    def received(self, counted: FrameCounts, dev_addr: str, f_cnt: int, *, reset: bool = False) -> None:
        """Count an accepted frame. A new DevAddr is a new session, of which nothing is known to be missing."""
        if f_cnt == counted.last + 1 and counted.dev_addr == dev_addr and not reset:
            counted.last = f_cnt  # as nearly always; it is what `_count` comes to
            counted.received += 1
            self.total.received += 1
        else:
            self._count(counted, dev_addr, f_cnt, reset=reset)

    def _count(self, counted: FrameCounts, dev_addr: str, f_cnt: int, *, reset: bool) -> None:
        missing = 0
        if reset:
            counted.reset += 1
            self.total.reset += 1
        elif counted.received and counted.dev_addr == dev_addr:
            gap = f_cnt - counted.last - 1
            missing = min(gap, _WIDEST_GAP) if gap >= 0 else -min(1, counted.missing)
            f_cnt = max(f_cnt, counted.last)
        counted.dev_addr, counted.last = dev_addr, f_cnt
        counted.received += 1
        counted.missing += missing
        self.total.received += 1
        self.total.missing += missing

    def told(self, counted: FrameCounts, dev_addr: str | None, f_cnt: int) -> None:
        """Count a frame that a network server has told of; it has refused replays itself.

        The same counter is a redelivery. One far back, of the same session, is a device that was reset.
        """
        if counted.received and counted.dev_addr == (dev_addr or ""):
            if f_cnt == counted.last + 1:
                counted.last = f_cnt
                counted.received += 1
                self.total.received += 1
                return
            if f_cnt == counted.last:
                counted.duplicate += 1
                self.total.duplicate += 1
                return
            self._count(counted, counted.dev_addr, f_cnt, reset=f_cnt < counted.last - _LATE)
        else:
            self._count(counted, dev_addr or "", f_cnt, reset=False)

    def duplicate(self, device: str) -> None:
        """Count a frame that came again."""
        self.refresh(device).duplicate += 1
        self.total.duplicate += 1

    def refused(self, counted: FrameCounts) -> None:
        """Count a frame that became a dead letter."""
        counted.refused += 1
        self.total.refused += 1

    def find(self, device: str) -> FrameCounts | None:
        """Return the counts of a device, or None."""
        return self._devices.get(device)

    def refresh(self, device: str) -> FrameCounts:
        """Return the counts of a device that speaks now: it is forgotten last, and made if it is new."""
        devices = self._devices
        counted = devices.pop(device, None) or FrameCounts()
        devices[device] = counted
        if len(devices) > self._most:
            del devices[next(iter(devices))]
        return counted
