"""The admin server: /metrics for Prometheus, /livez and /readyz for whoever restarts or routes to us."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from pipeline.errors import StartError
from pipeline.logs import Log

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

_LOG = Log(__name__)
_TEXT = "text/plain; charset=utf-8"
_CALLERS = 64  # connections at once: each is a descriptor that a broker's or Kafka's connection might need


class Admin:
    """Answers three questions over HTTP.

    exposition: the metrics as content type and text. not_ready: why messages do not flow now, one sentence each;
    empty when they do. `/livez` says only that the event loop turns: restarting cures nothing else.
    """

    def __init__(self, exposition: Callable[[], tuple[str, bytes]], not_ready: Callable[[], Sequence[str]]) -> None:
        self._exposition = exposition
        self._not_ready = not_ready
        self._server: _Server | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self, host: str, port: int) -> None:
        """Listen.

        Raises:
            StartError: the address cannot be had.
        """
        logging.getLogger("uvicorn").setLevel(logging.ERROR)  # it warns of each odd request, as often as one asks
        listener = _listen(host, port)
        _LOG.info("Metrics and health are served.", address=listener.getsockname()[0], port=listener.getsockname()[1])
        config = uvicorn.Config(
            self._answer, http=_Caller, ws="none", lifespan="off", interface="asgi3", log_config=None, access_log=False
        )
        self._server = _Server(config)
        self._task = asyncio.create_task(self._server.serve(sockets=[listener]), name="admin")

    async def stop(self) -> None:
        """Stop listening; answers under way are given up after a second."""
        if self._server is None or self._task is None:
            return
        self._server.should_exit = True
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._task, 1.0)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI's shape
        status, kind, body = self._content(scope["path"], scope["method"])
        headers = [(b"content-type", kind.encode()), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})

    def _content(self, path: str, method: str) -> tuple[int, str, bytes]:
        if method not in ("GET", "HEAD"):
            return 405, _TEXT, b"Expected GET.\n"
        match path:
            case "/metrics":
                kind, body = self._exposition()
                return 200, kind, body
            case "/livez":
                return 200, _TEXT, b"ok\n"
            case "/readyz":
                reasons = self._not_ready()
                return (503, _TEXT, "".join(f"{reason}\n" for reason in reasons).encode()) if reasons else _OK
        return 404, _TEXT, b"There are /metrics, /livez and /readyz.\n"


_OK = (200, _TEXT, b"ok\n")


class _Server(uvicorn.Server):
    """The signals are the application's: it drains before it exits."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class _Caller(H11Protocol):
    """One connection. Whoever comes when there are too many takes the place of the one that has been here longest.

    So nobody who opens connections and asks nothing can use up descriptors, or keep others from asking.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Make room."""
        super().connection_made(transport)
        self.since = self.loop.time()
        if len(self.connections) > _CALLERS:
            longest = min(self.connections, key=lambda caller: getattr(caller, "since", 0.0))
            self.connections.discard(longest)
            longest.transport.abort()


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen()  # now: whoever only binds shares a port with another that does, and answers nobody yet
    except OSError as error:
        listener.close()
        fix = "Change `admin.listen`, or end what listens there."
        text = f"The admin server cannot listen on {host}:{port} ({error.strerror}). {fix}"
        raise StartError(text) from error
    return listener
