"""Any reading through the whole worker: what is published holds against the standards, what is not says why."""

import json
from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from pipeline.core.errors import Reason
from tests.integration.worker_bench import READING, WorkerBench, entity_of, fates, headers_of

pytestmark = pytest.mark.real
HOW_MANY = 1500
MEASURED = ("temperature", "humidity", "pm10", "pm25", "no2", "battery")

NUMBERS = st.one_of(
    st.floats(-100, 200), st.integers(-10, 300), st.floats(allow_nan=False, allow_infinity=False), st.integers()
)
ANYTHING = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
NAMES = st.one_of(st.text(min_size=1, max_size=30), st.integers(0, 2**70), st.sampled_from(["aq/1", "a b", "ä:%2F"]))
TIMES = st.one_of(st.integers(READING["ts"], READING["ts"] + 10**9), NUMBERS)


def unlike(changed: st.SearchStrategy[Any], most: int) -> st.SearchStrategy[dict[str, Any]]:
    """Replace some members of the good reading."""
    return st.dictionaries(st.sampled_from(sorted(READING)), changed, max_size=most)


NOTHING = dict.fromkeys(MEASURED)
SURE = [{**READING, **NOTHING}, {**READING, **NOTHING, "humidity": 500}]
"""Readings for reasons that are not drawn in every profile of Hypothesis."""

READINGS = st.builds(
    lambda measured, name, ts, odd: {**READING, **measured, "device": name, "ts": ts, **odd},
    st.dictionaries(st.sampled_from(MEASURED), NUMBERS, max_size=6),
    NAMES,
    TIMES,
    st.one_of(st.just({}), unlike(ANYTHING, 2)),
)


def some(count: int) -> list[bytes]:
    """Draw readings, the same in every run."""
    made: list[bytes] = []

    @seed(20)
    @settings(max_examples=count, database=None, suppress_health_check=list(HealthCheck))
    @given(READINGS)
    def draw(reading: dict[str, Any]) -> None:
        made.append(json.dumps(reading).encode())

    draw()
    return made


def test_any_reading(bench: WorkerBench) -> None:
    worker = bench.worker()
    sent = [*some(HOW_MANY), *(json.dumps(reading).encode() for reading in SURE)]
    bench.publish(*sent)

    found = fates(bench.settled(worker, len(sent)))
    assert worker.stop() == 0
    records, letters = bench.records(), bench.letters()
    assert found == {"published": len(records), "dead_lettered": len(letters)}
    assert len(records) + len(letters) == len(sent)
    assert len(records) > len(sent) / 4
    for record in records:
        entity_of(record)
    reasons = {headers_of(letter)["ce_reason"] for letter in letters}
    assert reasons <= {reason.value for reason in Reason} - {"internal_error", "connector_failed"}
    assert {"nothing_measured", "out_of_bounds", "time_invalid", "location_invalid"} <= reasons
    # Each letter is one of the payloads, as it came.
    assert not Counter(letter.value for letter in letters) - Counter(sent)
