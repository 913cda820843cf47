"""A city of 100,000 devices is read in seconds, and fits into the memory of a gateway."""

import subprocess
import sys
from pathlib import Path

import pytest

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


def csv() -> str:
    rows = (f"th-{n},{n:016x},{3.7 + n / 1e6:.6f},{51 + n / 1e6:.6f},Station {n},10min\n" for n in range(DEVICES))
    return "key,dev_eui,longitude,latitude,name,interval\n" + "".join(rows)


def yaml() -> str:
    rows = (
        f'- {{key: th-{n}, dev_eui: "{n:016x}", location: [{3.7 + n / 1e6:.6f}, {51 + n / 1e6:.6f}], '
        f"name: Station {n}, interval: 10min}}\n"
        for n in range(DEVICES)
    )
    return "".join(rows)


@pytest.mark.parametrize(("form", "seconds"), [("csv", 2.0), ("yaml", 3.0)])  # of a core that others use, too
def test_a_hundred_thousand_devices_are_read_in_seconds_and_in_little_memory(
    form: str, seconds: float, tmp_path: Path
) -> None:
    (tmp_path / f"devices.{form}").write_text({"csv": csv, "yaml": yaml}[form](), encoding="utf-8")
    file = tmp_path / "city.yaml"
    file.write_text(CONFIG % f"devices.{form}", encoding="utf-8")
    command = [sys.executable, "-c", READ, str(file)]
    done = [subprocess.run(command, capture_output=True, text=True, check=True).stdout.split() for _ in range(2)]
    assert {int(devices) for devices, _, _ in done} == {DEVICES}
    assert min(float(took) for _, took, _ in done) <= seconds
    assert max(float(peak) for _, _, peak in done) <= MOST_MIB
