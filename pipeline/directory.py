"""The device registry as it is now: plans look devices up here, and forget what they knew when a new one comes."""

from __future__ import annotations

from collections.abc import Callable

from pipeline.devices import Device, Devices


class Directory:
    """Holds the registry that is in force; one for each worker."""

    def __init__(self, devices: Devices | None = None) -> None:
        self.devices = Devices() if devices is None else devices
        self._changed: list[Callable[[], None]] = []

    def find(self, name: object) -> Device | None:
        """Return the device that a message calls so: by its key, an alias or its DevEUI."""
        if isinstance(name, int) and not isinstance(name, bool):
            name = str(name)
        return self.devices.by_name(name) if isinstance(name, str) else None

    def on_change(self, call: Callable[[], None]) -> None:
        """Call back when another registry is in force."""
        self._changed.append(call)

    def take(self, devices: Devices) -> None:
        """Put another registry in force, between two messages."""
        self.devices = devices
        for call in self._changed:
            call()
