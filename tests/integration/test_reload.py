"""SIGHUP while messages flow: the device registry changes or is refused, and no message is lost or delayed for good."""

import os
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.load import Load
from tests.integration.worker_bench import WorkerBench, fates, headers_of, until
from tests.support.headrace import Headrace

pytestmark = pytest.mark.real
CANARY = "ca11ab1e" * 4
DEVICES = 50


def registry(asset: str) -> str:
    """Call each station `<asset>-<number>`; messages call it `aq-<number>`, an alias."""
    keys = f"sessions: [{{dev_addr: 26000001, nwk_s_key: {CANARY}, app_s_key: {CANARY}}}]"
    lines = [f"- {{key: {asset}-{at}, aliases: [aq-{at:04d}]}}\n" for at in range(1, DEVICES + 1)]
    return "".join(lines) + f"- {{key: raw, {keys}}}\n"


def hang_up(worker: Headrace, said: str, times: int) -> None:
    os.kill(worker.process.pid, signal.SIGHUP)
    until(lambda: worker.logged().count(said) >= times, f"{said!r}, {times} times", 20)


@pytest.fixture
def load(bench: WorkerBench) -> Iterator[Load]:
    load = Load(bench.mosquitto.url, rate=500, devices=DEVICES, prefix=f"{bench.tenant}/aq")
    yield load
    load.abandon()


def test_reloaded_under_load_it_loses_nothing(bench: WorkerBench, load: Load) -> None:
    worker = bench.new_headrace({**bench.config(), "devices": "devices.yaml"})
    file = Path(worker.folder) / "devices.yaml"
    file.write_text(registry("first"))
    file.chmod(0o600)
    worker.start()
    load.start()
    for turn in range(1, 6):
        load.wait_for(200)
        file.write_text(registry(f"turn-{turn}"))
        hang_up(worker, "the device registry is reloaded", turn)
        load.wait_for(200)
        file.write_text(registry("wrong") + "- {key: wrong-1, connector: acme/nothing}\n")
        hang_up(worker, "the device registry was not reloaded", turn)
    load.wait_for(200)
    load.stop()

    metrics = bench.settled(worker, load.acknowledged)
    assert fates(metrics) == {"published": load.acknowledged}
    assert worker.stop() == 0
    log = worker.logged()
    assert log.count("`wrong-1` is already a name of the device in line 1") == 5
    assert "Traceback" not in log
    assert CANARY not in log
    number_of = {str(at): f"aq-{at:04d}" for at in range(1, DEVICES + 1)}
    sent = Counter(load.keys())
    got = [headers_of(record)["ce_id"].split(":") for record in bench.records()]
    assert Counter((number_of[key.rpartition("-")[2]], int(ts)) for _, key, ts in got) == sent
    assets = Counter(key.rpartition("-")[0] for _, key, _ in got)
    assert assets.keys() == {"first", *(f"turn-{turn}" for turn in range(1, 6))}


def test_without_a_registry_it_says_so_and_runs_on(bench: WorkerBench) -> None:
    worker = bench.worker()
    hang_up(worker, "names no device registry", 1)
    assert worker.stop() == 0
