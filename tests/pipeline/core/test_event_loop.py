"""Names are looked up apart: once at a time for all that ask, and never in a thread that the end waits for."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from pipeline.core import event_loop
from pipeline.core.event_loop import StopWish

LOOPBACK = "127.0.0.1"


@pytest.fixture(params=event_loop.LOOPS)
def loop(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """Hold every lookup until the test is over; the names that were asked for."""
    asked: list[Any] = []
    over = threading.Event()

    def hang(host: Any, *_: Any) -> list[Any]:
        asked.append(host)
        over.wait(60)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    yield asked
    over.set()


def test_a_lookup_that_hangs_is_left_behind(loop: str, held: list[Any]) -> None:
    async def work() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await asyncio.get_running_loop().create_connection(asyncio.Protocol, "kafka.invalid", 9092)

    event_loop.run(work(), loop)

    assert held == ["kafka.invalid"]
    left = [thread for thread in threading.enumerate() if thread.name == "apart"]
    assert left
    assert all(thread.daemon for thread in left)


def test_who_asks_the_same_meanwhile_makes_no_further_thread(loop: str, held: list[Any]) -> None:
    async def work() -> None:
        for _ in range(5):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.01):
                    await asyncio.get_running_loop().create_connection(asyncio.Protocol, "kafka.invalid", 9092)

    event_loop.run(work(), loop)

    assert held == ["kafka.invalid"]


def test_a_name_without_an_address_is_said(loop: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: Any) -> list[Any]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    async def work() -> None:
        with pytest.raises(socket.gaierror, match="not known"):
            await asyncio.get_running_loop().create_connection(asyncio.Protocol, "kafka.invalid", 9092)

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    event_loop.run(work(), loop)


def test_the_next_address_of_a_name_is_tried(loop: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What answers is connected to without Nagle's delay, as asyncio does."""
    listener = socket.create_server((LOOPBACK, 0))
    nobody = socket.create_server((LOOPBACK, 0))
    addresses = [nobody.getsockname(), listener.getsockname()]
    nobody.close()
    kind = (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "")
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_: [(*kind, address) for address in addresses])

    async def work() -> None:
        transport, _ = await asyncio.get_running_loop().create_connection(asyncio.Protocol, "kafka.invalid", 9092)
        assert transport.get_extra_info("peername") == listener.getsockname()
        opened = transport.get_extra_info("socket")
        assert opened.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        transport.close()

    with listener:
        event_loop.run(work(), loop)


def test_the_echo_of_a_signal_is_no_second_wish() -> None:
    now = [5.0]
    wish = StopWish(lambda: now[0])
    assert not wish.again()
    now[0] += 0.4
    assert not wish.again(), "`timeout` signals a process twice"
    now[0] += 0.2
    assert wish.again()
