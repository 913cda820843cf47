"""Who listens at the admin server's address need not be a worker: whatever it sends, asking ends, and says so."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.__main__ import main
from pipeline.config import load
from pipeline.http import client as local_http
from pipeline.http.client import NoAnswerError
from pipeline.tools.doctor import worker
from tests.support.headrace import example_config
from tests.support.listener import listener
from tests.support.ports import LOOPBACK

OK = b"HTTP/1.1 200 OK\r\n"


def sends(content: bytes) -> Callable[[socket.socket], None]:
    return lambda peer: peer.sendall(content)


def drips(head: bytes, piece: bytes) -> Callable[[socket.socket], None]:
    def answer(peer: socket.socket) -> None:
        peer.sendall(head)
        for _ in range(200):
            peer.sendall(piece)
            time.sleep(0.1)

    return answer


def floods(peer: socket.socket) -> None:
    peer.sendall(OK + b"\r\n")
    while True:
        peer.sendall(b"a" * 65_536)


def body(content: bytes) -> bytes:
    return OK + b"Content-Length: %d\r\n\r\n" % len(content) + content


@pytest.mark.parametrize(
    "answer",
    [
        drips(OK, b"X: y\r\n"),
        drips(OK + b"\r\n", b"a"),
        sends(b"SSH-2.0-OpenSSH_9\r\n"),
        sends(OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n"),
        sends(b""),
        floods,
    ],
    ids=["header", "body", "ssh", "chunks", "nothing", "flood"],
)
def test_what_is_no_answer_ends_in_time(answer: Callable[[socket.socket], None]) -> None:
    with listener(answer) as port:
        began = time.monotonic()
        with pytest.raises(NoAnswerError):
            local_http.get(LOOPBACK, port, "/", patience=1.0, largest=1_000_000)
        assert time.monotonic() - began < 15  # the slowest of them drips for 20 s


def config_for(folder: Path, port: int) -> str:
    content = example_config("ghent", "mqtt://127.0.0.1:1883", "127.0.0.1:9092")
    file = folder / "city.yaml"
    file.write_text(json.dumps({**content, "admin": {"listen": f"{LOOPBACK}:{port}"}}), encoding="utf-8")
    return str(file)


SNAPSHOT = {"time": 1, "version": "0.1.0", "tenant": "ghent", "feeds": [{"name": "city"}], "fates": {}}


@pytest.mark.parametrize(
    "content",
    [
        b"{}",
        b"[]",
        b"null",
        b"[" * 100_000,
        b'{"time": NaN}',
        json.dumps(SNAPSHOT).encode().replace(b"1,", b"NaN,", 1),
        json.dumps({**SNAPSHOT, "uptime": "long"}).encode(),
    ],
    ids=["object", "list", "null", "deep", "nan", "nan-in-a-snapshot", "a-text-for-a-number"],
)
@pytest.mark.parametrize("form", ["text", "json"])
def test_top_says_that_it_is_no_worker(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes, form: str
) -> None:
    with listener(sends(body(content))) as port:
        code = main(["top", config_for(tmp_path, port), "--count", "1", "--format", form])
    out, err = capsys.readouterr()
    if form == "text":
        assert (code, out) == (1, "")
        assert "is no worker of this version" in err
    else:
        told: dict[str, Any] = json.loads(out, parse_constant=pytest.fail)
        assert "is no worker of this version" in told["error"] if code else told["uptime"] == "long"


def test_doctor_takes_it_for_no_worker(tmp_path: Path) -> None:
    for content in (b"SSH-2.0-OpenSSH_9\r\n", body(b'headrace_received_messages_total{feed="other"} 1\n')):
        with listener(sends(content)) as port:
            loaded = load(config_for(tmp_path, port))
            assert asyncio.run(worker.scrape(loaded)) is None


def test_figures_that_are_no_numbers_are_left_out() -> None:
    made = worker.parse('a{feed="city"} NaN\nb{feed="city"} inf\nc{feed="city"} x\nd{feed="city"} 1.5 17\n')
    assert made.sums == {("d", "city"): 1.5}
