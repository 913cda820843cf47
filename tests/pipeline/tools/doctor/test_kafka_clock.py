"""Our clock against Kafka's: from where on it is a fault, and of what weight."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline.publish.survey import ClockFacts, ClusterFacts, Untold
from pipeline.tools.doctor import kafka
from pipeline.tools.doctor.finding import Judgement
from tests.pipeline.tools.doctor.test_judgements import BY_CREATOR, GOOD, example


def judged(tmp_path: Path, told: ClockFacts | Untold, **settings: str) -> Judgement:
    changed = {**GOOD.settings, **BY_CREATOR, **{name.replace("_", "."): value for name, value in settings.items()}}
    return kafka.judge_clock(example(tmp_path), ClusterFacts(3, 0.001, (replace(GOOD, settings=changed),), told))


PAST = "message.timestamp.before.max.ms"
AHEAD = "message.timestamp.after.max.ms"


@pytest.mark.parametrize(
    ("ahead", "severity", "settings"),
    [
        (0.0, "ok", {}),
        (1.0, "ok", {}),
        (-1.0, "ok", {}),
        (1.1, "warning", {}),
        (-1.1, "warning", {}),
        (1799.0, "warning", {}),
        (1801.0, "critical", {}),  # half of GOOD's hour
        (-7200.0, "warning", {}),
        (-302_500.0, "critical", {}),  # half of GOOD's seven days of retention
        (-302_500.0, "warning", {"cleanup_policy": "compact"}),
        (-1801.0, "critical", {PAST: "3600000"}),
        (-1799.0, "warning", {PAST: "3600000"}),
        (0.6, "critical", {AHEAD: "1000"}),
        (0.4, "ok", {AHEAD: "1000"}),
        (0.005, "ok", {AHEAD: "0"}),  # less than the round trip may be wrong by
        (0.05, "critical", {AHEAD: "0"}),
        (1801.0, "warning", {"message_timestamp_type": "LogAppendTime"}),
        (-302_500.0, "warning", {"message_timestamp_type": "LogAppendTime"}),
    ],
)
def test_from_where_on_a_clock_is_wrong(tmp_path: Path, ahead: float, severity: str, settings: dict[str, Any]) -> None:
    found = judged(tmp_path, ClockFacts(ahead, 0.01, 1), **settings)
    assert (found.check, found.severity) == ("kafka.clock", severity)
    assert bool(found.change) == (severity != "ok")


def test_what_the_round_trip_may_have_done_is_no_fault(tmp_path: Path) -> None:
    assert judged(tmp_path, ClockFacts(1.4, 1.0, 1)).severity == "ok"
    assert judged(tmp_path, ClockFacts(1.6, 1.0, 1)).severity == "warning"


def test_settings_that_may_not_be_read_are_those_that_kafka_has_by_itself(tmp_path: Path) -> None:
    facts = ClusterFacts(3, 0.001, (replace(GOOD, settings={}),), ClockFacts(1801.0, 0.01, 1))
    assert kafka.judge_clock(example(tmp_path), facts).severity == "critical"
    facts = replace(facts, clock=ClockFacts(-1e7, 0.01, 1))
    assert kafka.judge_clock(example(tmp_path), facts).severity == "warning"


def test_what_a_person_reads(tmp_path: Path) -> None:
    found = judged(tmp_path, ClockFacts(7200.25, 0.008, 4))
    assert found.evidence == (
        "this clock is 7,200.250 s ahead of that of Kafka's node 4, give or take 0.005 s (round trip 0.008 s): "
        f"{GOOD.name} refuses records 1h ahead (message.timestamp.after.max.ms)."
    )
    assert found.change.startswith("timedatectl set-ntp true")
    assert "is 2.000 s behind that of" in judged(tmp_path, ClockFacts(-2.0, 0.008, 4)).evidence


def test_a_time_that_is_not_told_is_no_fault(tmp_path: Path) -> None:
    found = judged(tmp_path, Untold("Kafka does not say."))
    assert (found.severity, found.change) == ("info", "")
    assert found.evidence == "what time Kafka has is unknown: Kafka does not say."
    found = judged(tmp_path, Untold("Kafka answered CLUSTER_AUTHORIZATION_FAILED.", forbidden=True))
    assert found.severity == "info"
    assert found.change.startswith("kafka-acls.sh --bootstrap-server ")
    assert found.change.endswith(" --operation Describe --cluster")
