"""The headline of the page and of `headrace top`: green only where nothing wants a look."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.observe.page.recent import Point
from pipeline.observe.page.snapshot import GOOD, verdict

QUIET: Point = (1_700_000_000_000, 100.0, 100.0, 0.0, 0.01, 0.02)
FEED = {"name": "city", "in_flight": 0, "limit": 5000, "oldest": 0.0, "patience": 0.76}
TOLD: dict[str, Any] = {
    "not_ready": [],
    "conserved": True,
    "config_refused": [],
    "remarks": [],
    "feeds": [FEED],
    "devices": {"seen": 100, "silent": {}, "silent_gateways": 0},
}


def judged(points: list[Point] | None = None, **changes: Any) -> dict[str, Any]:
    return verdict({**TOLD, **changes}, [QUIET] * 300 if points is None else points)


def test_all_is_well() -> None:
    assert judged() == {"kind": "good", "words": GOOD, "reasons": []}


def test_no_green_headline_above_dead_letters() -> None:
    """457 dead letters in five minutes of 100 messages/s are 1.5 %: few enough to be called well, and not well."""
    dead: Point = (1_700_000_000_000, 100.0, 98.5, 457 / 300, 0.01, 0.02)
    assert judged([dead] * 300) == {
        "kind": "look",
        "words": "Messages flow; something wants a look",
        "reasons": ["457 dead letters in the last five minutes: see the reasons."],
    }
    assert judged([QUIET] * 299 + [(1_700_000_000_000, 1.0, 0.0, 1.0, None, None)])["reasons"] == [
        "1 dead letter in the last five minutes: see the reasons."
    ]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"remarks": ["The state folder cannot be written."]}, "The state folder cannot be written."),
        ({"config_refused": ["city.yaml:3"]}, "The configuration file was refused at the last reload"),
        ({"feeds": [{**FEED, "in_flight": 4501}]}, "The lane of feed city is nearly full"),
        ({"feeds": [{**FEED, "oldest": 4.2}]}, "A message of feed city has waited for more than 2 s"),
        ({"feeds": [{**FEED, "oldest": 0.8}]}, "A message of feed city has waited for more than 500 ms"),
        ({"devices": {"seen": 1, "silent": {}, "silent_gateways": 2}}, "2 gateways are silent."),
        ({"devices": {"seen": 9, "silent": {"1h": 1}, "silent_gateways": 0}}, "1 of 9 devices is silent."),
    ],
)
def test_what_wants_a_look(changes: dict[str, Any], reason: str) -> None:
    found = judged(**changes)
    assert found["kind"] == "look"
    assert found["reasons"][0].startswith(reason)


def test_what_is_bad_comes_first() -> None:
    found = judged(not_ready=["Kafka is away."], conserved=False, remarks=["Look here."])
    assert (found["kind"], found["words"]) == ("bad", "Messages do not all flow")
    assert found["reasons"][0] == "Kafka is away."
    assert found["reasons"][2] == "Look here."
