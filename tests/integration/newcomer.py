"""Somebody who has never seen Headrace: a folder, a shell, and the commands that `--help` and the first page name."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.headrace import ROOT
from tests.support.kafka import Kafka
from tests.support.mosquitto import Mosquitto
from tests.support.ports import LOOPBACK, free_port
from tests.support.toolchain import find


@dataclass
class Newcomer:
    """Works in `folder` on city.yaml; `headrace` is found as an installed one would be."""

    folder: Path
    mosquitto: Mosquitto
    kafka: Kafka
    file: str = "city.yaml"
    admin: int = field(default_factory=free_port)

    def __post_init__(self) -> None:
        programs = self.folder / "bin"
        programs.mkdir()
        command = programs / "headrace"
        command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m pipeline "$@"\n', encoding="utf-8")
        command.chmod(0o755)

    @property
    def environment(self) -> dict[str, str]:
        path = f"{self.folder / 'bin'}:{os.environ['PATH']}"
        state = str(self.folder / "state")
        return {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT), "XDG_STATE_HOME": state, "COLUMNS": "120"}

    def types(self, line: str, *, expect: int = 0, timeout: float = 180.0) -> str:
        """Run a line in a shell and return all that it said."""
        done = subprocess.run(
            ["bash", "-c", line],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout,
        )
        assert done.returncode == expect, f"{line}: exit {done.returncode}\n{done.stdout}{done.stderr}"
        assert "Traceback" not in done.stderr, done.stderr
        return done.stdout + done.stderr

    def edits(self, old: str, new: str) -> None:
        """Change the one place where `old` stands."""
        path = self.folder / self.file
        text = path.read_text(encoding="utf-8")
        assert text.count(old) == 1, (text.count(old), old)
        path.write_text(text.replace(old, new), encoding="utf-8")

    def settles_in(self) -> None:
        """Put this bench's ports in; on a machine of one's own the usual ones would be right."""
        self.edits("127.0.0.1:9092", self.kafka.bootstrap())
        self.edits("127.0.0.1:1883", f"{LOOPBACK}:{self.mosquitto.port}")
        with (self.folder / self.file).open("a", encoding="utf-8") as file:
            file.write(f'admin: {{listen: "{LOOPBACK}:{self.admin}"}}\n')

    def publishes(self, topic: str, payload: str) -> None:
        """Use mosquitto_pub, as the pages say."""
        tool = find("mosquitto_pub")
        where = ["-h", LOOPBACK, "-p", str(self.mosquitto.port), "-q", "1"]
        command = [str(tool.path), *where, "-t", topic, "-m", payload]
        subprocess.run(command, env={**os.environ, **tool.env}, check=True, timeout=60)

    def starts(self) -> subprocess.Popen[bytes]:
        """Run the worker and wait until it is ready."""
        command = ["headrace", "run", self.file]
        with (self.folder / "run.log").open("ab") as log:
            worker = subprocess.Popen(
                [str(self.folder / "bin" / command[0]), *command[1:]],
                cwd=self.folder,
                env=self.environment,
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + 90
        while subprocess.run(["bash", "-c", self._ready()], check=False, capture_output=True).returncode:
            said = (self.folder / "run.log").read_text(encoding="utf-8")
            assert worker.poll() is None, said
            assert time.monotonic() < deadline, said
            time.sleep(0.1)
        return worker

    def without_ports(self, text: str) -> str:
        """Take out of a transcript what differs from run to run."""
        return re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:PORT", text)

    def _ready(self) -> str:
        code = f"import urllib.request as u; u.urlopen('http://{LOOPBACK}:{self.admin}/readyz', timeout=30)"
        return f'"{sys.executable}" -c "{code}"'
