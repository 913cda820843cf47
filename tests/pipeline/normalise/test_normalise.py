"""From fields to records: in order, conserved, and bounded in memory."""

from __future__ import annotations

import orjson

from pipeline.core.delivery import Fate
from pipeline.core.recent import Room
from tests.pipeline.flow import Flow, dead, plan_of, reading


def test_readings_go_through_in_order() -> None:
    flow = Flow()
    records = flow.put(*(reading(device=f"d{at % 3}", pm10=float(at)) for at in range(30)))
    assert [orjson.loads(record.value)["pm10"]["value"] for record in records] == [float(at) for at in range(30)]
    assert flow.ledger.fates[Fate.PUBLISHED] == 30


def test_a_refusal_of_the_model_names_its_stage() -> None:
    letter = dead(Flow().put(reading(ts="soon")))
    assert (letter["ce_stage"], letter["ce_reason"]) == ("normalise", "time_invalid")


def test_messages_of_several_routes_and_fates_are_conserved() -> None:
    flow = Flow()
    for topic in ("city/aq/1", "city/debug/1", "city/x", "city/aq/2"):
        flow.put(reading(), b"x", reading(pm10=-1), topic=topic)
    assert sum(flow.ledger.fates) == flow.ledger.received == 12


def test_entities_are_bounded_by_the_size_of_their_names() -> None:
    plan = plan_of(room=Room("entities", 1000, characters=12_000))
    flow = Flow(plan)
    for number in range(100):
        [record] = flow.put(reading(device=f"{number:03d}" + "\U0001f600" * 100))
        assert record.message is not None
        assert len(plan.entities) <= 10
    assert 0 < len(plan._entities) <= 20
