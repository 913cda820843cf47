"""B8: small messages that each become a thousand records fill the memory, and nothing else is looked at meanwhile."""

import time
from collections.abc import Mapping
from typing import Any

import pytest

from tests.hostile.experiment import Experiment, sized
from tests.hostile.livez import Livez, resident
from tests.integration.worker_bench import WorkerBench, assert_conserved

READINGS = 1000
SMALL = b"#".join([b"t|25"] * READINGS)  # 4,999 bytes, which become 0.9 MB
MOST_GROWTH = 130  # MiB: the 64 of the lane, what is encoded for Kafka, and one slice; 66 were measured


def _config(bench: WorkerBench) -> Mapping[str, Any]:
    config = bench.config()
    route = {"topic": f"{bench.tenant}/aq/{{device}}", "connector": "small", "format": "ultralight"}
    config["feeds"]["city"]["routes"] = [route]
    config["connectors"] = {
        "small": {
            "model": "WeatherObserved",
            "device": {"topic": "device"},
            "observed_at": "arrival",
            "location": [4.89, 52.37],
            "attributes": {"temperature": {"field": "t", "unit": "degC"}},
        }
    }
    del config["streams"]
    return config


@pytest.mark.real
@pytest.mark.timeout(240)
def test_messages_that_become_a_thousand_records_each_fill_no_memory_and_stop_no_loop(bench: WorkerBench) -> None:
    backlog, seconds = sized(50, 600), sized(1, 10)
    config = _config(bench)
    idle = bench.worker(config)
    before = resident(idle)
    idle.stop()  # its session stays, and the messages wait in it
    bench.publish(*[SMALL] * backlog)
    with Experiment("small messages of a thousand readings") as experiment:
        worker = bench.new_headrace(config)
        worker.start(wait=False)
        with Livez(worker) as livez:
            worker.wait_ready(150)  # the broker answers SUBSCRIBE behind the backlog
            for _ in range(seconds):
                began = time.monotonic()
                bench.publish(*[SMALL] * 30)
                time.sleep(max(0.0, began + 1 - time.monotonic()))
            sent = backlog + 30 * seconds
            metrics = bench.settled(worker, sent, timeout=200)
        growth = resident(worker) - before
        came = bench.client.count(f"{bench.tenant}.WeatherObserved.v1")
        assert_conserved(metrics)
        experiment.expect("every reading is a record", came=came, holds=came == sent * READINGS)
        experiment.expect(f"memory grows by at most {MOST_GROWTH} MiB", came=growth, holds=growth <= MOST_GROWTH)
        experiment.expect("livez answers", came=livez.silent, holds=not livez.silent and len(livez.answers) > 3)
        experiment.expect("livez answers within two seconds", came=livez.worst, holds=livez.worst < 2)
        experiment.notes |= {"messages": sent, "growth_mib": growth, "worst_livez_seconds": livez.worst}
        assert worker.stop() == 0
