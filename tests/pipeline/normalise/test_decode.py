"""From a payload to fields and a device: limits, old values, and whatever a decoder raises."""

from __future__ import annotations

import pytest

from pipeline.core.delivery import Cut
from pipeline.core.errors import PayloadError, Reason
from pipeline.core.field_path import Fields
from pipeline.normalise.binding import FromTopic
from tests.pipeline.flow import Flow, dead, headers_of, plan_of, reading


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


def test_the_device_may_stand_in_the_topic() -> None:
    records = Flow(plan_of(device=FromTopic("device"))).put(reading(), topic="city/aq/0042")
    assert records[0].destination.key == b"urn:ngsi-ld:AirQualityObserved:bench:0042"


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
