"""From a topic to its route: patterns, ignored topics, topics without one, and what is remembered of them."""

from __future__ import annotations

import pytest

from pipeline.core.delivery import Broken, Fate
from pipeline.core.mqtt_topics import TopicPattern
from tests.pipeline.flow import Flow, dead, reading


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


@pytest.mark.parametrize("pattern", ["#", "+/+/+"])
def test_no_route_takes_a_packet_that_breaks_the_rules(pattern: str) -> None:
    flow = Flow(topic=pattern)
    letter = dead(flow.put(Broken(b"2\x05\x00\x09abc", 7, "its inner lengths do not fit it"), topic="\ufffda/b/c"))
    assert (letter["ce_reason"], letter["ce_sourcetopic"]) == ("packet_invalid", "a/b/c")
    assert "its inner lengths do not fit it" in letter["ce_detail"]
    assert "ce_payloadsize" not in letter
    assert dead(flow.put(reading(), topic="\ufffda/+/c"))["ce_reason"] == "topic_invalid"


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


def test_long_topics_are_not_remembered() -> None:
    flow = Flow()
    flow.put(reading(), topic="city/aq/" + "x" * 60_000)
    assert not flow.router._known
    flow.put(reading())
    assert list(flow.router._known.young) == ["city/aq/0001"]
