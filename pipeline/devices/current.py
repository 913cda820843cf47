"""The device registry as it is now: plans look devices up here, and forget what they knew when a new one comes."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from weakref import WeakMethod

from pipeline.devices.registry import Device, Devices


class Directory:
    """Holds the registry that is in force; one for each worker."""

    def __init__(self, devices: Devices | None = None) -> None:
        self.devices = Devices() if devices is None else devices
        self._changed: dict[int, WeakMethod[Callable[[], None]]] = {}
        self._numbers = count()

    def find(self, name: object) -> Device | None:
        """Return the device that a message calls so: by its key, an alias or its DevEUI."""
        if isinstance(name, int) and not isinstance(name, bool):
            name = str(name)
        return self.devices.by_name(name) if isinstance(name, str) else None

    def on_change(self, call: Callable[[], None]) -> None:
        """Call back a method when another registry is in force, as long as its object is used by anybody else."""
        number = next(self._numbers)
        self._changed[number] = WeakMethod(call, lambda _: self._changed.pop(number, None))

    def take(self, devices: Devices) -> None:
        """Put another registry in force, between two messages."""
        self.devices = devices
        for each in list(self._changed.values()):
            if (call := each()) is not None:
                call()
