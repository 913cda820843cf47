"""Kafka's topics, against what is written to them: copies, sizes, times, retention and permissions."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from pipeline.build import options as wiring
from pipeline.config.findings import Place
from pipeline.config.root import Config
from pipeline.config.values import spell_seconds
from pipeline.core.clock import TOLERATED as CORRECTED
from pipeline.core.record import DEVICE, DEVICE_MODEL
from pipeline.publish.accumulator import MAX_VALUE
from pipeline.publish.options import BY_KAFKA, STAMPED
from pipeline.publish.survey import ClockFacts, ClusterFacts, TopicFacts
from pipeline.tools.doctor.finding import Judgement, Severity
from pipeline.tools.topics import plan

_CHECK = "kafka.clock"
_TOLERATED = 1.0
_NEAR = 0.5  # of what breaks something
_CHANGE = "timedatectl set-ntp true, here and on Kafka's machines: one of the two is wrong"


class _Limit(NamedTuple):
    """What breaks: seconds, and what becomes of a record from then on."""

    seconds: float
    outcome: str


def judge_clock(config: Config, facts: ClusterFacts) -> Judgement:
    """Judge the distance of the two clocks by what Kafka makes of it; what may be the round trip's is no fault."""
    clock = facts.clock
    if not isinstance(clock, ClockFacts):
        change = _allow_clock(config) if clock.forbidden else ""
        return Judgement(_CHECK, "info", f"what time Kafka has is unknown: {clock.why}", change=change)
    ahead = clock.ahead > 0
    said = (
        f"this clock is {abs(clock.ahead):,.3f} s {'ahead of' if ahead else 'behind'} that of Kafka's node "
        f"{clock.node}, give or take {clock.doubt:.3f} s (round trip {clock.round_trip:.3f} s)"
    )
    certain = abs(clock.ahead) - clock.doubt
    limits = (limit for topic in facts.topics for limit in (_ahead(topic) if ahead else _behind(topic)))
    nearest = min(limits, default=None)
    if nearest is not None and certain > 0 and certain >= nearest.seconds * _NEAR:
        return Judgement(_CHECK, "critical", f"{said}: {nearest.outcome}.", change=_CHANGE)
    if certain > CORRECTED:
        return Judgement(_CHECK, "warning", f"{said}: a worker goes by Kafka's meanwhile.", change=_CHANGE)
    if certain > _TOLERATED:
        return Judgement(_CHECK, "warning", f"{said}: the times of arrival in records are wrong by it.", change=_CHANGE)
    return Judgement(_CHECK, "ok", f"{said}.")


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


def _allow_clock(config: Config) -> str:
    tool = f"kafka-acls.sh --bootstrap-server {','.join(config.kafka.bootstrap_servers)} --add"
    return f"{tool} --allow-principal {plan(config, '').principal} --operation Describe --cluster"


HOUR_MS = 3_600_000
_WANTED_COPIES = 3
_WANTED_IN_SYNC = 2
_SHORTEST_PAST_MS = HOUR_MS  # Kafka may be away for a while, and records wait with the time of their arrival
_NEEDED = "Write", "Describe"
_NAME = "{topic}"
_NUMBER = re.compile(r"-?[0-9]{1,19}")


