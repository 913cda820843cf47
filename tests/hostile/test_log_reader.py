"""A reader of standard error that stops reading: messages go on, and SIGTERM ends the worker in time."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.hostile.experiment import Experiment, sized
from tests.integration.worker_bench import WorkerBench, fates, until
from tests.support.headrace import Headrace
from tests.support.ports import free_port
from tests.support.prometheus import get

pytestmark = pytest.mark.real
CONNECTOR = '''"""Talker T1."""
import sys

from headrace import Attribute, Connector, Example, Uplink


def decode(uplink: Uplink) -> dict[str, float]:
    print("decoding", uplink.payload.hex())
    print("decoding", uplink.payload.hex(), file=sys.stderr)
    return {"temperature": uplink.payload[0] / 2}


connector = Connector(
    vendor="talker", devices=("t1",), owner="@talker", model="WeatherObserved", decode=decode,
    attributes={"temperature": Attribute("temperature", unit="degC")},
    examples=(Example("warm", hex="2a", expect={"temperature": 21.0}),),
)
'''


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
    """Run what the worker would run, with its output and its errors led into the pipe."""
    worker.file.write_text(yaml.safe_dump(worker.config, sort_keys=False), encoding="utf-8")
    return subprocess.Popen(
        worker.process.command,
        stdout=log.end,
        stderr=log.end,
        cwd=worker.process.cwd,
        env={**os.environ, **worker.process.env},
        start_new_session=True,
    )


def talkative(bench: WorkerBench, folder: Path) -> dict[str, Any]:
    """Return a configuration that is warned of, whose connector prints each message, longer than a pipe of one page."""
    vendor = folder / "vendors" / "talker"
    vendor.mkdir(parents=True)
    (vendor / "t1.py").write_text(CONNECTOR, encoding="utf-8")
    config = bench.config(feed={"routes": [{"topic": f"{bench.tenant}/aq/{{device}}", "connector": "talker"}]})
    del config["streams"]
    use = {"use": "talker/t1", "device": {"topic": "device"}, "location": [4.89, 52.37]}
    log = {"level": "debug", "format": "json"}
    return {**config, "connectors": {"talker": use}, "connector_paths": [str(vendor.parent)], "log": log}


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
def test_a_log_that_nobody_reads_stops_nothing(bench: WorkerBench, stalled: Stalled, loop: str, tmp_path: Path) -> None:
    worker = bench.new_headrace(talkative(bench, tmp_path), arguments=("--loop", loop))
    process = launched(worker, stalled)
    count = sized(500, 20_000)
    try:
        with Experiment(f"a stalled reader of the log, {loop}") as experiment:
            until(lambda: get(f"{worker.admin}/readyz") is not None, "the worker to be ready")
            bench.publish(*(bytes([number % 80]) * 20 for number in range(count)))
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


def test_a_reader_that_drips_delays_no_start_and_no_second_sigterm(
    bench: WorkerBench, stalled: Stalled, tmp_path: Path
) -> None:
    worker = bench.new_headrace({**talkative(bench, tmp_path), "drain_timeout": "60s"})
    process = launched(worker, stalled)
    done = threading.Event()

    def drip() -> None:
        while not done.wait(1):
            os.read(stalled.reader, 3)

    reader = threading.Thread(target=drip)
    reader.start()
    try:
        until(lambda: get(f"{worker.admin}/readyz") is not None, "the worker to be ready")
        bench.publish(bytes([42]) * 20)
        bench.settled(worker, 1)
        for _ in range(2):  # the second one may come when the first has done all there was to do
            process.send_signal(signal.SIGTERM)
        assert process.wait(90) in {0, 128 + signal.SIGTERM}
    finally:
        done.set()
        reader.join()
        process.kill()
        process.wait()


@pytest.mark.parametrize("form", ["console", "json"])
def test_what_is_wrong_ends_a_worker_although_nobody_reads_it(bench: WorkerBench, stalled: Stalled, form: str) -> None:
    """A supervisor starts it again only when it ends, and a Kafka that is away at the start is away for a while."""
    log = {"level": "info", "format": form}
    away = {**bench.config(kafka={"bootstrap_servers": [f"127.0.0.1:{free_port()}"]}), "log": log}
    wrong = {**bench.config(feed={"qos": 9}), "log": log}
    with Experiment(f"an error that nobody reads, {form}") as experiment:
        for name, config, expected in (("no Kafka", away, 1), ("a wrong configuration", wrong, 2)):
            process = launched(bench.new_headrace(config), stalled)
            try:
                code: object = process.wait(60)
            except subprocess.TimeoutExpired:
                code = "still there"
            finally:
                process.kill()
                process.wait()
            experiment.expect(f"{name} ends the process", came=code, holds=code == expected)
