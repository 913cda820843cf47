"""A reader of standard error that stops reading: messages go on, and SIGTERM ends the worker in time."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import suppress

import pytest

from tests.hostile.experiment import Experiment, sized
from tests.integration.worker_bench import WorkerBench, fates, reading, until
from tests.support.headrace import Headrace
from tests.support.prometheus import get

pytestmark = pytest.mark.real


class Stalled:
    """Takes the place of a worker's log: a pipe of one page, full before the worker writes."""

    def __init__(self) -> None:
        self.reader, self.end = os.pipe()
        size = fcntl.fcntl(self.end, fcntl.F_SETPIPE_SZ, 4096)
        os.write(self.end, b"." * (size - 1) + b"\n")

    def close(self) -> None:
        for each in (self.reader, self.end):
            with suppress(OSError):
                os.close(each)


@pytest.fixture
def stalled() -> Iterator[Stalled]:
    made = Stalled()
    yield made
    made.close()


def launched(worker: Headrace, log: Stalled) -> subprocess.Popen[bytes]:
    """Run what the worker would run, with its standard error led into the pipe."""
    worker.start(wait=False)
    worker.kill()
    environment = {**os.environ, **worker.process.env}
    folder = worker.process.cwd
    return subprocess.Popen(worker.process.command, stderr=log.end, cwd=folder, env=environment, start_new_session=True)


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
def test_a_log_that_nobody_reads_stops_nothing(bench: WorkerBench, stalled: Stalled, loop: str) -> None:
    config = {**bench.config(), "log": {"level": "debug", "format": "json"}}
    worker = bench.new_headrace(config, arguments=("--loop", loop))
    process = launched(worker, stalled)
    count = sized(500, 20_000)
    try:
        with Experiment(f"a stalled reader of the log, {loop}") as experiment:
            until(lambda: get(f"{worker.admin}/readyz") is not None, "the worker to be ready")
            bench.publish(*(reading(number) for number in range(count)))
            came = fates(bench.settled(worker, count))
            for _ in range(sized(3000, 20_000)):  # each makes a line, until its message is limited
                os.kill(process.pid, signal.SIGUSR1)
            alive = get(f"{worker.admin}/livez") is not None
            experiment.expect(
                "messages go on while nobody reads the log", came=came, holds=came == {"published": count}
            )
            experiment.expect("livez answers", came=alive, holds=alive)
            process.send_signal(signal.SIGTERM)
            code = process.wait(90)
            experiment.expect("SIGTERM ends it", came=code, holds=code == 0)
    finally:
        process.kill()
        process.wait()


def test_lines_that_waited_are_read_later(bench: WorkerBench, stalled: Stalled) -> None:
    worker = bench.new_headrace({**bench.config(), "log": {"level": "info", "format": "json"}})
    process = launched(worker, stalled)
    try:
        until(lambda: get(f"{worker.admin}/readyz") is not None, "the worker to be ready")
        found = b""
        while b"The feed reads." not in found:
            found += os.read(stalled.reader, 65_536)
        assert b'"level": "info"' in found
        assert worker.metric("headrace_log_dropped_lines_total") == 0
        process.send_signal(signal.SIGTERM)
        while b"All messages have their fate." not in found:
            found += os.read(stalled.reader, 65_536)
        assert process.wait(90) == 0
    finally:
        process.kill()
        process.wait()
