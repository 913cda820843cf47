"""B8: messages of which every reading is too long for Kafka, each with the whole payload in its dead letter."""

from collections.abc import Mapping
from typing import Any

import pytest

from tests.hostile.experiment import Experiment, sized
from tests.hostile.livez import Livez, resident
from tests.integration.worker_bench import WorkerBench, assert_conserved, fates

MESSAGES = sized(20, 150)
LONG = b"#".join(
    [b"t|25|w|" + b"\x01" * 11_000] * 22
)  # 242 KB; as JSON each reading has 66 KB, more than an entity may
MOST_GROWTH = 160  # MiB: the 64 of the lane, what is encoded for Kafka, what was read and one slice


def _config(bench: WorkerBench) -> Mapping[str, Any]:
    config = bench.config()
    route = {"topic": f"{bench.tenant}/aq/{{device}}", "connector": "words", "format": "ultralight"}
    config["feeds"]["city"]["routes"] = [route]
    config["connectors"] = {
        "words": {
            "model": "WeatherObserved",
            "device": {"topic": "device"},
            "observed_at": "arrival",
            "location": [4.89, 52.37],
            "attributes": {"temperature": {"field": "t", "unit": "degC"}, "weatherType": {"field": "w"}},
        }
    }
    del config["streams"]
    return config


@pytest.mark.real
@pytest.mark.timeout(240)
def test_a_message_of_many_readings_that_are_too_long_is_one_dead_letter(bench: WorkerBench) -> None:
    worker = bench.worker(_config(bench))
    before = resident(worker)
    with Experiment("readings that are too long") as experiment:
        with Livez(worker) as livez:
            bench.publish(*[LONG] * MESSAGES)
            metrics = bench.settled(worker, MESSAGES)
        growth = resident(worker) - before
        letters = bench.client.count(bench.letter_topic)
        assert_conserved(metrics)
        experiment.expect("each is dead", came=fates(metrics), holds=fates(metrics) == {"dead_lettered": MESSAGES})
        experiment.expect("a message is one dead letter", came=letters, holds=letters == MESSAGES)
        experiment.expect(f"memory grows by at most {MOST_GROWTH} MiB", came=growth, holds=growth <= MOST_GROWTH)
        experiment.expect("livez answers", came=livez.silent, holds=not livez.silent)
        experiment.notes |= {"messages": MESSAGES, "growth_mib": growth, "worst_livez_seconds": livez.worst}
        assert worker.stop() == 0
