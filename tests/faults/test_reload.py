"""A reload every second for a minute under load: nothing is lost, nothing comes twice, and the order stays."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from copy import deepcopy
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.faults.rig import Rig
from tests.support.log import events

SECONDS = 60
RATE = 2000
pytestmark = [pytest.mark.real, pytest.mark.fault]
APPLIED, REFUSED = "SIGHUP: the configuration is reloaded.", "SIGHUP: refused, what is in use stays."


def variants(config: dict[str, Any], registry: Path) -> Iterator[str]:
    """Change the configuration in turn: terms, devices, a mistake, a second feed and its end, the connection itself."""
    feed = config["feeds"]["city"]
    stream = config["streams"]["AirQualityObserved"]
    for turn in cycle(range(6)):
        match turn:
            case 0:
                stream["classification"] = {"public": "internal", "internal": "public"}[stream["classification"]]
            case 1:
                registry.write_text(f"- {{key: nobody-{time.monotonic_ns()}}}\n", encoding="utf-8")
            case 2:
                feed["qos"] = 9
            case 3:
                feed["qos"] = 1
                other = {"client_id": f"{feed['client_id']}-2", "subscribe": [f"{feed['client_id']}/#"]}
                config["feeds"]["other"] = {**deepcopy(feed), **other}
            case 4:
                del config["feeds"]["other"]
            case 5:
                feed["keepalive"] = {"30s": "20s", "20s": "30s"}[feed.get("keepalive", "30s")]
        yield REFUSED if turn == 2 else APPLIED


def test_a_reload_every_second_loses_nothing(new_rig: Callable[..., Rig]) -> None:
    rig = new_rig()
    rig.load.rate = RATE
    config, worker = rig.worker.config, rig.worker
    config["devices"], config["unknown_devices"] = "devices.yaml", "accept"
    # Of many lines of one message the log leaves out most: the counts stand in the metrics.
    registry = Path(worker.folder) / "devices.yaml"
    registry.write_text("- {key: nobody}\n", encoding="utf-8")
    rig.start()
    expected = {APPLIED: 0, REFUSED: 0}
    began, changed = time.monotonic(), variants(config, registry)
    while time.monotonic() - began < SECONDS:
        next_second = time.monotonic() + 1
        expected[next(changed)] += 1
        worker.file.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
        os.kill(worker.process.pid, signal.SIGHUP)
        rig.wait(lambda: _outcomes(rig) == (expected[APPLIED], expected[REFUSED]), f"{expected}")
        time.sleep(max(0.0, next_second - time.monotonic()))
    rig.faults.append(f"{sum(expected.values())} reloads")

    verdict = rig.finish(f"a reload every second for {SECONDS} s", duplicates_allowed=0)
    verdict.assert_good()
    assert rig.load.acknowledged > RATE * SECONDS * 0.25, "the load itself was slower than wanted"
    assert min(expected.values()) >= 3
    assert "Traceback" not in worker.logged()
    [settled] = [each for each in events(worker.logged(), "All messages have their fate.") if each["feed"] == "city"]
    assert settled["messages"] >= rig.load.acknowledged


def _outcomes(rig: Rig) -> tuple[float, float]:
    name = "headrace_config_reloads_total"
    return rig.worker.metric(name, outcome="applied"), rig.worker.metric(name, outcome="refused")
