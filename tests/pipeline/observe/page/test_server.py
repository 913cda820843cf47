"""How the page is served: its files, who may see what, and the snapshot once a second to few at a time."""

from __future__ import annotations

import asyncio
import http.client
import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any

import orjson
import pytest

from pipeline.http.server import AdminServer
from pipeline.observe.metrics import Metrics
from pipeline.observe.page import LatestEntities, RecentDeadLetters, Sources, StatusPage
from pipeline.observe.page.server import WATCHERS
from pipeline.observe.page.snapshot import ConfigSummary
from tests.support.ports import LOOPBACK, free_port

TOKEN = "0123456789abcdef"


@asynccontextmanager
async def serving(
    token: Callable[[], str] | None = None,
    not_ready: Callable[[], list[str]] = lambda: ["Away."],
    port: int | None = None,
) -> AsyncIterator[int]:
    port = free_port() if port is None else port
    page = StatusPage(
        Sources(
            lambda: ConfigSummary("ghent"), Metrics("1", []), not_ready, RecentDeadLetters(), LatestEntities(), list
        )
    )
    admin = AdminServer({}, token, page)
    await admin.start(LOOPBACK, port)
    try:
        yield port
    finally:
        await admin.stop()


def asked(port: int, path: str, method: str = "GET", **headers: str) -> tuple[int, Mapping[str, str], bytes]:
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=30)
    try:
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    finally:
        connection.close()


class Watcher:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self._writer = reader, writer

    async def event(self, name: str) -> Any:
        async with asyncio.timeout(30):
            while f"event: {name}\n".encode() != await self.reader.readline():
                pass
            return orjson.loads((await self.reader.readline()).removeprefix(b"data: "))

    async def leave(self) -> None:
        self._writer.close()
        with suppress(ConnectionError):
            await self._writer.wait_closed()


@asynccontextmanager
async def watching(port: int, count: int = 1) -> AsyncIterator[list[Watcher]]:
    watchers = [Watcher(*await asyncio.open_connection(LOOPBACK, port)) for _ in range(count)]
    for each in watchers:
        each._writer.write(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
    yield watchers
    for each in watchers:
        await each.leave()


def test_the_files_are_all_the_browser_needs() -> None:
    async def ask() -> None:
        async with serving() as port:
            status, headers, body = await asyncio.to_thread(asked, port, "/")
            assert (status, headers["content-type"]) == (200, "text/html; charset=utf-8")
            assert headers["content-security-policy"].startswith("default-src 'none'; script-src 'self';")
            assert "unsafe" not in headers["content-security-policy"]
            found = set(re.findall(rb'(?:src|href)="([\w.]+)"', body)) - {b"metrics"}
            assert found == {b"mark.svg", b"page.css", b"page.js"}
            for name in ("mark.svg", "page.css", "page.js"):
                _, _, text = await asyncio.to_thread(asked, port, f"/{name}")
                assert b"http://" not in text.replace(b"http://www.w3.org/2000/svg", b"")
                for module in re.findall(rb'from "\./([\w.]+)"', text):
                    assert (await asyncio.to_thread(asked, port, f"/{module.decode()}"))[0] == 200
            _, told, nothing = await asyncio.to_thread(asked, port, "/", "HEAD")
            assert (told["content-length"], nothing) == (str(len(body)), b"")
            assert (await asyncio.to_thread(asked, port, "/", "POST"))[0] == 405
            assert (await asyncio.to_thread(asked, port, "/static/../server.py"))[0] == 404

    asyncio.run(ask())


def test_each_second_brings_the_same_snapshot_to_all() -> None:
    async def watch() -> None:
        async with serving() as port, watching(port, 2) as (first, second):
            assert await first.event("history") == []
            for each in (first, second):
                assert (await each.event("snapshot"))["not_ready"] == ["Away."]
            assert await first.event("snapshot") == await second.event("snapshot")

    asyncio.run(watch())


def test_few_watch_and_the_next_is_told_so() -> None:
    async def watch() -> None:
        async with serving() as port, watching(port, WATCHERS) as watchers:
            for each in watchers:
                await each.event("snapshot")
            status, _, why = await asyncio.to_thread(asked, port, "/events")
            assert (status, why) == (503, b"16 others watch already. Close a page, or try again later.\n")
            await watchers[0].leave()
            await asyncio.sleep(0.1)
            async with watching(port) as [last]:
                await last.event("snapshot")

    asyncio.run(watch())


def test_who_asks_only_what_the_stream_would_be_is_answered_at_once() -> None:
    async def ask() -> None:
        async with serving() as port:
            reader, writer = await asyncio.open_connection(LOOPBACK, port)
            writer.write(b"HEAD /events HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            async with asyncio.timeout(30):
                answer = await reader.read()
            assert b"content-type: text/event-stream" in answer
            writer.close()

    asyncio.run(ask())


def test_one_look_that_fails_is_not_the_last(caplog: pytest.LogCaptureFixture) -> None:
    looks = iter([["First."], None, ["Third."]])

    def not_ready() -> list[str]:
        told = next(looks)
        if told is None:
            raise RuntimeError("a bug")
        return told

    async def watch() -> None:
        async with serving(not_ready=not_ready) as port, watching(port) as [watcher]:
            assert (await watcher.event("snapshot"))["not_ready"] == ["First."]
            assert (await watcher.event("snapshot"))["not_ready"] == ["Third."]

    asyncio.run(watch())
    assert "The status page could not be brought up to date." in caplog.messages


def test_it_stops_though_somebody_watches() -> None:
    async def watch() -> None:
        async with AsyncExitStack() as after:
            async with serving() as port:
                [watcher] = await after.enter_async_context(watching(port))
                await watcher.event("snapshot")
            async with asyncio.timeout(30):
                await watcher.reader.read()

    asyncio.run(watch())


@pytest.mark.parametrize("path", ["/events", "/snapshot.json"])
def test_the_figures_need_the_token_and_the_files_do_not(path: str) -> None:
    async def ask() -> None:
        async with serving(lambda: TOKEN) as port:
            assert (await asyncio.to_thread(asked, port, "/"))[0] == 200
            assert (await asyncio.to_thread(asked, port, path))[0] == 401
            assert (await asyncio.to_thread(asked, port, path, Authorization="Bearer wrong"))[0] == 401

        async with serving(lambda: TOKEN) as port:
            allowed = {"Authorization": f"Bearer {TOKEN}"}
            status, _, body = await asyncio.to_thread(asked, port, "/snapshot.json", **allowed)
            assert (status, orjson.loads(body)["tenant"]) == (200, "ghent")

    asyncio.run(ask())


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example:80", "[", ""])
def test_a_page_from_elsewhere_cannot_read_it_by_a_name_of_its_own(host: str) -> None:
    """DNS rebinding: the browser is on this machine, the name is not ours."""

    async def ask() -> None:
        async with serving() as port:
            status, _, why = await asyncio.to_thread(asked, port, "/snapshot.json", Host=host)
            assert (status, why.split(b":")[0]) == (403, b"Expected the name 127.0.0.1, ")
            for ours in (f"localhost:{port}", f"127.0.0.1:{port}", "[::1]:80"):
                assert (await asyncio.to_thread(asked, port, "/snapshot.json", Host=ours))[0] == 200

    asyncio.run(ask())
