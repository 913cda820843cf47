"""`headrace replay` on a real Kafka: many letters, once and in order; ended in the middle, and taken up again."""

import json
import os
import signal
import subprocess
import sys

import pytest
import yaml

from tests.integration.worker_bench import WorkerBench, headers_of, number_of, reading, until
from tests.support.headrace import ROOT, Headrace

pytestmark = pytest.mark.real
LETTERS = 3000


def command(worker: Headrace, *more: str) -> list[str]:
    return [sys.executable, "-m", "pipeline", "replay", str(worker.file), "--dead-letters", "--format", "json", *more]


def environment(worker: Headrace) -> dict[str, str]:
    return {**os.environ, **worker.process.env}


def replay(worker: Headrace, *more: str, expect: int = 0) -> dict[str, object]:
    done = subprocess.run(
        command(worker, *more), cwd=ROOT, env=environment(worker), capture_output=True, text=True, check=False
    )
    assert done.returncode == expect, done.stdout + done.stderr
    assert done.stdout, done.stderr
    said: dict[str, object] = json.loads(done.stdout)
    return said


def with_letters(bench: WorkerBench) -> Headrace:
    """Run a worker that has no route for what comes, and mend its configuration afterwards."""
    config = bench.config()
    [route] = config["feeds"]["city"]["routes"]
    mended = {**route}
    route["topic"] = f"{bench.tenant}/nothing/{{device}}"
    worker = bench.worker(config)
    bench.publish(*[reading(number, device=number % 50) for number in range(LETTERS)])
    until(lambda: worker.metric("headrace_messages_total", fate="dead_lettered") == LETTERS, "every dead letter")
    assert worker.stop() == 0
    route |= mended
    worker.file.write_text(yaml.safe_dump(config), encoding="utf-8")
    return worker


def test_many_letters_come_out_once_and_in_order(bench: WorkerBench) -> None:
    worker = with_letters(bench)
    dry = replay(worker, "--dry-run")
    assert (dry["published"], bench.records()) == (LETTERS, [])

    assert replay(worker)["published"] == LETTERS

    records = bench.records()
    assert len(records) == LETTERS
    for device in range(50):
        numbers = [number for owner, number in map(number_of, records) if owner == device]
        assert numbers == sorted(numbers)
        assert len(numbers) == LETTERS / 50
    assert len(bench.letters()) == LETTERS
    again = replay(worker)
    assert (again["before"], again["published"]) == (LETTERS, 0)
    [state] = (worker.folder / "state").glob("*.replayed.json")
    assert state.stat().st_size < 200
    assert replay(worker, "--again", "--reason", "no_route")["published"] == LETTERS


@pytest.mark.timeout(120)
def test_dismissed_letters_are_done(bench: WorkerBench) -> None:
    """Exit code 1 says that letters are left which nobody has decided on; a dismissed one is decided on."""
    config = bench.config()
    worker = bench.worker(config)
    bench.publish_on([(f"{bench.tenant}/aq/0001", b"no JSON"), (f"{bench.tenant}/elsewhere", b"{}")])
    until(lambda: worker.metric("headrace_messages_total", fate="dead_lettered") == 2, "both dead letters")
    assert worker.stop() == 0

    assert replay(worker, expect=1)["again"] == {"malformed": 1, "no_route": 1}
    assert replay(worker, "--dismiss", "--reason", "malformed", "--dry-run")["dismissed"] == 1
    assert replay(worker, "--dismiss", "--reason", "malformed")["dismissed"] == 1
    left = replay(worker, expect=1)
    assert (left["again"], left["before"]) == ({"no_route": 1}, 1)
    assert replay(worker, "--dismiss", "--since", "1h")["dismissed"] == 1
    done = replay(worker)
    assert (done["again"], done["before"], done["published"]) == ({}, 2, 0)
    assert len(bench.letters()) == 2, "they stay in the topic"
    assert bench.records() == []
    replay(worker, "--again", expect=1)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_an_ended_replay_is_taken_up_again(bench: WorkerBench, number: signal.Signals) -> None:
    """It may have come to its end before the signal: what must hold afterwards is the same."""
    worker = with_letters(bench)
    started = subprocess.Popen(command(worker), cwd=ROOT, env=environment(worker), stdout=subprocess.PIPE)
    try:
        until(lambda: bool(bench.client.count(bench.topic)), "the first record")
        started.send_signal(number)
        assert started.wait(60) in {0, 130, -signal.SIGINT, -signal.SIGKILL}
    finally:
        if started.poll() is None:
            started.kill()
        started.communicate()

    report = replay(worker)

    assert int(str(report["published"])) + int(str(report["before"])) == LETTERS
    records = bench.records()
    assert {number_of(record) for record in records} == {(number % 50, number) for number in range(LETTERS)}
    assert len({headers_of(record)["ce_id"] for record in records}) == LETTERS
