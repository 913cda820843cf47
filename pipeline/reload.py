"""The device registry, read again while messages flow: SIGHUP asks, and a file that cannot be used changes nothing.

The file is read and judged in a thread of its own, so feeds and acknowledgements go on meanwhile; the new registry is
handed over on the event loop's thread, between two messages, to all that look devices up.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from pipeline.devices import Devices, TakesDevices
from pipeline.errors import HeadraceError
from pipeline.logs import Log
from pipeline.notify import Systemd

_LOG = Log(__name__)


class Reload:
    """Reads the registry again when asked. read: raises HeadraceError with what is wrong; None without a registry."""

    def __init__(
        self, read: Callable[[], Devices] | None, takers: Sequence[TakesDevices], systemd: Systemd | None = None
    ) -> None:
        self._systemd = systemd or Systemd({})
        self._read = read
        self._takers = takers
        self._asked = asyncio.Event()

    def ask(self) -> None:
        """Read the registry again, once what is being read now is done; never blocks."""
        if self._read is None:
            _LOG.warning("SIGHUP: the configuration names no device registry, so there is none to reload.")
        self._asked.set()

    async def run(self) -> None:
        """Serve what is asked, until cancelled."""
        while True:
            await self._asked.wait()
            self._asked.clear()
            self._systemd.reloading()
            if self._read is not None:
                await self._once(self._read)
            self._systemd.reloaded()

    async def _once(self, read: Callable[[], Devices]) -> None:
        try:
            devices = await asyncio.to_thread(read)
        except HeadraceError as problem:
            _LOG.error("SIGHUP: the device registry was not reloaded.", problem=str(problem).splitlines())
            return
        except Exception:  # noqa: BLE001 - logged; messages go on with the registry in use
            _LOG.bug("SIGHUP: the device registry was not reloaded, by a bug of ours. Please report it.")
            return
        for each in self._takers:
            each.take(devices)
        _LOG.info("SIGHUP: the device registry is reloaded.", devices=len(devices))
