"""The clock of this machine against Kafka's: times of arrival are ours, and Kafka refuses and deletes by its own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from pipeline.config.root import Config
from pipeline.config.values import spell_seconds
from pipeline.core.clock import TOLERATED as CORRECTED
from pipeline.publish.options import BY_KAFKA, STAMPED
from pipeline.publish.quorum import ClockFacts
from pipeline.publish.survey import ClusterFacts, TopicFacts
from pipeline.tools.doctor.finding import Finding
from pipeline.tools.doctor.topics import HOUR_MS, number
from pipeline.tools.topics import plan

_CHECK = "kafka.clock"
_TOLERATED = 1.0
_NEAR = 0.5  # of what breaks something
_CHANGE = "timedatectl set-ntp true, here and on Kafka's machines: one of the two is wrong"


class _Limit(NamedTuple):
    """What breaks: seconds, and what becomes of a record from then on."""

    seconds: float
    outcome: str


def judge(config: Config, facts: ClusterFacts) -> Finding:
    """Judge the distance of the two clocks by what Kafka makes of it; what may be the round trip's is no fault."""
    clock = facts.clock
    if not isinstance(clock, ClockFacts):
        change = _allow(config) if clock.forbidden else ""
        return Finding(_CHECK, "info", f"what time Kafka has is unknown: {clock.why}", change=change)
    ahead = clock.ahead > 0
    said = (
        f"this clock is {abs(clock.ahead):,.3f} s {'ahead of' if ahead else 'behind'} that of Kafka's node "
        f"{clock.node}, give or take {clock.doubt:.3f} s (round trip {clock.round_trip:.3f} s)"
    )
    certain = abs(clock.ahead) - clock.doubt
    limits = (limit for topic in facts.topics for limit in (_ahead(topic) if ahead else _behind(topic)))
    nearest = min(limits, default=None)
    if nearest is not None and certain > 0 and certain >= nearest.seconds * _NEAR:
        return Finding(_CHECK, "critical", f"{said}: {nearest.outcome}.", change=_CHANGE)
    if certain > CORRECTED:
        return Finding(_CHECK, "warning", f"{said}: a worker goes by Kafka's meanwhile.", change=_CHANGE)
    if certain > _TOLERATED:
        return Finding(_CHECK, "warning", f"{said}: the times of arrival in records are wrong by it.", change=_CHANGE)
    return Finding(_CHECK, "ok", f"{said}.")


def _ahead(topic: TopicFacts) -> Iterator[_Limit]:
    if topic.settings.get(STAMPED) != BY_KAFKA:
        most = number(topic, "message.timestamp.after.max.ms", HOUR_MS) / 1000
        yield _Limit(most, f"{topic.name} refuses records {spell_seconds(most)} ahead (message.timestamp.after.max.ms)")


def _behind(topic: TopicFacts) -> Iterator[_Limit]:
    """Yield what befalls late records; those that wait for Kafka are later still."""
    if topic.settings.get(STAMPED) == BY_KAFKA:
        return
    most = number(topic, "message.timestamp.before.max.ms", -1) / 1000
    if most >= 0:
        yield _Limit(most, f"{topic.name} refuses records {spell_seconds(most)} old (message.timestamp.before.max.ms)")
    kept = number(topic, "retention.ms", -1) / 1000
    if kept >= 0 and "delete" in topic.settings.get("cleanup.policy", "delete"):
        yield _Limit(kept, f"{topic.name} deletes records {spell_seconds(kept)} old (retention.ms)")


def _allow(config: Config) -> str:
    tool = f"kafka-acls.sh --bootstrap-server {','.join(config.kafka.bootstrap_servers)} --add"
    return f"{tool} --allow-principal {plan(config, '').principal} --operation Describe --cluster"
