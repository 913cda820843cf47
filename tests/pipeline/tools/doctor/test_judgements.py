"""Each judgement of the doctor by plain data: where the line between well and ill runs, and what is to be written."""

import shutil
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline import config
from pipeline.build.feed_kinds import BrokerFacts
from pipeline.config.root import Config
from pipeline.publish.survey import ClusterFacts, TopicFacts, Untold
from pipeline.tools.doctor import certificates, examination, kafka, machine, mqtt, worker
from pipeline.tools.doctor.certificates import Certificate
from pipeline.tools.doctor.finding import Judgement, text, worst
from pipeline.tools.doctor.machine import Folder
from tests.pipeline.cli.commands.golden_text import EXAMPLE, hold

MIB = 1024**2
GOOD = TopicFacts(
    "bench.AirQualityObserved.v1",
    partitions=6,
    replicas=3,
    in_sync=3,
    settings={
        "min.insync.replicas": "2",
        "retention.ms": "604800000",
        "max.message.bytes": "1048588",
        "message.timestamp.type": "LogAppendTime",
        "message.timestamp.after.max.ms": "3600000",
        "message.timestamp.before.max.ms": "9223372036854775807",
    },
    operations=frozenset({"Write", "Describe", "DescribeConfigs"}),
)

BY_CREATOR = {"message.timestamp.type": "CreateTime"}


def example(tmp_path: Path, **changes: Any) -> Config:
    content = yaml.safe_load(EXAMPLE.read_text(encoding="utf-8"))
    for key, change in changes.items():
        content[key] = {**content[key], **change} if isinstance(content.get(key), dict) else change
    file = tmp_path / "city.yaml"
    file.write_text(yaml.safe_dump(content), encoding="utf-8")
    return config.load(file, {})


def cluster(*topics: TopicFacts, brokers: int = 3) -> ClusterFacts:
    return ClusterFacts(brokers, 0.001, topics, Untold("not asked"))


def bad(found: Iterable[Judgement]) -> list[tuple[str, str]]:
    return [(each.check, each.severity) for each in found if each.severity not in {"ok", "info"}]


def test_the_worst_counts() -> None:
    made = [Judgement("a", "ok", ""), Judgement("b", "critical", ""), Judgement("c", "warning", "")]
    assert (worst(made), worst(made[::2]), worst([])) == ("critical", "warning", "ok")


def test_what_a_broker_says_is_no_command_to_a_terminal_and_no_line_of_the_report() -> None:
    tree = {"$SYS/broker/version": "\x1b[2J\x9b1m mosquitto\ncritical  all  is lost \u202e"}
    report = text("city.yaml", list(mqtt.judge_broker("city", BrokerFacts(0.001, tree))))
    assert all(line.isprintable() for line in report.splitlines())
    assert "\ncritical" not in report
    assert "\\x1b[2J" in report


@pytest.mark.parametrize("told", ["²", "--5", "1e3", "9" * 5000, "", "NaN"])
def test_a_setting_that_is_no_number_is_none(tmp_path: Path, told: str) -> None:
    changed = replace(GOOD, settings={**GOOD.settings, "retention.ms": told, "min.insync.replicas": told})
    assert [*kafka.judge_topics(example(tmp_path), cluster(changed))]


# The window


@pytest.mark.parametrize(
    ("rate", "severity", "change"),
    [
        (None, "ok", ""),
        (1_000.0, "ok", ""),
        (60_000.0, "warning", "max_in_flight: 6000"),
        (200_000.0, "critical", "max_in_flight: 20000"),
        (10_000_000.0, "critical", "max_in_flight: 65535"),
    ],
)
def test_the_window_against_the_rate(tmp_path: Path, rate: float | None, severity: str, change: str) -> None:
    """5,000 in flight and 50 ms until an acknowledgement: 100,000 messages/s."""
    made = example(tmp_path)
    waits = mqtt.delay(made, 0.049, 0.002, 0.001)
    [found] = mqtt.judge_window(made, "city", waits, rate, "")
    assert (found.severity, found.change) == (severity, change)
    assert "5000 in flight / 50.0 ms = 100,000 messages/s" in found.evidence
    assert found.place == ("feeds", "city", "max_in_flight")


