"""What systemd is told, on a real socket: when, and that nobody waits for it."""

from __future__ import annotations

import asyncio
import os
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipeline.worker.process import Systemd
from tests.support.systemd import NotifySocket


class Service:
    started = False
    draining = False

    def status(self) -> str:
        return "Well."


@pytest.fixture(params=["path", "abstract"])
def listener(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[NotifySocket]:
    made = NotifySocket(tmp_path / "notify" if request.param == "path" else f"@headrace-{uuid.uuid4().hex}")
    yield made
    made.close()


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not true():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


def test_ready_once_and_the_watchdog_from_the_loop(listener: NotifySocket) -> None:
    async def live() -> None:
        service = Service()
        systemd = Systemd({"NOTIFY_SOCKET": listener.address, "WATCHDOG_USEC": "200000"})
        running = asyncio.create_task(systemd.run(service))
        await until(lambda: listener.count("WATCHDOG=1") >= 2)
        assert "READY=1" not in listener.lines()
        assert "EXTEND_TIMEOUT_USEC=30000000" in listener.lines()
        service.started = True
        await until(lambda: "READY=1" in listener.lines())
        before = listener.count("WATCHDOG=1")
        await until(lambda: listener.count("WATCHDOG=1") >= before + 3)
        assert listener.count("READY=1") == 1
        extended = listener.count("EXTEND_TIMEOUT_USEC=30000000")
        service.draining = True
        systemd.stopping()
        await until(lambda: listener.count("EXTEND_TIMEOUT_USEC=30000000") > extended)
        assert {"STATUS=Well.", "STOPPING=1"} <= set(listener.lines())
        running.cancel()
        systemd.close()

    asyncio.run(live())


def test_a_reload_begins_with_its_time_and_ends(listener: NotifySocket) -> None:
    systemd = Systemd({"NOTIFY_SOCKET": listener.address})
    systemd.reloading()
    systemd.reloaded()
    first, second, third = listener.lines()
    assert (first, third) == ("RELOADING=1", "READY=1")
    assert second.startswith("MONOTONIC_USEC=")
    assert second.partition("=")[2].isdigit()
    systemd.close()


def test_nothing_without_a_socket_and_no_watchdog_of_another_process() -> None:
    asyncio.run(asyncio.wait_for(Systemd({}).run(Service()), 30))
    assert Systemd({"WATCHDOG_USEC": "1000000", "WATCHDOG_PID": str(os.getpid() + 1)})._watchdog == float("inf")
    assert Systemd({"WATCHDOG_USEC": "1000000", "WATCHDOG_PID": str(os.getpid())})._watchdog == 1


@pytest.mark.parametrize("told", ["0", "²", "-1", "1e6", "9" * 400, "9" * 5000, ""])
def test_a_watchdog_of_no_time_is_none(told: str) -> None:
    assert Systemd({"WATCHDOG_USEC": told})._watchdog == float("inf")


def test_a_watchdog_that_is_too_impatient_leaves_time_to_work(listener: NotifySocket) -> None:
    async def live() -> None:
        systemd = Systemd({"NOTIFY_SOCKET": listener.address, "WATCHDOG_USEC": "1"})
        running = asyncio.create_task(systemd.run(Service()))
        await asyncio.sleep(0.5)
        running.cancel()
        systemd.close()

    asyncio.run(live())
    assert 1 <= listener.count("WATCHDOG=1") <= 10


class Wordy(Service):
    def status(self) -> str:
        return "Away.\nREADY=1 \ud800" + 1000 * " Feed zürich is not connected."


def test_a_status_is_one_line_that_systemd_takes(listener: NotifySocket) -> None:
    async def live() -> None:
        systemd = Systemd({"NOTIFY_SOCKET": listener.address})
        running = asyncio.create_task(systemd.run(Wordy()))
        await until(lambda: listener.count("WATCHDOG=1") >= 1)
        running.cancel()
        systemd.close()

    asyncio.run(live())
    lines = listener.lines()
    assert "READY=1" not in lines
    assert len("\n".join(lines[: lines.index("WATCHDOG=1") + 2]).encode()) < 4096


def test_a_systemd_that_does_not_listen_stops_nothing(tmp_path: Path) -> None:
    systemd = Systemd({"NOTIFY_SOCKET": str(tmp_path / "away")})
    systemd.tell("READY=1")
    systemd.close()
    listener = NotifySocket(tmp_path / "full")
    systemd = Systemd({"NOTIFY_SOCKET": listener.address})
    for _ in range(2000):
        systemd.tell("WATCHDOG=1")
    assert len(listener.lines()) < 2000
    systemd.close()
    systemd.tell("READY=1")
    listener.close()
