"""What stands around the stages in these tests: a clock to move, a file that may be late, ends that wait."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from pipeline.config.feeds import FramePolicyConfig
from pipeline.core.budgets import Allowance
from pipeline.core.delivery import Batch, Delivery, Fate, Lane, Ledger, Message, Stage
from pipeline.core.errors import Reason, Refused
from pipeline.core.record import Record
from pipeline.devices.registry import CurrentRegistry, Device, DeviceRegistry
from pipeline.encode.dead_letter import DeadLetters, Refusals
from pipeline.lorawan.dedupe import Dedupe
from pipeline.lorawan.session_table import SessionTable
from pipeline.lorawan.sessions import FramePolicy, Sessions
from pipeline.lorawan.statistics import DeviceFrameStatistics, FrameStatistics
from pipeline.lorawan.tries import Tries
from pipeline.sdk.dialect import Event, Frame
from pipeline.sdk.uplink import Reception, Uplink

WINDOW = 0.5


class Alarm:
    def __init__(self, due: float, call: Callable[[], None]) -> None:
        self.due = due
        self.call = call
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


class Clock:
    """Stands in for the running loop: time passes when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.alarms: list[Alarm] = []

    def __enter__(self) -> "Clock":
        asyncio._set_running_loop(self)  # type: ignore[arg-type]
        return self

    def __exit__(self, *_: object) -> None:
        asyncio._set_running_loop(None)

    def time(self) -> float:
        return self.now

    def call_later(self, delay: float, call: Callable[[], None]) -> Alarm:
        alarm = Alarm(self.now + delay, call)
        self.alarms.append(alarm)
        return alarm

    def advance(self, seconds: float) -> None:
        end = self.now + seconds
        while due := [alarm for alarm in self.alarms if alarm.due <= end and not alarm.cancelled]:
            alarm = min(due, key=lambda each: each.due)
            self.alarms.remove(alarm)
            self.now = max(self.now, alarm.due)
            alarm.call()
        self.now = end


class File:
    """A store whose file is written when it is told to, or at once."""

    def __init__(self, written: dict[tuple[str, str], bytes] | None = None, *, late: bool = False) -> None:
        self.written = dict(written or {})
        self.values = dict(self.written)
        self.late = late
        self.waiting: list[Callable[[], None]] = []
        self.trouble = ""

    def get(self, table: str, key: str) -> bytes | None:
        return self.values.get((table, key))

    def items(self, table: str) -> Iterator[tuple[str, bytes]]:
        return ((key, value) for (place, key), value in list(self.values.items()) if place == table)

    def delete(self, table: str, key: str) -> None:
        del self.values[table, key]

    def put(self, table: str, key: str, value: bytes) -> None:
        self.values[table, key] = value

    def when_written(self, call: Callable[[], None], *, insist: bool = False) -> None:
        self.waiting.append(call)
        if not self.late and not (insist and self.trouble):
            self.write()

    def write(self) -> None:
        self.written = dict(self.values)
        waiting, self.waiting = self.waiting, []
        for call in waiting:
            call()


class End(Stage[Any]):
    """Keeps what it is given, until it is told to confirm."""

    def __init__(self, *, late: bool = False) -> None:
        self.late = late
        self.waiting: list[tuple[Delivery, list[Any]]] = []
        self.confirmed: list[Any] = []

    def put(self, batch: Batch[Any]) -> None:
        self.waiting.append((batch.delivery, batch.items))
        if not self.late:
            self.confirm()

    def confirm(self, at: int = 0) -> None:
        delivery, items = self.waiting.pop(at)
        self.confirmed += [item if isinstance(item, Record) else item[0] for item in items]
        dead = isinstance(items[0], Record)
        delivery.seal(Fate.DEAD_LETTERED if dead else Fate.PUBLISHED, len(items))

    def pending(self) -> int:
        return len(self.waiting)

    async def drain(self, deadline: float) -> None:
        pass

    def uplinks(self) -> list[Uplink]:
        return [each for each in self.confirmed if isinstance(each, Uplink)]

    def events(self) -> list[Event]:
        return [each for each in self.confirmed if isinstance(each, Event)]


class Dead:
    """Counts dead letters by reason."""

    def __init__(self) -> None:
        self.reasons: list[Reason] = []

    def dead_lettered(self, feed: str, reason: Reason) -> None:
        assert feed == "bridge"
        self.reasons.append(reason)


@dataclass
class Feed:
    """One feed's stages, with a lane of their own to receive on."""

    dedupe: Dedupe
    sessions: Sessions
    raw: FrameStatistics
    ledger: Ledger = field(default_factory=Ledger)
    acknowledged: list[object] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.lane: Lane[object] = self.new_lane()

    def new_lane(self) -> Lane[object]:
        return Lane(self.acknowledge, 10_000, ledger=self.ledger)

    def acknowledge(self, tokens: Sequence[object]) -> None:
        self.acknowledged += tokens

    def hear(self, *frames: Frame, token: object = None) -> None:
        items = [(frame, message(frame)) for frame in frames]
        self.dedupe.put(Batch(self.lane.receive(len(items), token), items))


class Worker:
    """One life of the process: feeds that share counters."""

    def __init__(
        self,
        devices: Sequence[Device],
        file: File | None = None,
        *,
        policy: FramePolicy | None = None,
        crc: Refused = "filter",
        late: bool = False,
        feeds: int = 1,
    ) -> None:
        self.file = file or File()
        self.directory = CurrentRegistry(DeviceRegistry(devices))
        self.counters = SessionTable(self.directory, self.file, Tries(lambda: asyncio.get_running_loop().time()))
        self.frames = DeviceFrameStatistics()
        self.joins = Allowance(1000)
        self.uplinks, self.events, self.letters = End(late=late), End(late=late), End(late=late)
        self.dead = Dead()
        letters = DeadLetters("acme", "acme.dead-letter.v1")
        refusals = Refusals("bridge", letters, self.letters, self.dead)
        self.feeds = [self._feed(policy or FramePolicyConfig(), crc, refusals) for _ in range(feeds)]

    def _feed(self, policy: FramePolicy, crc: Refused, refusals: Refusals) -> Feed:
        raw = FrameStatistics()
        sessions = Sessions(
            self.counters,
            self.file,
            uplinks=self.uplinks,
            events=self.events,
            policy=policy,
            ledger=raw,
            frames=self.frames,
            refusals=refusals,
            joins=self.joins,
        )
        return Feed(Dedupe(WINDOW, sessions, crc=crc, ledger=raw, refusals=refusals), sessions, raw)


def heard(
    phy: bytes, gateway: int = 1, frequency: int = 868_100_000, *, crc_ok: bool | None = True, gps: int | None = None
) -> Frame:
    reception = Reception(f"{gateway:016x}", rssi=-80.0 - gateway, snr=5.5, time=gps, gps=gps is not None)
    return Frame(phy, frequency, "SF7BW125", reception, crc_ok)


def message(frame: Frame) -> Message:
    return Message(f"eu868/gateway/{frame.reception.gateway}/event/up", frame.phy_payload, 1_700_000_000_000)