@pytest.mark.parametrize(("rate", "severity"), [(9_000.0, "warning"), (20_000.0, "critical")])
def test_linger_is_named_when_it_is_the_cause(tmp_path: Path, rate: float, severity: str) -> None:
    """5,000 in flight and half a second, of which 450 ms are linger: a larger window is not what helps."""
    made = example(tmp_path, kafka={"linger": "450ms"})
    [found] = mqtt.judge_window(made, "city", mqtt.delay(made, 0.499, 0.002, 0.001), rate, "")
    assert (found.check, found.severity, found.change) == ("kafka.linger", severity, "linger: 10ms")
    assert "`linger` is the cause: 450.0 ms, 90% of that time" in found.evidence
    assert found.place == ("kafka", "linger")
    [found] = mqtt.judge_window(made, "city", mqtt.delay(made, 1.9, 0.002, 0.001), rate, "")
    assert found.check == "mqtt.window", "of two seconds, 450 ms are not the cause"


def test_a_judgement_has_the_very_line(tmp_path: Path) -> None:
    file = tmp_path / "city.yaml"
    shutil.copy(EXAMPLE, file)
    loaded = config.read(file, {})
    lines = file.read_text(encoding="utf-8").splitlines()

    there = examination._placed(
        loaded, Judgement("a", "warning", "", ("feeds", "city", "max_in_flight"), "max_in_flight: 9")
    )
    assert lines[int(there.line or 0) - 1].strip() == "max_in_flight: 5000"
    assert there.change == "max_in_flight: 9"
    absent = examination._placed(loaded, Judgement("a", "warning", "", ("kafka", "linger"), "linger: 10ms"))
    assert lines[int(absent.line or 0) - 1] == "kafka:"
    assert absent.change == "add below kafka: linger: 10ms"


def test_without_a_worker_the_delay_is_a_least_one(tmp_path: Path) -> None:
    waits = mqtt.delay(example(tmp_path), None, 0.002, 0.001)
    assert waits is not None
    assert waits.seconds == pytest.approx(0.010 + 0.002 + 0.001)
    assert waits.how.startswith("at least: linger 10.0 ms, 2.0 ms to Kafka")


def test_nothing_could_be_timed(tmp_path: Path) -> None:
    [found] = mqtt.judge_window(example(tmp_path), "city", None, 100.0, "")
    assert found.severity == "info"


def test_mosquittos_own_window(tmp_path: Path) -> None:
    made = example(tmp_path)
    waits = mqtt.Delay(0.02, "measured")
    assert bad(mqtt.judge_window(made, "city", waits, 400.0, "mosquitto version 2.0.21")) == []
    [found] = list(mqtt.judge_window(made, "city", waits, 2_000.0, "mosquitto version 2.0.21"))[1:]
    assert (found.check, found.file, found.change) == (
        "mqtt.broker_window",
        "mosquitto.conf",
        "max_inflight_messages 80",
    )
    assert len(list(mqtt.judge_window(made, "city", waits, 2_000.0, "emqx"))) == 1


# The broker


@pytest.mark.parametrize(("told", "severity"), [("0", "ok"), ("17", "critical"), ("?", "info"), (None, "info")])
def test_dropped_messages(told: str | None, severity: str) -> None:
    tree = {"$SYS/broker/version": "mosquitto version 2.0.21"}
    tree |= {} if told is None else {"$SYS/broker/publish/messages/dropped": told}
    queues, persistence = mqtt.judge_broker("city", BrokerFacts(0.001, tree))
    assert (queues.check, queues.severity) == ("mqtt.queues", severity)
    assert (persistence.severity, persistence.file) == ("info", "mosquitto.conf")


