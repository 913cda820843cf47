"""Devices that were refused because they are not registered: counted, bounded, and kept for an operator to see.

`headrace devices unknown` reads the file that the worker writes behind, each few seconds at most. What is lost with a
killed process is the last of these seconds; every refused uplink is a dead letter besides.
"""

from __future__ import annotations

import asyncio
import json
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from threading import Lock
from time import monotonic
from typing import Annotated, Any

from pydantic import AfterValidator, TypeAdapter

from pipeline.core.files import Moment, replace, rows
from pipeline.core.logs import Log
from pipeline.core.threads import run_detached
from pipeline.devices.registry import DeviceRegistry
from pipeline.sdk.uplink import Names

_LOG = Log(__name__)
_FILE = "unknown-devices.json"
_MOST = 1000
_WRITE_SECONDS = 5.0
_SAY_SECONDS = 60.0
_SHOWN = 5
_LONGEST = 100  # characters of what a server calls a device
_MOST_TAGS = 10


def _only_tags_are_several(called: Mapping[str, object]) -> Mapping[str, object]:
    if any(isinstance(told, Mapping) is not (what == "tags") for what, told in called.items()):
        raise ValueError("is no mapping of texts, and tags")
    return called


@dataclass(slots=True)
class UnknownDevice:
    """One device. count: refused uplinks; first, last: arrival, in milliseconds since 1970 UTC.

    called: what its network server calls it: `name`, `brand`, `model`, `profile`, `application`, `tags`, where told.
    """

    device: str
    count: int = 0
    first: Moment = 0
    last: Moment = 0
    called: Annotated[Mapping[str, str | Mapping[str, str]], AfterValidator(_only_tags_are_several)] = field(
        default_factory=dict
    )


_ROWS = TypeAdapter(list[UnknownDevice])


class UnknownDevices:
    """The devices that were refused, the latest if there are more than `most`; for use on the event loop's thread.

    folder: where they outlive the process; None: they do not.
    """

    def __init__(self, folder: Path | None, *, most: int = _MOST, clock: Callable[[], float] = monotonic) -> None:
        self._file = None if folder is None else folder / _FILE
        self._most = most
        self._clock = clock
        self._devices = OrderedDict((each.device, each) for each in ([] if folder is None else read(folder)))
        self._changed = False
        self._fresh: dict[str, int] = {}
        self._silent_until = 0.0
        self._broken = False
        self._writing = Lock()

    def note(self, eui: str, names: Names, arrival: int) -> None:
        """Count one refused uplink of a device. arrival: milliseconds since 1970 UTC."""
        device = self._devices.get(eui)
        if device is None:
            device = self._devices[eui] = UnknownDevice(eui, first=arrival)
            if len(self._devices) > self._most:
                self._devices.popitem(last=False)
        device.count += 1
        device.last = arrival
        device.called = _called(names)
        self._devices.move_to_end(eui)
        if eui in self._fresh or len(self._fresh) < self._most:
            self._fresh[eui] = self._fresh.get(eui, 0) + 1
        self._changed = True

    def take(self, devices: DeviceRegistry) -> None:
        """Forget what the new registry knows."""
        for eui in [eui for eui in self._devices if devices.by_name(eui) is not None]:
            del self._devices[eui]
            self._changed = True

    def __iter__(self) -> Iterator[UnknownDevice]:
        return iter(self._devices.values())

    async def run(self) -> None:
        """Write and say what is new, each few seconds, until cancelled."""
        while True:
            await asyncio.sleep(_WRITE_SECONDS)
            self.say()
            if self._changed:
                text = self._text()
                await run_detached(partial(self._write, text))

    def close(self) -> None:
        """Write what is new for the last time."""
        if self._changed:
            self._write(self._text())

    def say(self) -> None:
        """Log which devices were refused since the last time, once a minute."""
        now = self._clock()
        if not self._fresh or now < self._silent_until:
            return
        _LOG.warning(
            "Uplinks of unknown devices are refused; `headrace devices unknown CONFIG` says more.",
            uplinks=sum(self._fresh.values()),
            devices=len(self._fresh),
            first=list(self._fresh)[:_SHOWN],
        )
        self._fresh.clear()
        self._silent_until = now + _SAY_SECONDS

    def _text(self) -> str:
        self._changed = False
        return json.dumps([asdict(device) for device in self._devices.values()])

    def _write(self, text: str) -> None:
        if self._file is None:
            return
        with self._writing:  # the last write may come while the one before is still under way
            try:
                replace(self._file, text)
                self._broken = False
            except OSError as problem:
                if not self._broken:
                    _LOG.warning("Unknown devices cannot be noted.", file=self._file, error=problem.strerror)
                self._broken = True


def read(folder: Path) -> list[UnknownDevice]:
    """Return what a worker has noted in its state folder, the latest last; nothing where there is no usable file."""
    return rows(folder / _FILE, _ROWS)


def _called(names: Names) -> dict[str, Any]:
    told = ("name", "brand", "model", "profile", "application")
    texts = {what: text[:_LONGEST] for what in told if isinstance(text := getattr(names, what), str) and text}
    tags = {str(key)[:_LONGEST]: str(value)[:_LONGEST] for key, value in list(names.tags.items())[:_MOST_TAGS]}
    return {**texts, "tags": tags} if tags else texts
