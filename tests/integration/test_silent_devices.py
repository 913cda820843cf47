"""Silent devices, as an operator meets them: in the metrics, the log and the list, over a restart, and back again."""

import json
from pathlib import Path

import pytest

from pipeline.__main__ import main
from tests.integration.worker_bench import WorkerBench, reading, until
from tests.support.headrace import Headrace
from tests.support.log import events

pytestmark = pytest.mark.real
REGISTRY = """
- {key: station-1, aliases: [aq-0001], interval: 2s, name: Harbour}
- {key: station-2, aliases: [aq-0002], interval: 1h}
- {key: station-3, aliases: [aq-0003], interval: 2s, lifecycle: maintenance}
- {key: station-4, interval: 2s}
"""


def silent(worker: Headrace) -> dict[str, float]:
    """Return how many devices are silent, by age."""
    prefix = 'headrace_devices_silent{age="'
    found = {name.removeprefix(prefix).rstrip('"}'): n for name, n in worker.metrics().items() if prefix in name}
    return {age: count for age, count in found.items() if count}


def listed(worker: Headrace, capsys: pytest.CaptureFixture[str]) -> list[str]:
    assert main(["devices", "silent", str(worker.file), "--format", "json"]) == 0
    return [each["name"] for each in json.loads(capsys.readouterr().out)]


def test_from_silent_to_back_again(bench: WorkerBench, capsys: pytest.CaptureFixture[str]) -> None:
    worker = bench.new_headrace(
        {**bench.config(), "devices": "devices.yaml", "silent_devices": {"after": 1.5, "events": True}}
    )
    (Path(worker.folder) / "devices.yaml").write_text(REGISTRY)
    worker.start()
    bench.publish(*(reading(0, device) for device in (1, 2, 3)))
    bench.settled(worker, 3)
    until(lambda: silent(worker) == {"1h": 1, "never": 1}, "two silent devices", 30)
    assert worker.metric("headrace_devices_seen") == 3
    until(lambda: sorted(listed(worker, capsys)) == ["station-1", "station-4"], "the list", 10)
    assert main(["devices", "silent", str(worker.file)]) == 0
    [row] = [line for line in capsys.readouterr().out.splitlines() if line.startswith("station-1")]
    assert "2s" in row
    assert row.endswith("Harbour")
    overdue = events(worker.logged(), "Overdue: `headrace devices silent CONFIG` says more.")
    assert {name for each in overdue for name in each["first"]} <= {"station-1", "station-4"}

    assert worker.stop() == 0
    worker.start()
    until(lambda: silent(worker) == {"1h": 1, "never": 1}, "the same after a restart", 30)
    assert worker.metric("headrace_devices_seen") == 3

    bench.publish(reading(1, 1))
    until(lambda: "Back again after a silence." in worker.logged(), "that it is back", 30)
    [back] = events(worker.logged(), "Back again after a silence.")
    assert back["first"] == ["station-1"]
    assert worker.metric("headrace_conserved", feed="city") == 1
    told = [json.loads(each.value or b"") for each in bench.client.wait_for(3, f"{bench.tenant}.device-events.v1")]
    assert sorted((each["subject"].rpartition(":")[2], each["event"]) for each in told) == [
        ("station-1", "back"),
        ("station-1", "silent"),
        ("station-4", "silent"),
    ]
    assert worker.stop() == 0
