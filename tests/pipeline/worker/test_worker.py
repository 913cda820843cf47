"""The life of a worker where no real part is needed: what ends it early, and what the next life learns."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from pipeline.config.loading import Loaded, read
from pipeline.core.errors import StartError
from pipeline.worker.crash_guard import CrashGuard
from pipeline.worker.worker import Worker
from tests.support.ports import LOOPBACK, free_port

EXAMPLE = Path(__file__).parents[3] / "deploy" / "examples" / "bench.yaml"


@pytest.fixture
def silent_kafka() -> Iterator[int]:
    """Give the port of one that takes connections and never says a word."""
    with socket.create_server((LOOPBACK, 0)) as server:
        yield server.getsockname()[1]


def config(folder: Path, kafka: int, admin: int) -> Loaded:
    text = yaml.safe_load(EXAMPLE.read_text(encoding="utf-8"))
    text["kafka"]["bootstrap_servers"] = [f"{LOOPBACK}:{kafka}"]
    text["admin"] = {"listen": f"{LOOPBACK}:{admin}"}
    text["state_dir"] = str(folder)
    file = folder / "headrace.yaml"
    file.write_text(yaml.safe_dump(text), encoding="utf-8")
    return read(file)


def deaths(folder: Path) -> int:
    guard = CrashGuard(folder)
    found = guard._memory.deaths
    guard.stopped()
    return found


def test_a_signal_while_kafka_keeps_silent_ends_the_start(tmp_path: Path, silent_kafka: int) -> None:
    async def life() -> None:
        asyncio.get_running_loop().call_later(0.3, os.kill, os.getpid(), signal.SIGTERM)
        async with asyncio.timeout(30):
            await Worker(config(tmp_path, silent_kafka, free_port())).run()

    asyncio.run(life())
    assert deaths(tmp_path) == 0


def test_a_refused_start_is_no_death(tmp_path: Path, silent_kafka: int) -> None:
    async def life() -> None:
        await Worker(config(tmp_path, free_port(), silent_kafka)).run()

    with pytest.raises(StartError, match="admin server"):
        asyncio.run(life())
    assert deaths(tmp_path) == 0


def test_an_error_of_ours_is_a_death(tmp_path: Path, silent_kafka: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message that caused it is not acknowledged: the third life must look for it, or there is no end."""

    async def life() -> None:
        worker = Worker(config(tmp_path, silent_kafka, free_port()))

        async def fail(_: object) -> None:
            raise RuntimeError

        monkeypatch.setattr(worker._publisher, "start", fail)
        await worker.run()

    with pytest.raises(RuntimeError):
        asyncio.run(life())
    assert deaths(tmp_path) == 1
