"""One child process of the demo: started, waited for, and ended by its own id only."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import Final

import pipeline
from pipeline.core.errors import StartError
from pipeline.demo import tied

_LOOKS: Final = 0.03


async def until(done: Callable[[], Awaitable[bool]], seconds: float) -> bool:
    """Look until it is done, or the time is over; return whether it is done."""
    deadline = monotonic() + seconds
    while True:
        if await done():
            return True
        if monotonic() > deadline:
            return False
        await asyncio.sleep(_LOOKS)


async def until_true(done: Callable[[], bool], seconds: float) -> bool:
    """Do the same with a question that needs no waiting."""

    async def ask() -> bool:
        return done()

    return await until(ask, seconds)


LOOPBACK: Final = "127.0.0.1"
_RANGE: Final = range(20_000, 32_000)  # below the range from which the kernel gives clients their own port


def free_ports(count: int) -> list[int]:
    """Return ports without a listener; chosen by chance, so that two demos at once hardly meet."""
    ports: list[int] = []
    while len(ports) < count:
        port = random.choice(_RANGE)  # noqa: S311 - no secret
        if port not in ports and _can_bind(port):
            ports.append(port)
    return ports


async def listens(port: int) -> bool:
    """Say whether a process accepts connections there."""
    try:
        _, writer = await asyncio.open_connection(LOOPBACK, port)
    except OSError:
        return False
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
    return True


def _can_bind(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True


_ROOT: Final = Path(str(pipeline.__file__)).parents[1]  # so that the children find the same package


class Part:
    """A command with a log file. Ctrl-C in the terminal does not reach it: the demo ends its parts in order."""

    def __init__(self, name: str, command: Sequence[str], log: Path) -> None:
        self.name = name
        self._log = log
        command = [sys.executable, "-I", "-S", tied.__file__, str(os.getpid()), *command]
        with log.open("ab") as output:
            self._process = subprocess.Popen(  # noqa: S603 - our own command, without a shell
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=_ROOT,
                start_new_session=True,
            )

    @property
    def exit_code(self) -> int | None:
        """None while it runs."""
        return self._process.poll()

    @property
    def ended(self) -> bool:
        """Whether it runs no more."""
        return self.exit_code is not None

    async def ready(self, ready: Callable[[], Awaitable[bool]], seconds: float) -> None:
        """Wait until it is ready.

        Raises:
            StartError: it ended, or is not ready in time; with the end of its log.
        """

        async def ready_or_gone() -> bool:
            return self.exit_code is not None or await ready()

        in_time = await until(ready_or_gone, seconds)
        if self.exit_code is not None or not in_time:
            how = "was not ready in time" if self.exit_code is None else f"ended with exit code {self.exit_code}"
            raise StartError(f"The demo's {self.name} {how}. The end of its log:\n{self.tail()}")

    async def terminate(self, seconds: float) -> int:
        """Ask it to end, wait, and kill it if that is not enough; return the exit code."""
        if self.exit_code is None:
            self._process.send_signal(signal.SIGTERM)
        await until_true(lambda: self.exit_code is not None, seconds)
        return self.kill()

    def kill(self) -> int:
        """End it at once if it still runs; return the exit code."""
        if self.exit_code is None:
            self._process.kill()
        return self._process.wait()

    def tail(self, lines: int = 15) -> str:
        """Return the end of its log."""
        return "\n".join(self._log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])
