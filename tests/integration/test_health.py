"""Probes, the token and systemd, of a whole worker."""

from __future__ import annotations

import json
import signal
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.worker_bench import WorkerBench, reading, until
from tests.support.headrace import Headrace
from tests.support.ports import free_port
from tests.support.systemd import NotifySocket

pytestmark = pytest.mark.real
TOKEN = "0123456789abcdef"


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[NotifySocket]:
    listener = NotifySocket(tmp_path / "notify")
    yield listener
    listener.close()


def asked(worker: Headrace, page: str, token: str = "") -> tuple[int, str]:
    request = urllib.request.Request(f"{worker.admin}{page}")
    if token:
        request.add_header("Authorization", f"Bearer {token}")
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, refused.read().decode()


def test_systemd_is_told_of_a_whole_life(bench: WorkerBench, systemd: NotifySocket) -> None:
    url = f"mqtt://127.0.0.1:{free_port()}"
    worker = bench.new_headrace(
        bench.config(feed={"url": url}),
        env={"NOTIFY_SOCKET": systemd.address, "WATCHDOG_USEC": "1000000"},
    )
    worker.start(wait=False)
    why = f"{url} cannot be reached: Connection refused. Check the address, and that the broker runs."
    until(lambda: systemd.count(f"STATUS=Feed city is not connected. {why}") > 0, "the status")
    assert asked(worker, "/startupz") == (503, "Feed city is not connected.\n")
    assert asked(worker, "/livez")[0] == 200
    assert "READY=1" not in systemd.lines()
    assert worker.stop() == 0

    assert "STOPPING=1" in systemd.lines()
    systemd.said.clear()
    worker.config["feeds"]["city"]["url"] = bench.mosquitto.url
    worker.start()
    until(lambda: systemd.count("READY=1") > 0, "READY")
    beats = systemd.count("WATCHDOG=1")
    until(lambda: systemd.count("WATCHDOG=1") >= beats + 3, "the watchdog", 10)
    worker.process.send_signal(signal.SIGHUP)
    until(lambda: systemd.count("READY=1") == 2, "the end of the reload", 20)
    lines = systemd.lines()
    assert lines.index("RELOADING=1") > lines.index("READY=1")
    bench.publish(*map(reading, range(10)))
    bench.settled(worker, 10)
    assert worker.stop() == 0
    assert systemd.lines().index("STOPPING=1") > lines.index("RELOADING=1")


def test_what_is_more_than_a_probe_needs_the_token(bench: WorkerBench, tmp_path: Path) -> None:
    file = tmp_path / "token"
    port = free_port()
    admin = {"listen": f"0.0.0.0:{port}"}
    worker = bench.new_headrace({**bench.config(), "admin": admin})
    worker.start(wait=False)
    assert worker.process.wait(60) == 2
    assert "Write `token_file: FILE` below it" in worker.logged()

    file.write_text("short", encoding="utf-8")
    worker.config["admin"] = {**admin, "token_file": str(file)}
    worker.start(wait=False)
    assert worker.process.wait(60) == 1
    assert "Expected a token of 16 characters or more" in worker.logged()

    file.write_text("a token for Zürich", encoding="utf-8")
    worker.start(wait=False)
    assert worker.process.wait(60) == 1
    assert "a browser cannot send another one" in worker.logged()

    file.write_text(f"{TOKEN}\n", encoding="utf-8")
    worker.admin = f"http://127.0.0.1:{port}"
    worker.start()
    for page in ("/metrics", "/livez", "/readyz", "/startupz", "/healthz"):
        assert asked(worker, page)[0] == 200
    assert asked(worker, "/healthz?verbose")[0] == 401
    assert asked(worker, "/healthz?verbose", "wrong" * 4)[0] == 401
    status, text = asked(worker, "/healthz?verbose", TOKEN)
    assert status == 200
    whole = json.loads(text)
    assert whole["status"] == "ok"
    assert whole["feeds"]["city"]["connected"] is True
    assert whole["event_loop_lag"] >= 0
    assert worker.stop() == 0
    assert TOKEN not in worker.logged()
