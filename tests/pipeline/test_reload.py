"""The registry read again: what is handed over, what is refused, and that nobody waits for it."""

import asyncio
import logging
import threading
from collections.abc import Callable

import pytest

from pipeline.devices import Device, Devices
from pipeline.errors import ConfigError
from pipeline.reload import Reload
from tests.support.log import told


class Taker:
    def __init__(self) -> None:
        self.taken: list[list[str]] = []
        self.threads: set[int] = set()

    def take(self, devices: Devices) -> None:
        self.taken.append([device.key for device in devices])
        self.threads.add(threading.get_ident())


async def true(condition: Callable[[], bool]) -> None:
    for _ in range(5000):
        if condition():
            return
        await asyncio.sleep(0.002)
    raise TimeoutError


async def serve(reload: Reload, *, asks: int, until: int, reads: list[str]) -> None:
    running = asyncio.create_task(reload.run())
    for _ in range(asks):
        reload.ask()
    await true(lambda: len(reads) >= until)
    await asyncio.sleep(0.02)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


def test_a_new_registry_goes_to_all_that_look_devices_up() -> None:
    first, second = Taker(), Taker()
    reads: list[str] = []

    def read() -> Devices:
        reads.append("")
        return Devices([Device("a")])

    async def go() -> None:
        await serve(Reload(read, [first, second]), asks=3, until=1, reads=reads)

    asyncio.run(go())
    assert first.taken == second.taken == [["a"]]  # three signals at once are one wish
    assert first.threads == {threading.get_ident()}


@pytest.mark.parametrize(
    ("error", "level", "said"),
    [(ConfigError("d.yaml:3  it is wrong"), "ERROR", "d.yaml:3"), (KeyError("x"), "ERROR", "bug")],
)
def test_a_file_that_cannot_be_used_changes_nothing(
    caplog: pytest.LogCaptureFixture, error: Exception, level: str, said: str
) -> None:
    taker = Taker()
    reads: list[str] = []

    def read() -> Devices:
        reads.append("")
        if len(reads) == 1:
            raise error
        return Devices([Device("b")])

    async def go() -> None:
        reload = Reload(read, [taker])
        await serve(reload, asks=1, until=1, reads=reads)
        assert taker.taken == []
        await serve(reload, asks=1, until=2, reads=reads)

    with caplog.at_level(logging.INFO):
        asyncio.run(go())
    assert taker.taken == [["b"]]
    assert [each.levelname for each in caplog.records] == [level, "INFO"]
    assert said in told(caplog)


def test_without_a_registry_the_signal_is_answered(caplog: pytest.LogCaptureFixture) -> None:
    async def go() -> None:
        await serve(Reload(None, []), asks=1, until=0, reads=[])

    asyncio.run(go())
    assert "names no device registry" in caplog.text


def test_the_loop_goes_on_while_a_file_is_read() -> None:
    reading, done = threading.Event(), threading.Event()

    def read() -> Devices:
        reading.set()
        assert done.wait(10)
        return Devices()

    async def go() -> None:
        taker = Taker()
        reload = Reload(read, [taker])
        running = asyncio.create_task(reload.run())
        reload.ask()
        await true(reading.is_set)
        assert taker.taken == []
        done.set()
        await true(lambda: bool(taker.taken))
        running.cancel()

    asyncio.run(go())
