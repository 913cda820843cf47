"""The admin server: /metrics for Prometheus, probes for supervisors and load balancers, and pages for people.

It only tells. Pages that tell more than a probe needs are guarded: where a token is set, they need it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from hmac import compare_digest
from typing import Any, NamedTuple, Protocol
from urllib.parse import parse_qs, urlsplit

import uvicorn
from h11 import LocalProtocolError
from uvicorn.protocols.http.h11_impl import H11Protocol

from pipeline.core.addresses import loopback
from pipeline.core.errors import StartError
from pipeline.core.logs import Log

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

_LOG = Log(__name__)
UNAUTHORIZED = 401
_READING = ("GET", "HEAD")
_LONGEST_QUERY = 1024
_TEXT = "text/plain; charset=utf-8"
_CALLERS = 64  # connections at once: each is a descriptor that a broker's or Kafka's connection might need


Answer = tuple[int, str, bytes]
"""Status, content type, body."""

_CLOSED: Answer = (
    UNAUTHORIZED,
    _TEXT,
    b"Expected the token of `admin.token_file`: Authorization: Bearer TOKEN\n",
)
_ELSEWHERE: Answer = (
    403,
    _TEXT,
    b"Expected the name 127.0.0.1, ::1 or localhost (Host): without `admin.token_file` it is for this machine only.\n",
)


class Page(NamedTuple):
    """What stands at one address.

    Attributes:
        guarded: The page needs the token.
    """

    answer: Callable[[], Answer]
    guarded: bool = False


def probe(reasons: Callable[[], Sequence[str]], degraded: Callable[[], Sequence[str]] = tuple) -> Page:
    """Return a page that says ok, or (503) why not, a sentence a line.

    Args:
        degraded: What wants mending all the same.
    """

    def answer() -> Answer:
        found, beside = reasons(), degraded()
        said = [*(found or ["ok, but degraded:" if beside else "ok"]), *beside]
        return 503 if found else 200, _TEXT, "".join(f"{line}\n" for line in said).encode()

    return Page(answer)


class Mounted(Protocol):
    """Answers some addresses itself, from `start` to `stop`."""

    def start(self) -> None:
        """Begin."""

    def stop(self) -> None:
        """End answers under way."""

    def has(self, path: str) -> bool:
        """Say whether it answers at that path."""

    def guarded(self, path: str) -> bool:
        """Say whether that path needs the token."""

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer; an ASGI application."""


class AdminServer:
    """Answers GET by address. A key `/path?word` is the page where the query has that word.

    Args:
        mounted: The status page.
        token: Gives what a caller must send as `Authorization: Bearer` (RFC 6750, section 2.1) for guarded pages; None:
            no token is needed. It is read at each such request, so that a new one counts at once.
    """

    def __init__(
        self, pages: Mapping[str, Page], token: Callable[[], str] | None = None, mounted: Mounted | None = None
    ) -> None:
        self.token = token
        self._mounted = mounted
        self._pages = pages
        self._server: _Server | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self, host: str, port: int) -> None:
        """Listen.

        Raises:
            StartError: the address cannot be had.
        """
        logging.getLogger("uvicorn").setLevel(logging.CRITICAL)  # it tells of each odd request, as often as one asks
        listener = _listen(host, port)
        _LOG.info("Metrics and health are served.", address=listener.getsockname()[0], port=listener.getsockname()[1])
        config = uvicorn.Config(
            self._served, http=_Caller, ws="none", lifespan="off", interface="asgi3", log_config=None, access_log=False
        )
        if self._mounted is not None:
            self._mounted.start()
        self._server = _Server(config)
        self._task = asyncio.create_task(self._server.serve(sockets=[listener]), name="admin")

    async def stop(self) -> None:
        """Stop listening; answers under way are given up after a second."""
        if self._server is None or self._task is None:
            return
        if self._mounted is not None:
            self._mounted.stop()
        self._server.should_exit = True
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._task, 1.0)

    async def _served(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._answer(scope, receive, send)
        except LocalProtocolError:
            pass  # what follows the head is no HTTP, and uvicorn has told the caller so
        except Exception:  # noqa: BLE001 - uvicorn answers 500
            _LOG.bug("The admin server cannot answer.")

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        path, mounted = scope["path"], self._mounted
        if mounted is not None and scope["method"] in _READING and mounted.has(path):
            closed = self._closed(scope["headers"]) if mounted.guarded(path) else None
            if closed is None:
                return await mounted.answer(scope, receive, send)
            status, kind, body = closed
        else:
            status, kind, body = self._content(scope)
        headers = [(b"content-type", kind.encode()), (b"content-length", str(len(body)).encode())]
        headers.append((b"x-content-type-options", b"nosniff"))  # sentences quote what brokers and configurations say
        if status == UNAUTHORIZED:
            headers.append((b"www-authenticate", b"Bearer"))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})
        return None

    def _content(self, scope: Scope) -> Answer:
        if scope["method"] not in _READING:
            return 405, _TEXT, b"Expected GET.\n"
        page = self._page(scope["path"], scope["query_string"].decode("latin-1"))
        if page is None:
            return 404, _TEXT, f"There are {', '.join(self._pages)}.\n".encode()
        closed = self._closed(scope["headers"]) if page.guarded else None
        return closed or page.answer()

    def _page(self, path: str, query: str) -> Page | None:
        words = parse_qs(query, keep_blank_values=True) if len(query) < _LONGEST_QUERY else {}
        named = (self._pages.get(f"{path}?{word}") for word in words)
        return next((page for page in named if page is not None), self._pages.get(path))

    def _closed(self, headers: Sequence[tuple[bytes, bytes]]) -> Answer | None:
        """Return the refusal for a request of a guarded page, or None if its token is right."""
        if self.token is None:
            return None if _asked_here(headers) else _ELSEWHERE
        try:
            wanted = self.token().encode()
        except StartError as problem:
            _LOG.error("The token of the admin server cannot be read: guarded pages are closed.", problem=str(problem))
            return _CLOSED
        sent = next((value for name, value in headers if name == b"authorization"), b"")
        scheme, _, token = sent.partition(b" ")
        return None if scheme.lower() == b"bearer" and compare_digest(token.strip(), wanted) else _CLOSED


def _asked_here(headers: Sequence[tuple[bytes, bytes]]) -> bool:
    """Say whether the caller called us by a name of this machine.

    A page from elsewhere, in a browser on this machine, can have its own name resolved to our address (DNS rebinding)
    and would then read what we answer; but it cannot change the name that the browser sends.
    """
    host = next((value for name, value in headers if name == b"host"), b"localhost").decode("latin-1")
    try:
        return loopback(urlsplit(f"//{host}").hostname or "")
    except ValueError:
        return False


class _Server(uvicorn.Server):
    """The signals are the application's: it drains before it exits."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class _Caller(H11Protocol):
    """One connection. A connection above the limit takes the place of the oldest.

    So connections that ask nothing can neither use up descriptors nor keep others from asking.
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
        listener.listen()  # now: two sockets may be bound to one port until one of them listens
    except (OSError, TypeError) as error:  # a name that IDNA does not allow is a TypeError
        listener.close()
        why = error.strerror if isinstance(error, OSError) else "this is no name of a host"
        fix = "Change `admin.listen`, or end what listens there."
        text = f"The admin server cannot listen on {host}:{port} ({why}). {fix}"
        raise StartError(text) from error
    return listener
