"""The event loop of a worker and of commands: names are looked up in threads that the end of the process leaves behind.

asyncio looks names up in its executor and uvloop in libuv's threads; both are joined when the process ends. A name
server that does not answer holds such a thread for 20 s by the resolver's defaults, and for minutes by others.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable, Coroutine
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, TypeVar

import uvloop

from pipeline.core.threads import run_detached

_ECHO_SECONDS = 0.5

T = TypeVar("T")
Lookup = tuple[Any, ...]

if TYPE_CHECKING:
    _Loop = asyncio.AbstractEventLoop
else:
    _Loop = object


class _Resolving(_Loop):
    """Looks a name up once at a time: calls that come while an answer is awaited share it, and its thread."""

    _lookups: dict[Lookup, asyncio.Task[list[Any]]]

    async def getaddrinfo(
        self,
        host: Any,  # noqa: ANN401 - as asyncio's
        port: Any,  # noqa: ANN401
        *,
        family: int = 0,
        type: int = 0,  # noqa: A002
        proto: int = 0,
        flags: int = 0,
    ) -> list[Any]:
        """Look a name up (asyncio calls it wherever a host is named)."""
        question = (host, port, family, type, proto, flags)
        lookups = self.__dict__.setdefault("_lookups", {})
        if question not in lookups:
            lookups[question] = self.create_task(run_detached(partial(socket.getaddrinfo, *question)))
            lookups[question].add_done_callback(lambda _: lookups.pop(question))
        return list(await asyncio.shield(lookups[question]))


class _Asyncio(_Resolving, asyncio.SelectorEventLoop):
    """asyncio's own loop."""


class _Uvloop(_Resolving, uvloop.Loop):  # type: ignore[misc]
    """uvloop, whose connections would be looked up in libuv's threads."""

    async def create_connection(
        self,
        protocol_factory: Callable[[], Any],
        host: str | None = None,
        port: int | None = None,
        **how: Any,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401
        """Connect to the first address of a name that accepts."""
        if host is None:
            return await super().create_connection(protocol_factory, **how)
        if how.get("ssl"):
            how.setdefault("server_hostname", host)
        refusal = OSError(f"{host} has no address")
        for found in await self.getaddrinfo(host, port, type=socket.SOCK_STREAM):
            try:
                return await super().create_connection(protocol_factory, *found[-1][:2], **how)
            except ssl.SSLError:  # it accepted, and is not what was expected
                raise
            except OSError as refused:
                refusal = refused
        raise refusal


LOOPS: Final[dict[str, Callable[[], asyncio.AbstractEventLoop]]] = {"uvloop": _Uvloop, "asyncio": _Asyncio}
"""The two, by the names that `--loop` takes."""


def run(work: Coroutine[Any, Any, T], loop: str = "asyncio") -> T:
    """As `asyncio.run`, on one of LOOPS."""
    with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
        return runner.run(work)


class StopWish:
    """Tells a second wish to stop, which means at once, from the echo of the first.

    One Ctrl-C may come twice: `timeout` signals the process and then its group, and a terminal signals each process of
    its group while `make` passes its own signal on.
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._first: float | None = None

    def again(self) -> bool:
        """Note a signal, and return whether it is a second wish."""
        now = self._clock()
        if self._first is None:
            self._first = now
        return now - self._first > _ECHO_SECONDS
