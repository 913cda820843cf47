"""B9: large payloads that are costly to parse hold up the loop: every other message, and the health checks."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from tests.hostile.experiment import Experiment, sized
from tests.hostile.livez import Livez
from tests.integration.worker_bench import WorkerBench, assert_conserved, fates, headers_of

SIZE = 256 * 1024
TIME = 1_769_000_000
READINGS = 1000


def _config(bench: WorkerBench) -> Mapping[str, Any]:
    config = bench.config()
    route = {"topic": f"{bench.tenant}/aq/{{device}}", "connector": "ward", "format": "senml"}
    config["feeds"]["city"]["routes"] = [route]
    config["connectors"] = {
        "ward": {
            "model": "WeatherObserved",
            "device": {"topic": "device"},
            "observed_at": {"field": "time", "unit": "ms", "max_age": "3650d"},
            "location": [4.89, 52.37],
            "attributes": {"temperature": {"field": "values.temp", "unit": "degC"}},
        }
    }
    del config["streams"]
    return config


def _long_base_name() -> bytes:
    start = b'[{"bn":"' + b"x" * (SIZE // 2) + b'"}'
    return start + b',{"n":"a","v":1}' * 1999 + b"]"


def _honest() -> bytes:
    names = ("temp", "hum")
    return json.dumps([{"n": name, "t": TIME + at, "v": 21} for at in range(READINGS) for name in names]).encode()


@pytest.mark.real
@pytest.mark.timeout(180)
def test_large_senml_packs_hold_up_no_health_check(bench: WorkerBench) -> None:
    """Twelve took 35 s of the loop, with livez dead."""
    times = sized(4, 12)
    costly = {
        "payload_error": _long_base_name(),
        "too_expensive": b"[" + b",".join([b'{"n":"a","v":1}'] * (SIZE // 16 - 1)) + b"]",
        "": _honest(),
    }
    assert all(len(payload) <= SIZE for payload in costly.values())
    with Experiment("large packs of SenML") as experiment:
        worker = bench.worker(_config(bench))
        with Livez(worker) as livez:
            bench.publish(*[payload for _ in range(times) for payload in costly.values()])
            metrics = bench.settled(worker, 3 * times, timeout=120)
        assert_conserved(metrics)
        came = bench.client.count(f"{bench.tenant}.WeatherObserved.v1")
        reasons = sorted({headers_of(letter)["ce_reason"] for letter in bench.letters()})
        experiment.expect("every honest reading is a record", came=came, holds=came == times * READINGS)
        experiment.expect(
            "the others are letters", came=fates(metrics), holds=fates(metrics)["dead_lettered"] == 2 * times
        )
        experiment.expect("their reasons say why", came=reasons, holds=reasons == ["payload_error", "too_expensive"])
        experiment.expect("livez answers", came=livez.silent, holds=not livez.silent and bool(livez.answers))
        experiment.expect("livez answers within two seconds", came=livez.worst, holds=livez.worst < 2)
        assert worker.stop() == 0
