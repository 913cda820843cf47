"""Answers for the page: its files, the snapshot, and the snapshot once a second while a browser watches."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from importlib.resources import files
from time import monotonic, time
from typing import Any, Final

import orjson

from pipeline.core.clock import CLOCK
from pipeline.core.logs import Log
from pipeline.observe.page.recent import FigureHistory
from pipeline.observe.page.snapshot import Sources, snapshot

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

_LOG = Log(__name__)
WATCHERS: Final = 16
_EVENTS, _SNAPSHOT = "/events", "/snapshot.json"
_KINDS = {"html": "text/html", "css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
_CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "content-security-policy": _CSP,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-cache",
}


class StatusPage:
    """Looks once a second, from `start` to `stop`; makes the snapshot only while a browser watches."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._history = FigureHistory(sources.metrics)
        self._started = time()
        self._files = _read_files()
        self._fresh = asyncio.Event()
        self._event = b""
        self._watchers = 0
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to look."""
        self._task = asyncio.create_task(self._look(), name="page")

    def stop(self) -> None:
        """Stop looking, and end the streams of the browsers that watch."""
        if self._task is not None:
            self._task.cancel()
            self._task = None
        self._fresh.set()

    def has(self, path: str) -> bool:
        """Say whether `answer` knows that path."""
        return path in self._files or self.guarded(path)

    def guarded(self, path: str) -> bool:
        """Say whether that path is not for everybody; the files are those of every worker and tell nothing."""
        return path in (_EVENTS, _SNAPSHOT)

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a GET of one of the page's paths; an ASGI application."""
        path = scope["path"]
        if path != _EVENTS:
            kind, body = self._files[path] if path in self._files else ("application/json", self._snapshot())
            await _whole(send, 200, kind, body, told=scope["method"] == "HEAD")
        elif self._watchers >= WATCHERS:
            text = f"{WATCHERS} others watch already. Close a page, or try again later.\n"
            await _whole(send, 503, "text/plain", text.encode())
        elif scope["method"] == "HEAD":
            await _whole(send, 200, "text/event-stream", b"")
        else:
            await self._watch(receive, send)

    async def _watch(self, receive: Receive, send: Send) -> None:
        """Send the history, and then each snapshot; one that is slow to read misses some, and nothing piles up."""
        await send(_head(200, "text/event-stream"))
        gone = asyncio.create_task(_gone(receive))
        self._watchers += 1
        try:
            body = _event("history", list(self._history.points)) + _event("snapshot", self._made())
            while self._task is not None and not gone.done():
                await send({"type": "http.response.body", "body": body, "more_body": True})
                fresh = asyncio.create_task(self._fresh.wait())
                await asyncio.wait([fresh, gone], return_when=asyncio.FIRST_COMPLETED)
                fresh.cancel()
                body = self._event
        finally:
            self._watchers -= 1
            gone.cancel()
        await send({"type": "http.response.body", "body": b""})

    async def _look(self) -> None:
        while True:
            try:
                self._look_once()
            except Exception:  # noqa: BLE001 - a page that cannot be drawn must not be still for ever
                _LOG.bug("The status page could not be brought up to date.")
            await asyncio.sleep(1.0)

    def _look_once(self) -> None:
        self._sources.newest.look()
        self._sources.letters.look(samples=self._sources.about().samples)
        self._history.look(monotonic(), CLOCK.now())
        if self._watchers:
            self._event = _event("snapshot", self._made())
        self._fresh.set()
        self._fresh = asyncio.Event()

    def _made(self) -> dict[str, Any]:
        return snapshot(self._sources, self._history, self._started)

    def _snapshot(self) -> bytes:
        return orjson.dumps(self._made(), option=orjson.OPT_APPEND_NEWLINE)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _event(name: str, value: object) -> bytes:
    """Write a server-sent event (WHATWG HTML, clause 9.2); JSON has no line break in it."""
    return b"event: " + name.encode() + b"\ndata: " + orjson.dumps(value) + b"\n\n"


def _head(status: int, kind: str, **more: str) -> dict[str, Any]:
    headers = {"content-type": f"{kind}; charset=utf-8", **_HEADERS, **more}
    pairs = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return {"type": "http.response.start", "status": status, "headers": pairs}


async def _whole(send: Send, status: int, kind: str, body: bytes, *, told: bool = False) -> None:
    await send(_head(status, kind, content_length=str(len(body))))
    await send({"type": "http.response.body", "body": b"" if told else body})


def _read_files() -> dict[str, tuple[str, bytes]]:
    found = [each for each in files("pipeline.observe.page").joinpath("static").iterdir() if each.is_file()]
    answers = {f"/{each.name}": (_KINDS[each.name.rpartition(".")[2]], each.read_bytes()) for each in found}
    return {**answers, "/": answers.pop("/index.html")}
