from __future__ import annotations

from typing import Any

import orjson
import pytest

from pipeline.core.delivery import Broken, Cut, Fate, Message
from pipeline.core.errors import PayloadError, Reason
from pipeline.core.field_path import Fields
from pipeline.core.mqtt_topics import TopicPattern
from pipeline.core.recent import Room
from pipeline.core.record import Record
from pipeline.encode.dead_letter import DeadLetters, Keep
from pipeline.normalise.binding import FromTopic
from tests.pipeline.flow import READING, Flow, headers_of, plan_of


def reading(**changes: Any) -> bytes:
    return orjson.dumps({**READING, **changes})


def dead(records: list[Record]) -> dict[str, str]:
    assert len(records) == 1
    assert records[0].message is None
    assert records[0].destination.topic == "bench.dead-letter.v1"
    return headers_of(records[0])


def test_readings_go_through_in_order() -> None:
    flow = Flow()
    records = flow.put(*(reading(device=f"d{at % 3}", pm10=float(at)) for at in range(30)))
    assert [orjson.loads(record.value)["pm10"]["value"] for record in records] == [float(at) for at in range(30)]
    assert flow.ledger.fates[Fate.PUBLISHED] == 30


def test_one_bad_message_costs_only_itself() -> None:
    flow = Flow()
    records = flow.put(reading(), b"{", reading(pm10=3.0))
    assert [record.message is None for record in records] == [False, True, False]
    letter = headers_of(records[1])
    assert records[1].value == b"{"
    assert (letter["ce_reason"], letter["ce_stage"], letter["ce_sourcetopic"]) == (
        "malformed",
        "decode",
        "city/aq/0001",
    )
    assert (letter["ce_connector"], letter["ce_dataclassification"]) == ("city-aq@0a1b2c3d", "restricted")
    assert letter["ce_detail"].startswith("Expected JSON")
    assert flow.memory.reasons == {Reason.MALFORMED: 1}


def test_a_refusal_of_the_model_names_its_stage() -> None:
    letter = dead(Flow().put(reading(ts="soon")))
    assert (letter["ce_stage"], letter["ce_reason"]) == ("normalise", "time_invalid")


def test_the_device_may_stand_in_the_topic() -> None:
    records = Flow(plan_of(device=FromTopic("device"))).put(reading(), topic="city/aq/0042")
    assert records[0].destination.key == b"urn:ngsi-ld:AirQualityObserved:bench:0042"


def test_a_topic_without_a_route_is_a_dead_letter() -> None:
    letter = dead(Flow().put(reading(), topic="city/unknown/1"))
    assert (letter["ce_reason"], letter["ce_stage"]) == ("no_route", "route")


@pytest.mark.parametrize("topic", ["city/aq/a\x01b", "city/aq/\ufffd"])
def test_a_topic_that_is_none_is_a_dead_letter(topic: str) -> None:
    flow = Flow(topic="city/other/{device}")
    assert dead(flow.put(reading(), topic=topic))["ce_reason"] == "topic_invalid"


def test_an_ignored_route_filters() -> None:
    flow = Flow()
    assert flow.put(b"noise", topic="city/debug/x") == []
    assert flow.ledger.fates[Fate.FILTERED] == 1


@pytest.mark.parametrize(("keep", "count"), [(False, 0), (True, 1)])
def test_retained_messages_are_old_values(keep: bool, count: int) -> None:
    assert len(Flow(keep_retained=keep).put(reading(), retained=True)) == count


def test_a_payload_above_the_limit_is_a_dead_letter() -> None:
    letter = dead(Flow(max_payload=100).put(reading()))
    assert letter["ce_reason"] == "payload_too_large"
    assert "at most 100 bytes" in letter["ce_detail"]


def test_what_was_cut_is_too_large_and_its_letter_tells_both_sizes() -> None:
    start = reading() + b" " * 4096  # would decode, and is longer than the limit, as each cut payload is
    flow = Flow()
    [record] = flow.put(Cut(start, 10_000_000))
    letter = dead([record])
    assert (letter["ce_reason"], letter["ce_stage"]) == ("payload_too_large", "decode")
    assert letter["ce_detail"] == "Expected at most 4096 bytes (max_payload), got 10000000."
    assert (letter["ce_payloadsize"], letter["ce_payloadkept"]) == ("10000000", str(len(start)))
    assert record.value == start
    assert flow.put(Cut(start, 10_000_000), topic="city/debug/x") == []  # its route ignores it, whole or cut


