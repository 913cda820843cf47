"""A registry of a large city fits into the memory of a gateway, and the time to read it grows with its lines only.

How long 100,000 devices take is measured by `python -m loadtests reading`.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from loadtests.reading import registry_csv, registry_yaml

DEVICES = 100_000
MOST_MIB = 150
CONFIG = """
tenant: ghent
kafka: {bootstrap_servers: ["127.0.0.1:9092"]}
devices: %s
feeds:
  server: {kind: mqtt, url: "mqtt://127.0.0.1:1883", client_id: a, subscribe: ["application/#"], dialect: auto}
"""
# VmHWM, not ru_maxrss: that one remembers, too, how large the process was from which this one was made.
READ = """
import re, sys, time
from pathlib import Path
from pipeline import config
before = time.process_time()
loaded = config.read(sys.argv[1])
took, status = time.process_time() - before, Path("/proc/self/status").read_text(encoding="ascii")
print(len(loaded.devices), took, int(re.search(r"VmHWM:\\s+(\\d+) kB", status)[1]) / 1024)
"""


@pytest.mark.parametrize(("form", "written"), [("csv", registry_csv), ("yaml", registry_yaml)])
def test_a_hundred_thousand_devices_fit_and_take_ten_times_as_long_as_ten_thousand(
    form: str, written: Callable[[int], str], tmp_path: Path
) -> None:
    def read(devices: int) -> tuple[float, float]:
        (tmp_path / f"devices.{form}").write_text(written(devices), encoding="utf-8")
        file = tmp_path / "city.yaml"
        file.write_text(CONFIG % f"devices.{form}", encoding="utf-8")
        command = [sys.executable, "-c", READ, str(file)]
        found, took, peak = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
        assert int(found) == devices
        return float(took), float(peak)

    a_tenth = min(read(DEVICES // 10)[0] for _ in range(3))
    took, peak = read(DEVICES)
    assert took < 30 * a_tenth
    assert peak <= MOST_MIB