def test_a_minute_later_mosquitto_tells_the_rate_alone() -> None:
    version = {"$SYS/broker/version": "mosquitto version 2.0.21"}
    rate = {"$SYS/broker/load/publish/dropped/15min": "1.54"}
    lost, _ = mqtt.judge_broker("city", BrokerFacts(0.001, version | rate))
    assert (lost.severity, lost.change) == ("critical", "max_queued_messages 0")
    assert "1.54 messages a minute lately" in lost.evidence
    silent, _ = mqtt.judge_broker("city", BrokerFacts(0.001, version))
    assert "no message in the last minute" in silent.evidence


def test_a_broker_without_sys() -> None:
    [found] = mqtt.judge_broker("city", BrokerFacts(0.001))
    assert found.severity == "info"
    assert "unknown" in found.evidence
    assert list(mqtt.judge_broker("city", None)) == []


# The worker

PAGE = """# HELP headrace_reconnects Connections lost
headrace_received_messages_total{feed="city"} 7
headrace_conserved{feed="city"} 1
headrace_reconnects_total{feed="city",reason="closed"} %d
headrace_reconnects_total{feed="city",reason="unreachable"} 90
headrace_sessions_lost_total{feed="city"} %d
headrace_ingest_latency_seconds_sum{topic="a"} %g
headrace_ingest_latency_seconds_count{topic="a"} %d
headrace_ingest_latency_seconds_sum{topic="b"} 1.0
headrace_ingest_latency_seconds_count{topic="b"} 10
"""


def page(closed: int = 0, lost: int = 0, seconds: float = 1.0, count: int = 10) -> worker.Scrape:
    return worker.parse(PAGE % (closed, lost, seconds, count))


def test_latency_is_that_between_two_scrapes() -> None:
    assert worker.latency(None, None) is None
    assert worker.latency(None, page()) == pytest.approx(0.1)
    assert worker.latency(page(), page()) == pytest.approx(0.1)
    assert worker.latency(page(), page(seconds=2.0, count=110)) == pytest.approx(0.01)


@pytest.mark.parametrize(
    ("earlier", "later", "severity"), [(0, 0, "ok"), (2, 2, "ok"), (3, 3, "warning"), (0, 1, "critical")]
)
def test_two_clients_with_one_id(tmp_path: Path, earlier: int, later: int, severity: str) -> None:
    [found] = worker.judge(example(tmp_path), page(earlier), page(later))
    assert (found.check, found.severity) == ("mqtt.client_id", severity)
    assert bool(found.change) == (severity != "ok")


def test_what_else_a_worker_tells(tmp_path: Path) -> None:
    made = example(tmp_path)
    assert bad(worker.judge(made, page(), page(lost=2))) == [("mqtt.session", "warning")]
    broken = worker.parse((PAGE % (0, 0, 1.0, 10)).replace('conserved{feed="city"} 1', 'conserved{feed="city"} 0'))
    assert bad(worker.judge(made, page(), broken)) == [("worker.conservation", "critical")]
    full = PAGE % (0, 0, 1.0, 10) + (
        'headrace_in_flight_limit{feed="city"} 5000\n'
        'headrace_unacknowledged_messages{feed="city"} 5000\n'
        'headrace_datagrams_dropped_total{feed="city"} 3\n'
    )
    both = bad(worker.judge(made, worker.parse(full), worker.parse(full)))
    assert both == [("mqtt.window_full", "warning"), ("udp.dropped", "warning")]
    assert bad(worker.judge(made, page(), worker.parse(full))) == [("udp.dropped", "warning")]
    slow = full + "headrace_ingest_latency_seconds_sum 30\nheadrace_ingest_latency_seconds_count 50\n"
    lingering = example(tmp_path, kafka={"linger": "500ms"})
    found = bad(worker.judge(lingering, worker.parse(full), worker.parse(slow)))
    assert found == [("kafka.linger", "warning"), ("udp.dropped", "warning")]
    [nobody] = worker.judge(made, None, None)
    assert nobody.severity == "info"