@pytest.mark.parametrize(("keep", "kept"), [("full", None), ("hash", "0"), ("none", "0")])
def test_a_letter_without_its_payload_tells_how_long_that_was(keep: Keep, kept: str | None) -> None:
    letters = DeadLetters("bench", "bench.dead-letter.v1", keep)
    about: dict[str, Any] = {"feed": "f", "connector": "", "stage": "s", "reason": Reason.MALFORMED, "detail": "d"}
    headers = headers_of(letters.record(Message("t", b"{bad", 1), **about))
    assert headers.get("ce_payloadkept") == kept
    assert headers.get("ce_payloadsize") == (kept and "4")
    cut = letters.record(Message("t", Cut(b"{bad", 9), 1), **about)
    assert "ce_payloadhash" not in headers_of(cut)
    assert headers_of(cut)["ce_payloadsize"] == "9"
    assert type(cut.value) is bytes


@pytest.mark.parametrize("pattern", ["#", "+/+/+"])
def test_no_route_takes_a_packet_that_breaks_the_rules(pattern: str) -> None:
    flow = Flow(topic=pattern)
    letter = dead(flow.put(Broken(b"2\x05\x00\x09abc", 7, "its inner lengths do not fit it"), topic="\ufffda/b/c"))
    assert (letter["ce_reason"], letter["ce_sourcetopic"]) == ("packet_invalid", "a/b/c")
    assert "its inner lengths do not fit it" in letter["ce_detail"]
    assert "ce_payloadsize" not in letter
    assert dead(flow.put(reading(), topic="\ufffda/+/c"))["ce_reason"] == "topic_invalid"


def test_what_a_decoder_raises_becomes_a_reason() -> None:
    def decode(payload: bytes) -> Fields:
        if payload == b"bug":
            raise ZeroDivisionError("oops")
        raise PayloadError("expected 3 bytes, got 5")

    flow = Flow(plan_of(decode=decode))
    assert dead(flow.put(b"short"))["ce_reason"] == "payload_error"
    letter = dead(flow.put(b"bug"))
    assert letter["ce_reason"] == "connector_failed"
    assert "ZeroDivisionError" in letter["ce_detail"]


def test_a_bug_of_ours_costs_one_message(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = plan_of()
    monkeypatch.setattr(plan, "fast", lambda *_: 1 / 0)
    letter = dead(Flow(plan).put(reading()))
    assert letter["ce_reason"] == "internal_error"


def test_messages_of_several_routes_and_fates_are_conserved() -> None:
    flow = Flow()
    for topic in ("city/aq/1", "city/debug/1", "city/x", "city/aq/2"):
        flow.put(reading(), b"x", reading(pm10=-1), topic=topic)
    assert sum(flow.ledger.fates) == flow.ledger.received == 12


@pytest.mark.parametrize(
    ("pattern", "topic", "expected"),
    [
        ("city/aq/{device}", "city/aq/1", True),
        ("city/aq/{device}", "city/aq/1/2", False),
        ("city/aq/{device}", "city/aq", False),
        ("city/+/x", "city/a/x", True),
        ("city/#", "city", True),
        ("city/#", "city/a/b", True),
        ("#", "$SYS/broker", False),
        ("$SYS/#", "$SYS/broker", True),
        ("+/a", "/a", True),
    ],
)
def test_patterns_match_as_mqtt_filters_do(pattern: str, topic: str, expected: bool) -> None:
    assert TopicPattern(pattern).matches(topic) is expected


def test_a_dead_letter_is_no_larger_than_its_payload_and_some_kilobytes() -> None:
    """MQTT's topics have up to 64 KiB: a key and a header of that size would not fit a topic of small messages."""
    flow = Flow()
    [letter] = flow.put(b"{}", topic="elsewhere/" + "\ue000" * 20_000)
    assert len(letter.destination.key) == 1024
    assert len(letter.headers) < 4096
    assert headers_of(letter)["ce_reason"] == "topic_invalid"
    assert not letter.destination.lasting


def test_long_topics_are_not_remembered() -> None:
    flow = Flow()
    flow.put(reading(), topic="city/aq/" + "x" * 60_000)
    assert not flow.router._known
    flow.put(reading())
    assert list(flow.router._known.young) == ["city/aq/0001"]


def test_entities_are_bounded_by_the_size_of_their_names() -> None:
    plan = plan_of(room=Room("entities", 1000, characters=12_000))
    flow = Flow(plan)
    for number in range(100):
        [record] = flow.put(reading(device=f"{number:03d}" + "\U0001f600" * 100))
        assert record.message is not None
        assert len(plan.entities) <= 10
    assert 0 < len(plan._entities) <= 20
