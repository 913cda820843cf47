"""What listens where Kafka should, and is none: commands end soon, with a sentence, and no library is heard."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.support.headrace import example_config
from tests.support.listener import listener
from tests.support.ports import LOOPBACK, free_port


@pytest.mark.parametrize("content", [b"\0", b"\xff", b"SSH-2.0-OpenSSH_9\r\n"])
@pytest.mark.parametrize("command", [["check", "--connect"], ["doctor"]])
def test_what_is_no_kafka_is_a_finding(tmp_path: Path, command: list[str], content: bytes) -> None:
    def answer(peer: socket.socket) -> None:
        peer.sendall(content * 65_536)

    with listener(answer) as port:
        config = example_config("ghent", f"mqtt://{LOOPBACK}:{free_port()}", f"{LOOPBACK}:{port}")
        file = tmp_path / "city.yaml"
        admin = {"listen": f"{LOOPBACK}:{free_port()}"}
        file.write_text(json.dumps({**config, "admin": admin, "state_dir": "state"}), encoding="utf-8")
        line = [sys.executable, "-m", "pipeline", command[0], str(file), *command[1:], "--format", "json"]
        done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=False, timeout=180)
    assert (done.returncode, done.stderr) == (1, "")
    assert f"{LOOPBACK}:{port}" in json.dumps(json.loads(done.stdout)["findings"])


def test_doctor_asks_whom_it_has_not_reached_no_second_time(tmp_path: Path) -> None:
    asked: list[str] = []

    def note(who: str) -> Callable[[socket.socket], None]:
        def answer(peer: socket.socket) -> None:
            asked.append(who)
            while peer.recv(4096):
                pass

        return answer

    with listener(note("broker")) as broker, listener(note("kafka")) as kafka:
        config = example_config("ghent", f"mqtt://{LOOPBACK}:{broker}", f"{LOOPBACK}:{kafka}")
        config["kafka"]["request_timeout"] = "1s"
        admin = {"listen": f"{LOOPBACK}:{free_port()}"}
        file = tmp_path / "city.yaml"
        file.write_text(json.dumps({**config, "admin": admin, "state_dir": "state"}), encoding="utf-8")
        line = [sys.executable, "-m", "pipeline", "doctor", str(file), "--format", "json"]
        done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=False, timeout=180)
    assert (done.returncode, done.stderr) == (1, "")
    assert sorted(asked) == ["broker", "kafka"]
