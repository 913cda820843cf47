"""The process and its keeper: systemd is told how it is, and memory is handed back."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import os
import re
import socket
from collections.abc import Mapping
from contextlib import suppress
from time import clock_gettime_ns
from typing import Final, Protocol

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # mallopt(3), glibc
_TRIM_BYTES, _MMAP_BYTES = 64 * 1024**2, 32 * 1024**2


def settle() -> None:
    """Call once everything long-lived is made.

    glibc gives each freed chunk of 256 KiB back to the kernel and faults it in anew for the next: 0.5 us a message.
    And messages make no cycles, so looking for cycles at each 700th allocation finds nothing.
    """
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):
        libc.mallopt(_TRIM_THRESHOLD, _TRIM_BYTES)
        libc.mallopt(_MMAP_THRESHOLD, _MMAP_BYTES)
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


_LOOK = 0.2  # seconds, until it is ready
_TELL = 5.0  # seconds between status lines
_SHORTEST = 0.05  # seconds; a watchdog that wants to hear more often than the loop can tell leaves it no time to work
_LONGEST = 1000  # characters of the status: systemd takes no datagram above 4096 bytes, with all that is in it
_MICROSECONDS = re.compile(r"[0-9]{1,15}")
_EXTEND: Final = 30  # seconds that a start or a stop may take longer, from each request on


class Told(Protocol):
    """The health that systemd is told."""

    @property
    def started(self) -> bool:
        """Whether every feed has had its subscription."""

    @property
    def draining(self) -> bool:
        """Whether it stops."""

    def status(self) -> str:
        """Return one line for `systemctl status`."""


class Systemd:
    """The service's side of the notify protocol.

    Args:
        environment: NOTIFY_SOCKET, WATCHDOG_USEC, WATCHDOG_PID.
    """

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        address = environment.get("NOTIFY_SOCKET", "")
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) if address else None
        self._watchdog = _watchdog(environment)

    def tell(self, *lines: str) -> None:
        """Send lines; one that systemd does not take now is not waited for."""
        if self._socket is not None:
            with suppress(OSError):
                self._socket.sendto("\n".join(lines).encode(errors="replace"), socket.MSG_DONTWAIT, self._address)

    async def run(self, health: Told) -> None:
        """Tell readiness, status and, from the event loop that does the work, that we live; until cancelled."""
        ready, extended = False, 0.0
        clock = asyncio.get_running_loop().time
        while self._socket is not None:
            if health.started and not ready:
                ready = True
                self.tell("READY=1")
            lines = [f"STATUS={_one_line(health.status())}", "WATCHDOG=1"]
            if (not ready or health.draining) and clock() - extended >= 1.0:
                extended = clock()
                lines.append(f"EXTEND_TIMEOUT_USEC={_EXTEND * 1_000_000}")  # what it waits for is outside
            self.tell(*lines)
            pause = _TELL if ready and not health.draining else _LOOK
            await asyncio.sleep(max(_SHORTEST, min(self._watchdog / 2, pause)))

    def reloading(self) -> None:
        """Tell that a reload begins; `reloaded` follows, whatever comes of it."""
        self.tell("RELOADING=1", f"MONOTONIC_USEC={clock_gettime_ns(1) // 1000}")  # 1: CLOCK_MONOTONIC

    def reloaded(self) -> None:
        """Tell that the reload is over."""
        self.tell("READY=1")

    def stopping(self) -> None:
        """Tell that the stop begins."""
        self.tell("STOPPING=1")

    def close(self) -> None:
        """Tell no more."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def _watchdog(environment: Mapping[str, str]) -> float:
    """Return the seconds within which systemd wants to hear from this very process; infinite without a watchdog."""
    wanted = environment.get("WATCHDOG_USEC", "")
    ours = environment.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
    seconds = int(wanted) / 1e6 if _MICROSECONDS.fullmatch(wanted) and ours else 0.0
    return seconds or float("inf")


def _one_line(status: str) -> str:
    """Return what cannot be taken for another line of the protocol, nor makes systemd leave out all of it."""
    return " ".join(status.split())[:_LONGEST]
