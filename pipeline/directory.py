"""The device registry as it is now: plans look devices up here, and forget what they knew when a new one comes."""

from __future__ import annotations

from collections.abc import Callable
from weakref import WeakMethod

from pipeline.devices import Device, Devices


class Directory:
    """Holds the registry that is in force; one for each worker."""

    def __init__(self, devices: Devices | None = None) -> None:
        self.devices = Devices() if devices is None else devices
        self._changed: list[WeakMethod[Callable[[], None]]] = []

    def find(self, name: object) -> Device | None:
        """Return the device that a message calls so: by its key, an alias or its DevEUI."""
        if isinstance(name, int) and not isinstance(name, bool):
            name = str(name)
        return self.devices.by_name(name) if isinstance(name, str) else None

    def on_change(self, call: Callable[[], None]) -> None:
        """Call back a method when another registry is in force, as long as its object is used by anybody else."""
        self._changed = [each for each in self._changed if each() is not None]
        self._changed.append(WeakMethod(call))

    def take(self, devices: Devices) -> None:
        """Put another registry in force, between two messages."""
        self.devices = devices
        for each in self._changed:
            if (call := each()) is not None:
                call()
