"""The admin server: three pages, their codes, and how it starts and stops."""

import asyncio
import http.client
import logging
import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from pipeline.config.kafka import read_secret
from pipeline.core.errors import StartError
from pipeline.http.server import AdminServer, Answer, Page, probe
from tests.support.ports import LOOPBACK, free_port, is_open

Asked = tuple[int, str | None, bytes]


class Server:
    def __init__(self) -> None:
        self.reasons: Sequence[str] = ()
        self.port = free_port()
        self.pages = {
            "/metrics": Page(lambda: (200, "text/plain; version=1.0.0", b"headrace_up 1\n")),
            "/livez": probe(lambda: ()),
            "/readyz": probe(lambda: self.reasons),
            "/healthz?verbose": Page(lambda: (200, "application/json", b"{}"), guarded=True),
            "/healthz": probe(lambda: self.reasons),
        }
        self.admin = AdminServer(self.pages)

    async def ask(self, page: str, method: str = "GET", **headers: str) -> Asked:
        return await asyncio.to_thread(self._ask, page, method, headers)

    def _ask(self, page: str, method: str, headers: Mapping[str, str]) -> Asked:
        connection = http.client.HTTPConnection(LOOPBACK, self.port, timeout=30)
        try:
            connection.request(method, page, headers=dict(headers))
            answer = connection.getresponse()
            return answer.status, answer.getheader("content-type"), answer.read()
        finally:
            connection.close()


@asynccontextmanager
async def serving() -> AsyncIterator[Server]:
    server = Server()
    await server.admin.start(LOOPBACK, server.port)
    try:
        yield server
    finally:
        await server.admin.stop()


def test_the_pages() -> None:
    async def ask() -> None:
        async with serving() as server:
            assert await server.ask("/metrics") == (200, "text/plain; version=1.0.0", b"headrace_up 1\n")
            assert await server.ask("/livez") == (200, "text/plain; charset=utf-8", b"ok\n")
            assert await server.ask("/readyz") == (200, "text/plain; charset=utf-8", b"ok\n")
            assert (await server.ask("/"))[0] == 404
            assert (await server.ask("/metrics/../livez"))[0] == 404
            assert (await server.ask("/readyz?verbose"))[0] == 200

    asyncio.run(ask())


def test_why_it_is_not_ready() -> None:
    async def ask() -> None:
        async with serving() as server:
            server.reasons = ["Kafka at kafka:9092 did not answer in time.", "Feed Zürich is not connected."]
            status, _, body = await server.ask("/readyz")
            assert status == 503
            assert body.decode().splitlines() == list(server.reasons)
            assert (await server.ask("/livez"))[0] == 200
            server.reasons = ()
            assert (await server.ask("/readyz"))[0] == 200

    asyncio.run(ask())


@pytest.mark.parametrize("page", ["/healthz?verbose", "/healthz?verbose=1", "/healthz?a=b&verbose"])
def test_a_guarded_page_needs_the_token_where_there_is_one(page: str, tmp_path: Path) -> None:
    file = tmp_path / "token"

    async def ask() -> None:
        async with serving() as server:
            assert await server.ask(page) == (200, "application/json", b"{}")
            server.admin.token = lambda: read_secret(None, str(file)) or ""
            assert (await server.ask(page, Authorization="Bearer "))[0] == 401
            file.write_text("first", encoding="utf-8")
            for wrong in ({}, {"Authorization": "Bearer second"}, {"Authorization": "Basic first"}):
                status, _, body = await server.ask(page, **wrong)
                assert status == 401
                assert b"first" not in body
            assert (await server.ask(page, Authorization="bearer first"))[0] == 200
            file.write_text("second", encoding="utf-8")
            assert (await server.ask(page, Authorization="Bearer first"))[0] == 401
            assert (await server.ask(page, Authorization="Bearer second"))[0] == 200
            for open_to_all in ("/metrics", "/livez", "/readyz", "/healthz", "/healthz?other"):
                assert (await server.ask(open_to_all))[0] == 200

    asyncio.run(ask())


def test_it_only_tells() -> None:
    async def ask() -> None:
        async with serving() as server:
            for method in ("POST", "PUT", "DELETE"):
                assert (await server.ask("/metrics", method))[0] == 405
            assert await server.ask("/metrics", "HEAD") == (200, "text/plain; version=1.0.0", b"")

    asyncio.run(ask())


def test_a_taken_address() -> None:
    async def start() -> None:
        with socket.create_server((LOOPBACK, 0)) as taken:
            port = taken.getsockname()[1]
            with pytest.raises(StartError, match=rf"cannot listen on 127\.0\.0\.1:{port} .*Change `admin\.listen`"):
                await Server().admin.start(LOOPBACK, port)

    asyncio.run(start())


def test_an_address_that_is_none() -> None:
    with pytest.raises(StartError, match=r"cannot listen on .* \(this is no name of a host\)"):
        asyncio.run(Server().admin.start("ü" * 80, 1))


def test_a_page_that_fails_is_a_bug_that_the_log_tells_once(caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> Answer:
        raise KeyError("canary")

    async def ask() -> None:
        async with serving() as server:
            server.pages["/livez"] = Page(fail)
            assert (await server.ask("/livez"))[0] == 500
            assert (await server.ask("/readyz"))[0] == 200

    asyncio.run(ask())
    assert [each.name for each in caplog.records if each.levelno >= logging.ERROR] == ["pipeline.http.server"]


def test_it_stops_in_time_though_a_client_holds_on() -> None:
    async def stop() -> None:
        async with serving() as server:
            _, writer = await asyncio.open_connection(LOOPBACK, server.port)
            writer.write(b"GET /livez HTTP/1.1\r\n")
            await writer.drain()
            async with asyncio.timeout(30):
                await server.admin.stop()
            assert not is_open(server.port)
            writer.close()
        await Server().admin.stop()  # one that never started

    asyncio.run(stop())


def test_whoever_only_holds_connections_keeps_nobody_out() -> None:
    async def hold() -> None:
        async with serving() as server:
            held = []
            for _ in range(200):
                reader, writer = await asyncio.open_connection(LOOPBACK, server.port)
                writer.write(b"GET /livez HTTP/1.1\r\nX: ")
                held.append((reader, writer))
            assert (await server.ask("/livez"))[0] == 200
            async with asyncio.timeout(30):
                for reader, _ in held[:100]:
                    with suppress(ConnectionResetError):
                        assert await reader.read() == b""
            for _, writer in held:
                writer.close()

    asyncio.run(hold())


def test_odd_requests_fill_no_log(caplog: pytest.LogCaptureFixture) -> None:
    async def ask() -> None:
        async with serving() as server:
            upgrade = b"GET /livez HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
            chunk = b"GET /livez HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"
            words = b"GET /livez?%s HTTP/1.1\r\nHost: a\r\n\r\n" % b"&".join([b"a"] * 400)
            for odd in (b"\x16\x03\x01\x00\r\n\r\n", upgrade, chunk, words):
                reader, writer = await asyncio.open_connection(LOOPBACK, server.port)
                writer.write(odd)
                async with asyncio.timeout(30):
                    status = await reader.readline()
                assert status.startswith(b"HTTP/1.1 200" if odd == words else b"HTTP/1.1 ")
                writer.close()

    with caplog.at_level(logging.INFO):
        asyncio.run(ask())
    assert {record.name for record in caplog.records} <= {"pipeline.http.server", "asyncio"}