# Topics


def judged(tmp_path: Path, brokers: int = 3, **changes: Any) -> list[Judgement]:
    settings = {**GOOD.settings, **changes.pop("settings", {})}
    facts = replace(GOOD, settings=settings, **changes)
    return list(kafka.judge_topics(example(tmp_path), cluster(facts, brokers=brokers)))


def test_a_topic_as_it_should_be(tmp_path: Path) -> None:
    assert bad(judged(tmp_path)) == []


@pytest.mark.parametrize(
    ("changes", "check", "severity", "change"),
    [
        ({"replicas": 1, "in_sync": 1, "settings": {"min.insync.replicas": "1"}}, "replication", "warning", "factor"),
        ({"in_sync": 2}, "in_sync", "warning", "broker"),
        ({"leaderless": 2}, "leaders", "critical", "Start"),
        ({"settings": {"min.insync.replicas": "1"}}, "min_insync_replicas", "warning", "min.insync.replicas=2"),
        ({"settings": {"min.insync.replicas": "3"}}, "min_insync_replicas", "warning", "min.insync.replicas=2"),
        ({"settings": {"min.insync.replicas": "4"}}, "min_insync_replicas", "critical", "min.insync.replicas=3"),
        ({"settings": {"unclean.leader.election.enable": "true"}}, "leaders", "warning", "enable=false"),
        ({"settings": {"cleanup.policy": "compact"}}, "retention", "warning", "cleanup.policy=delete"),
        ({"settings": {"retention.ms": "60000"}}, "retention", "warning", "retention.ms="),
        ({"settings": BY_CREATOR}, "timestamps", "warning", "message.timestamp.type=LogAppendTime"),
        (
            {"settings": {**BY_CREATOR, "message.timestamp.before.max.ms": "1000"}},
            "timestamps",
            "warning",
            "message.timestamp.type=LogAppendTime",
        ),
        ({"operations": frozenset({"Describe"})}, "rights", "critical", "--operation Write"),
    ],
)
def test_a_topic_with_a_fault(tmp_path: Path, changes: dict[str, Any], check: str, severity: str, change: str) -> None:
    [found] = [each for each in judged(tmp_path, **changes) if each.severity not in {"ok", "info"}]
    assert (found.check, found.severity) == (f"kafka.{check}", severity)
    assert change in found.change
    assert found.evidence.startswith(GOOD.name)


def test_sizes_that_fit_are_said_to_fit(tmp_path: Path) -> None:
    assert "kafka.sizes" in {each.check for each in judged(tmp_path)}
    assert "kafka.sizes" not in {each.check for each in judged(tmp_path, settings={"max.message.bytes": "262143"})}, (
        "`check --connect` says that one"
    )


def test_what_kafka_does_not_tell(tmp_path: Path) -> None:
    found = kafka.judge_topics(example(tmp_path), cluster(replace(GOOD, settings={}, operations=None)))
    said = {each.check: each.severity for each in found}
    assert (said["kafka.settings"], said["kafka.rights"]) == ("info", "info")


def test_a_stream_promises_more_than_is_kept(tmp_path: Path) -> None:
    made = example(tmp_path, streams={"AirQualityObserved": {"retention": "30d"}})
    [found] = [each for each in kafka.judge_topics(made, cluster(GOOD)) if each.severity == "warning"]
    assert found.evidence.endswith("records are kept 7d (retention.ms), and the stream promises 30d.")
    assert found.change.endswith(f"--entity-name {GOOD.name} --add-config retention.ms=2592000000")