class _Said(NamedTuple):
    """A judgement of a topic, the same for all topics that it is true of. change: `{topic}` stands for its name."""

    check: str
    severity: Severity
    evidence: str
    change: str = ""
    place: Place = ("kafka", "topics")


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What the configuration makes of a topic.

    Attributes:
        retention: Seconds that its stream promises, or None.
    """

    retention: float | None
    compact: bool
    principal: str
    bootstrap: str
    chunk_bytes: int


def judge_topics(config: Config, facts: ClusterFacts) -> Iterator[Judgement]:
    """Judge every topic that is there; one that is missing is said by `check --connect`."""
    said: dict[_Said, list[str]] = {}
    promised = _wanted(config)
    for topic in facts.topics:
        for judgement in _judged(topic, promised[topic.name], facts.brokers):
            said.setdefault(judgement, []).append(topic.name)
    for judgement, names in said.items():
        change = judgement.change.replace(_NAME, names[0])
        if change != judgement.change and names[1:]:
            change += f", and so for {', '.join(names[1:])}"
        evidence = f"{', '.join(names)}: {judgement.evidence}"
        yield Judgement(judgement.check, judgement.severity, evidence, judgement.place, change)
    yield from _producer(config)


def _producer(config: Config) -> Iterator[Judgement]:
    place = ("kafka", "idempotent")
    if config.kafka.idempotent:
        yield Judgement("kafka.acks", "ok", "acks=all, and Kafka removes what a retry would write twice.", place)
    else:
        said = "acks=all, but not idempotent: a lost answer can write a batch twice, and out of order."
        yield Judgement("kafka.acks", "warning", said, place, "idempotent: true")


def _wanted(config: Config) -> Mapping[str, _Wanted]:
    principal = plan(config, "").principal
    bootstrap = ",".join(config.kafka.bootstrap_servers)
    models = {topic: model for model, topic in wiring.topics(config).items()}
    return {
        name: _Wanted(
            retention=config.stream(models[name]).retention if name in models else None,
            compact=models.get(name) in {DEVICE, DEVICE_MODEL},
            principal=principal,
            bootstrap=bootstrap,
            chunk_bytes=config.kafka.chunk_bytes,
        )
        for name in wiring.all_topics(config)
    }


def _judged(topic: TopicFacts, wanted: _Wanted, brokers: int) -> Iterator[_Said]:
    yield from _copies(topic, brokers)
    yield from _rights(topic, wanted)
    if not topic.settings:
        said = "its settings may not be read (DescribeConfigs), so limits and retention are unknown."
        yield _Said("kafka.settings", "info", said, _allow(wanted, "DescribeConfigs"))
        return
    aspects: Iterable[Callable[[TopicFacts, _Wanted], Iterator[_Said]]] = (_in_sync, _kept, _times, _size)
    for aspect in aspects:
        yield from aspect(topic, wanted)


def _copies(topic: TopicFacts, brokers: int) -> Iterator[_Said]:
    place = ("kafka", "create_topics", "replication_factor")
    if topic.leaderless:
        said = f"{topic.leaderless} of its {topic.partitions} partitions have no leader: their records wait."
        yield _Said("kafka.leaders", "critical", said, "Start the brokers that have them.")
    if topic.replicas == 1:
        said = f"one copy of each record, on {brokers} broker(s): a disk that is lost takes confirmed records with it."
        change = (
            f"replication_factor: {_WANTED_COPIES}, for topics yet to be made; kafka-reassign-partitions.sh for these."
        )
        yield _Said("kafka.replication", "warning", said, change, place)
    else:
        yield _Said("kafka.replication", "ok", f"{topic.replicas} copies on {brokers} brokers.", place=place)
    if topic.in_sync < topic.replicas:
        said = f"{topic.in_sync} of {topic.replicas} copies are in sync."
        yield _Said("kafka.in_sync", "warning", said, "Find out which broker is down or slow.")


def _in_sync(topic: TopicFacts, wanted: _Wanted) -> Iterator[_Said]:
    least = number(topic, "min.insync.replicas", 1)
    check = "kafka.min_insync_replicas"
    if least > topic.in_sync:
        said = f"min.insync.replicas={least}, and {topic.in_sync} are in sync: Kafka refuses every write."
        yield _Said(check, "critical", said, _alter(wanted, f"min.insync.replicas={max(1, topic.in_sync)}"))
    elif topic.replicas > 1 and least == 1:
        said = "min.insync.replicas=1: acks=all may then mean one copy, and a lost disk loses confirmed records."
        yield _Said(check, "warning", said, _alter(wanted, f"min.insync.replicas={_WANTED_IN_SYNC}"))
    elif topic.replicas > 1 and least == topic.replicas:
        said = f"min.insync.replicas={least} of {topic.replicas} copies: one broker that restarts stops all writing."
        yield _Said(check, "warning", said, _alter(wanted, f"min.insync.replicas={topic.replicas - 1}"))
    elif topic.replicas > 1:
        yield _Said(check, "ok", f"min.insync.replicas={least} of {topic.replicas} copies.")
    if topic.settings.get("unclean.leader.election.enable") == "true":
        said = "unclean.leader.election.enable=true: a copy that lags may lead, and confirmed records vanish."
        yield _Said("kafka.leaders", "warning", said, _alter(wanted, "unclean.leader.election.enable=false"))


def _kept(topic: TopicFacts, wanted: _Wanted) -> Iterator[_Said]:
    policy = topic.settings.get("cleanup.policy", "delete")
    if wanted.compact != ("compact" in policy):
        meant, why = (
            ("compact", "the latest state of a device is deleted in time")
            if wanted.compact
            else ("delete", "of a device's readings only the latest stays")
        )
        said = f"cleanup.policy={policy}: {why}."
        yield _Said("kafka.retention", "warning", said, _alter(wanted, f"cleanup.policy={meant}"))
    kept = number(topic, "retention.ms", -1)
    if "delete" not in policy or kept < 0:
        return
    promised = round((wanted.retention or 0) * 1000)
    said = f"records are kept {spell_seconds(kept / 1000)} (retention.ms)"
    if kept < promised:
        said += f", and the stream promises {spell_seconds(promised / 1000)}."
        yield _Said("kafka.retention", "warning", said, _alter(wanted, f"retention.ms={promised}"), ("streams",))
    elif kept < HOUR_MS:
        said += ": a consumer that is away for longer misses them."
        yield _Said("kafka.retention", "warning", said, _alter(wanted, "retention.ms=604800000"))
    else:
        yield _Said("kafka.retention", "ok", f"{said}.")


def _times(topic: TopicFacts, wanted: _Wanted) -> Iterator[_Said]:
    if topic.settings.get(STAMPED) == BY_KAFKA:
        said = f"{STAMPED}={BY_KAFKA}: Kafka stamps records by its own clock; arrival is in ce_recordedtime."
        yield _Said("kafka.timestamps", "ok", said)
        return
    past = number(topic, "message.timestamp.before.max.ms", HOUR_MS)
    if past < _SHORTEST_PAST_MS:
        said = (
            f"message.timestamp.before.max.ms={past}: records that waited longer for Kafka are refused under the time "
            "of their arrival, and go without one."
        )
        yield _Said("kafka.timestamps", "warning", said, _alter(wanted, f"{STAMPED}={BY_KAFKA}"))
    else:
        ahead = number(topic, "message.timestamp.after.max.ms", HOUR_MS)
        refused = f" and refused {spell_seconds(ahead / 1000)} ahead" if ahead < 365 * 24 * HOUR_MS else ""
        said = f"{STAMPED}=CreateTime: records are kept by the worker's clock{refused}, which may be wrong."
        yield _Said("kafka.timestamps", "warning", said, _alter(wanted, f"{STAMPED}={BY_KAFKA}"))


def _size(topic: TopicFacts, wanted: _Wanted) -> Iterator[_Said]:
    # Too small a limit is said by `check --connect`, with the line of `chunk_bytes`.
    limit = number(topic, "max.message.bytes", 0)
    if limit >= max(wanted.chunk_bytes, MAX_VALUE):
        said = f"max.message.bytes={limit}: chunks of {wanted.chunk_bytes} and records of {MAX_VALUE} bytes fit."
        yield _Said("kafka.sizes", "ok", said, place=("kafka", "chunk_bytes"))


def _rights(topic: TopicFacts, wanted: _Wanted) -> Iterator[_Said]:
    if topic.operations is None:
        said = "Kafka does not say what we may do (before 2.3, or without an authorizer)."
        yield _Said("kafka.rights", "info", said)
        return
    lacking = [each for each in _NEEDED if each not in topic.operations]
    if lacking:
        said = f"{wanted.principal} may not {' and '.join(lacking)}."
        yield _Said("kafka.rights", "critical", said, _allow(wanted, *lacking))
    else:
        yield _Said("kafka.rights", "ok", f"allowed: {', '.join(sorted(topic.operations))}.")


def number(topic: TopicFacts, name: str, otherwise: int) -> int:
    """Return a setting of a topic; `otherwise` where Kafka tells none, or no number."""
    text = topic.settings.get(name, "")
    return int(text) if _NUMBER.fullmatch(text) else otherwise


def _alter(wanted: _Wanted, setting: str) -> str:
    tool = f"kafka-configs.sh --bootstrap-server {wanted.bootstrap} --alter --entity-type topics"
    return f"{tool} --entity-name {_NAME} --add-config {setting}"


def _allow(wanted: _Wanted, *operations: str) -> str:
    tool = f"kafka-acls.sh --bootstrap-server {wanted.bootstrap} --add --allow-principal {wanted.principal}"
    return f"{tool} {' '.join(f'--operation {each}' for each in operations)} --topic {_NAME}"
