"""The worker's watch over silent devices and gateways: looked for, said, and noted where a person can look.

`headrace devices silent` reads the file that the worker writes behind, a few seconds after somebody fell silent or
spoke again.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from dataclasses import replace as changed
from functools import partial
from itertools import islice
from pathlib import Path
from time import monotonic
from typing import Literal, Protocol
from urllib.parse import quote, unquote

import orjson
from pydantic import TypeAdapter

from pipeline.core import times
from pipeline.core.clock import CLOCK
from pipeline.core.delivery import Batch, Lane, Message, Stage
from pipeline.core.files import content, replace, rows
from pipeline.core.logs import Log
from pipeline.core.record import Record
from pipeline.core.threads import run_detached
from pipeline.devices.registry import DeviceRegistry
from pipeline.devices.silence import Kind, LastSeen, SilenceDetector, SilencePolicy, SilentDevice
from pipeline.encode.device_event import About, event_record
from pipeline.state.store import Store

_TABLE = "silent-event"
_AT_ONCE = 500
SILENT, BACK = "silent", "back"


class SilentEvents:
    """For use on the event loop's thread. tell: whose events go to which topic, as (tenant, topic); None: nobody's.

    clock: milliseconds since 1970 UTC.
    """

    def __init__(self, store: Store, publisher: Stage[Record], clock: Callable[[], int]) -> None:
        self.tell: tuple[str, str] | None = None
        self._store = store
        self._publisher = publisher
        self._clock = clock
        self._waiting: dict[str, bytes] = dict(store.items(_TABLE))
        self._lane: Lane[Sequence[tuple[str, bytes]]] = Lane(self._confirmed, 2 * _AT_ONCE)

    def note(self, who: SilentDevice, key: str, *, back: bool) -> None:
        """Take note of one that is silent from now on, or of one that is back; the last word of each goes out.

        key: as in entity ids.
        """
        if self.tell is None:
            return
        kind, happened, since = (BACK, who.last, who.last) if back else (SILENT, self._clock(), who.since)
        gateway = who.name if who.kind == "gateway" else None
        told = orjson.dumps([kind, key, since, happened, gateway, who.last, who.interval, who.known])
        kept = bytes(memoryview(told))  # a copy of its own size: what orjson returns occupies 4 KiB
        place = f"{who.kind}:{who.name}"
        self._waiting.pop(place, None)
        self._waiting[place] = kept
        self._store.put(_TABLE, place, kept)

    def send(self) -> None:
        """Hand some of what waits to the publisher, unless it still has some."""
        if self.tell is None or not self._waiting or self._lane.in_flight():
            return
        some = list(islice(self._waiting.items(), _AT_ONCE))
        records = [record for _, kept in some if (record := self._record(kept, *self.tell)) is not None]
        if records:
            self._publisher.put(Batch(self._lane.receive(len(records), some), records))
        else:
            self._confirmed([some])

    def _record(self, kept: bytes, tenant: str, topic: str) -> Record | None:
        """Return what is told; None of what was damaged, or kept by another version."""
        try:
            kind, key, since, happened, gateway, last, interval, known = orjson.loads(kept)
            about = About(tenant, topic, "", str(kind), str(key), int(happened))
            moment = times.text(about.observed).decode()
            heard = times.text(int(last)).decode() if last else None
        except (ValueError, TypeError, OverflowError):
            return None
        value = {
            "event": kind,
            "subject": about.subject,
            "time": moment,
            **({} if gateway is None else {"gateway": gateway}),
            "details": {"lastHeard": heard, "expectedEvery": interval, "expectedBy": known},
        }
        text = orjson.dumps(value)
        return event_record(about, text, str(since), Message(f"headrace/{kind}/{key}", text, self._clock()))

    def _confirmed(self, batches: Sequence[Sequence[tuple[str, bytes]]]) -> None:
        for batch in batches:
            for place, kept in batch:
                if self._waiting.get(place) == kept:  # otherwise something newer waits
                    del self._waiting[place]
                    self._store.delete(_TABLE, place)


_LOG = Log(__name__)
_FILE = "silent-devices.json"
_MOST = 5000
_MOST_GATEWAYS = 4096
_LOOK_SECONDS = 5.0
_SAY_SECONDS = 60.0
_SET = 5000  # ms between two looks; a clock that is slewed does not change so fast
_SHOWN = 5
_ROWS = TypeAdapter(list[SilentDevice])


def now() -> int:
    """Return milliseconds since 1970 UTC."""
    return CLOCK.now()


class HearsGateways(Protocol):
    """What counts the receptions of each gateway."""

    @property
    def gateways(self) -> Mapping[str, int]:
        """Receptions by gateway."""


class SilenceWatch:
    """Devices and gateways that are overdue; for use on the event loop's thread. events: who tells Kafka, if anybody.

    folder: where the list is; None: nowhere. raw: by feed, how many receptions each gateway brought. clock:
    milliseconds since 1970 UTC. steady: seconds, by a clock that nobody sets.
    """

    def __init__(
        self,
        store: Store,
        folder: Path | None,
        raw: Mapping[str, HearsGateways],
        clock: Callable[[], int] = now,
        steady: Callable[[], float] = monotonic,
    ) -> None:
        self.devices = SilenceDetector("seen", store, clock)
        self.gateways = SilenceDetector("seen-gateway", store, clock, _MOST_GATEWAYS)
        self._file = None if folder is None else folder / _FILE
        self._raw = raw
        self._receptions: dict[str, int] = {}
        self._clock = clock
        self._steady = steady
        self._offset = self._clock_offset()
        self._fresh: DeviceRegistry | None = None
        self._begun = False
        self._unwritten = True
        self._quiet_until = 0.0
        self._broken = False
        self.events: SilentEvents | None = None
        self.devices.turned = lambda seen: self._turned("device", seen)
        self.gateways.turned = lambda seen: self._turned("gateway", seen)

    def find(self, key: str, called: tuple[str, ...]) -> LastSeen:
        """Return what is known of a device that speaks. key: as in entity ids. called: its connector and model."""
        return self.devices.find(key, called)

    def gateway(self, name: str, arrival: int) -> None:
        """Take note that a gateway told of itself. arrival: milliseconds since 1970 UTC."""
        self.gateways.find(name).last = arrival

    def configure(self, patience: SilencePolicy, devices: DeviceRegistry) -> None:
        """Have that patience from now on, and expect the devices of this registry from the next look on."""
        self.devices.patience = patience
        self.gateways.patience = changed(patience, intervals={})
        self._fresh = devices

    async def run(self) -> None:
        """Look each few seconds, until cancelled."""
        while True:
            for _ in self.look():
                await asyncio.sleep(0)
            self.say()
            if self.events is not None:
                self.events.send()
            if self._unwritten:
                self._unwritten = False
                await run_detached(partial(self._write, self._listed()))
            await asyncio.sleep(_LOOK_SECONDS)

    def look(self) -> Iterator[None]:
        """Look through all once; pauses after each slice."""
        yield from self._set_clock()
        fresh, self._fresh = self._fresh, None
        if fresh is not None:
            yield from self.devices.take(fresh)
        if not self._begun:
            self._begun = True
            yield from self.devices.restore()
            yield from self.gateways.restore()
        self._hear()
        for each in (self.devices, self.gateways):
            yield from each.look()
            self._unwritten = self._unwritten or each.changed
            each.changed = False

    def _clock_offset(self) -> int:
        return self._clock() - round(self._steady() * 1000)

    def _set_clock(self) -> Iterator[None]:
        """Take note that the clock was set, as a gateway's without a battery is, once a time server answers.

        Else all devices would be overdue at once, or none for as long as the clock was ahead.
        """
        before, self._offset = self._offset, self._clock_offset()
        by = self._offset - before
        if abs(by) > _SET:
            _LOG.warning(
                "The clock was set. Who is silent is judged as if it had been right before.", seconds=by / 1000
            )
            for each in (self.devices, self.gateways):
                yield from each.set_clock(by)
            self._unwritten = True

    def _turned(self, kind: Kind, seen: LastSeen) -> None:
        if self.events is not None:
            key = seen.key if kind == "device" else quote(seen.key, safe="")
            self.events.note(self._row(kind, seen), key, back=not seen.silent)

    def _hear(self) -> None:
        """Take note of gateways that brought frames since the last look."""
        heard = self._receptions
        for ledger in self._raw.values():
            for gateway, count in ledger.gateways.items():
                if heard.get(gateway) != count:
                    self.gateways.find(gateway).last = self._clock()
        self._receptions = {gateway: n for ledger in self._raw.values() for gateway, n in ledger.gateways.items()}

    def say(self) -> None:
        """Log who fell silent and who is back, once a minute."""
        moment = self._steady()
        if moment < self._quiet_until:
            return
        for kind, each in (("device", self.devices), ("gateway", self.gateways)):
            if each.gone:
                told = {"kind": kind, "count": len(each.gone), "all": len(each.silent), "first": _first(each.gone)}
                _LOG.warning("Overdue: `headrace devices silent CONFIG` says more.", **told)
            if each.back:
                _LOG.info("Back again after a silence.", kind=kind, count=len(each.back), first=_first(each.back))
            if each.gone or each.back:
                self._quiet_until = moment + _SAY_SECONDS
                each.gone, each.back = [], []

    def latest(self, most: int) -> list[SilentDevice]:
        """Return so many gateways, and so many devices, that fell silent of late."""
        groups: tuple[tuple[Kind, SilenceDetector], ...] = (("gateway", self.gateways), ("device", self.devices))
        return [self._row(kind, seen) for kind, each in groups for seen in islice(reversed(each.silent.values()), most)]

    def _listed(self) -> list[tuple[Kind, LastSeen]]:
        found: list[tuple[Kind, LastSeen]] = []
        found += [("gateway", seen) for seen in islice(reversed(self.gateways.silent.values()), _MOST_GATEWAYS)]
        found += [("device", seen) for seen in islice(reversed(self.devices.silent.values()), _MOST)]
        return found

    def _row(self, kind: Kind, seen: LastSeen) -> SilentDevice:
        known: Literal["configured", "learned"] | None = (
            "configured" if seen.interval else "learned" if seen.learned else None
        )
        interval = seen.interval or seen.learned or self.devices.patience.interval
        return SilentDevice(kind, unquote(seen.key), seen.last, seen.since, interval, known or "assumed")

    def _write(self, listed: list[tuple[Kind, LastSeen]]) -> None:
        if self._file is None:
            return
        text = json.dumps([asdict(self._row(kind, seen)) for kind, seen in listed])
        try:
            replace(self._file, text)
            self._broken = False
        except OSError as problem:
            if not self._broken:
                _LOG.warning("Silent devices cannot be noted.", file=self._file, error=problem.strerror)
            self._broken = True

    def close(self) -> None:
        """Keep what is new, for the last time."""
        self.devices.close()
        self.gateways.close()


def unreadable(folder: Path) -> str:
    """Say why nothing can be known of this folder; empty where a worker has looked, as it does in its first seconds."""
    try:
        content(folder / _FILE)
    except OSError as problem:
        return problem.strerror or str(problem)
    return ""


def read(folder: Path) -> list[SilentDevice]:
    """Return what a worker has noted in its state folder, those of late first; nothing without a usable file."""
    return rows(folder / _FILE, _ROWS)


def _first(keys: list[str]) -> list[str]:
    return [unquote(key) for key in keys[:_SHOWN]]
