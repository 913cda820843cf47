"""A kind of feed that comes from outside is checked, tried, explained, run, shown and examined like those that ship."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.integration.worker_bench import WorkerBench, fates, reading
from tests.support.prometheus import get

pytestmark = pytest.mark.real

ROOT = Path(__file__).resolve().parents[2]
LAUNCHER = ("-m", "tests.support.lines_feed")


def run(*arguments: str) -> tuple[int, str]:
    given = [sys.executable, *LAUNCHER, *arguments]
    done = subprocess.run(given, cwd=ROOT, check=False, capture_output=True, text=True, timeout=120)
    return done.returncode, done.stdout + done.stderr


def test_a_kind_from_outside_takes_sixty_lines() -> None:
    assert len((ROOT / "tests" / "support" / "lines_feed.py").read_text(encoding="utf-8").splitlines()) <= 60


def test_a_kind_from_outside_is_served_by_every_command(bench: WorkerBench, tmp_path: Path) -> None:
    file = tmp_path / "readings.txt"
    config: dict[str, Any] = bench.config()
    [route] = config["feeds"]["city"]["routes"]
    config["feeds"] = {"city": {"kind": "lines", "source": str(file), "routes": [route]}}
    topic = f"{bench.tenant}/aq/0001"
    worker = bench.new_headrace(config, launcher=LAUNCHER)
    worker.start(wait=False)  # writes the configuration; without the file it cannot read
    worker.kill()

    code, said = run("check", str(worker.file))
    assert code == 0
    assert said.endswith("headrace.yaml: ok\n")
    code, said = run("check", str(worker.file), "--connect")
    assert code == 1
    assert "names no file." in said
    code, said = run("doctor", str(worker.file))
    assert code == 1
    assert "feeds.city.source: names no file." in said

    file.write_bytes(b"".join(b"%s %s\n" % (topic.encode(), reading(number)) for number in range(3)))
    code, said = run("check", str(worker.file), "--connect")
    assert code == 0, said
    code, said = run("explain", str(worker.file), "--topic", topic, "--payload", reading().decode())
    assert code == 0
    assert re.search(r"^ *feed +city\b", said, re.MULTILINE), said

    worker.start()
    metrics = bench.settled(worker, 3)
    assert fates(metrics) == {"published": 3}
    snapshot = get(f"{worker.admin}/snapshot.json")
    assert snapshot is not None
    [feed] = json.loads(snapshot)["feeds"]
    assert (feed["name"], feed["kind"], feed["source"]) == ("city", "lines", str(file))
    assert worker.stop() == 0
    assert len(bench.records()) == 3


def test_a_wrong_kind_is_told_all_there_are(bench: WorkerBench) -> None:
    config = bench.config(feed={"kind": "line"})
    worker = bench.new_headrace(config)
    worker.start(wait=False)
    worker.kill()
    code, said = run("check", str(worker.file))
    assert code == 2
    assert "`lines`" in said