def test_topics_with_the_same_fault_are_one_finding(tmp_path: Path) -> None:
    letters = replace(GOOD, name="bench.dead-letter.v1", in_sync=2)
    facts = cluster(replace(GOOD, in_sync=2), letters)
    [found] = [each for each in kafka.judge_topics(example(tmp_path), facts) if each.severity == "warning"]
    assert found.evidence.startswith(f"{GOOD.name}, {letters.name}: ")
    assert found.change == "Find out which broker is down or slow."
    unfit = {**GOOD.settings, "min.insync.replicas": "1"}
    facts = cluster(replace(GOOD, settings=unfit), replace(letters, in_sync=3, settings=unfit))
    [found] = [each for each in kafka.judge_topics(example(tmp_path), facts) if each.severity == "warning"]
    assert f"--entity-name {GOOD.name} " in found.change
    assert found.change.endswith(f", and so for {letters.name}")


def test_not_idempotent(tmp_path: Path) -> None:
    found = kafka.judge_topics(example(tmp_path, kafka={"idempotent": False}), cluster(GOOD))
    assert bad(found) == [("kafka.acks", "warning")]


# Certificates and the machine


@pytest.mark.parametrize(("days", "severity"), [(-1, "critical"), (3, "warning"), (90, "ok")])
def test_a_certificates_end(days: int, severity: str) -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    found = certificates.judge(Certificate("the broker", ("feeds",), now + timedelta(days=days)), now)
    assert (found.check, found.severity) == ("tls.expiry", severity)


def test_no_certificate() -> None:
    found = certificates.judge(Certificate("the broker", ("feeds",), None, "no TLS."), datetime.now(UTC))
    assert (found.severity, found.evidence) == ("critical", "the broker: no TLS.")


FOLDER = Folder(Path("state"), writable=True, free=4096 * MIB, kind="ext4", feeds={"city": "headrace-bench"})


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, []),
        ({"writable": False}, [("state.folder", "critical")]),
        ({"free": 100 * MIB}, [("state.disk", "warning")]),
        ({"free": 10 * MIB}, [("state.disk", "critical")]),
        ({"kind": "nfs4"}, [("state.shared", "warning")]),
        ({"feeds": {"city": "another"}}, [("state.shared", "warning")]),
        ({"feeds": {"town": "headrace-town"}}, [("state.shared", "warning")]),
    ],
)
def test_the_folder_of_state(tmp_path: Path, changes: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    assert bad(machine.judge_folder(example(tmp_path), replace(FOLDER, **changes))) == expected


def test_a_folder_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "city.mqtt-session.json").write_text('{"client_id": "headrace-bench"}', encoding="utf-8")
    found = machine.folder(tmp_path)
    assert found.writable
    assert found.free > 0
    assert found.kind
    assert found.feeds == {"city": "headrace-bench"}
    assert machine.folder(tmp_path / "none" / "yet").free == pytest.approx(found.free, rel=0.2)


def test_open_files_and_the_clock(tmp_path: Path) -> None:
    made = example(tmp_path)
    assert machine.judge_open_files(made, 100).severity == "critical"
    assert machine.judge_open_files(made, 1024).severity == "ok"
    assert machine.judge_clock(None).severity == "warning"
    assert "to 12 ms at worst" in machine.judge_clock(0.0123).evidence


def test_the_report() -> None:
    found = [
        Judgement("mqtt.window", "critical", "feed city: 10 in flight.", (), "max_in_flight: 40", "city.yaml", 11),
        Judgement("mqtt.queues", "critical", "feed city: 7 dropped.", (), "max_queued_messages 0", "mosquitto.conf"),
        Judgement("kafka.replication", "warning", "a.v1: one copy.", (), "replication_factor: 3", "city.yaml", 4),
        Judgement("worker", "info", "no worker answers.", ("admin",), "", "city.yaml", 1),
        Judgement("kafka.acks", "ok", "acks=all.", (), "", "city.yaml", 3),
    ]
    hold("doctor.txt", text("city.yaml", found) + "\n")
