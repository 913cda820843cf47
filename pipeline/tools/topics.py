"""`headrace topics`: what Kafka must have before a worker starts, ready to apply.

Every topic and every right, from the configuration, as a table, a shell script, or Strimzi's resources.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from shlex import quote

from pipeline.build import options as wiring
from pipeline.config.kafka import CreateTopicsConfig
from pipeline.config.root import Config
from pipeline.config.values import spell_seconds

_DEFAULT_PARTITIONS = 6
BROKERS = "the broker's default"
_CLEANUP, _RETENTION = "cleanup.policy", "retention.ms"


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic.

    Attributes:
        holds: What is in it.
        replicas: None for the broker's default.
        settings: By Kafka's names.
    """

    name: str
    holds: str
    partitions: int
    replicas: int | None
    settings: Mapping[str, str]

    @property
    def cleanup(self) -> str:
        """Kafka's cleanup policy."""
        return self.settings[_CLEANUP]

    @property
    def retention(self) -> str:
        """How long a record is kept, for a person."""
        ms = self.settings.get(_RETENTION)
        if ms is None:
            return BROKERS
        return "for ever" if int(ms) < 0 else spell_seconds(int(ms) / 1000)


@dataclass(frozen=True, slots=True)
class Right:
    """What the principal must be allowed on a topic, or (without a name) on the cluster.

    Attributes:
        why: A remark, or empty.
    """

    topic: str | None
    operations: tuple[str, ...]
    why: str = ""


@dataclass(frozen=True, slots=True)
class TopicsPlan:
    """All of it.

    Attributes:
        rights: Of a worker.
        readers: Of `tail` and `replay` on top.
    """

    file: str
    bootstrap: str
    principal: str
    topics: tuple[Topic, ...]
    rights: tuple[Right, ...]
    readers: tuple[Right, ...]


def plan(
    config: Config,
    file: str,
    *,
    principal: str | None = None,
    partitions: int | None = None,
    replicas: int | None = None,
) -> TopicsPlan:
    """Return what the configuration needs; the arguments take the place of what it says, or does not say."""
    creates = config.kafka.create_topics
    wanted = creates or CreateTopicsConfig(partitions=_DEFAULT_PARTITIONS)
    changes = {"partitions": partitions, "replication_factor": replicas}
    wanted = wanted.model_copy(update={key: value for key, value in changes.items() if value is not None})
    kafka = config.kafka.model_copy(update={"create_topics": wanted})
    made = wiring.kafka_options(config.model_copy(update={"kafka": kafka})).create_topics
    settings = {} if made is None else made.configs
    holds = {name: model for model, name in wiring.topics(config).items()}
    holds |= {config.dead_letter_topic: "dead letters", config.device_events_topic: "device events"}
    topics = tuple(
        Topic(
            name=name,
            holds=holds.get(name, ""),
            partitions=wanted.partitions,
            replicas=wanted.replication_factor,
            settings={_CLEANUP: "delete", **each},
        )
        for name, each in settings.items()
    )
    return TopicsPlan(
        file=file,
        bootstrap=",".join(config.kafka.bootstrap_servers),
        principal=principal or _principal(config),
        topics=topics,
        rights=_rights(config, topics, creates=creates is not None),
        readers=tuple(Right(topic.name, ("Read", "Describe")) for topic in topics),
    )


def _principal(config: Config) -> str:
    sasl = config.kafka.sasl
    name = None if sasl is None else sasl.username or sasl.client_id
    return f"User:{name or 'headrace'}"


def _rights(config: Config, topics: tuple[Topic, ...], *, creates: bool) -> tuple[Right, ...]:
    # Describe comes with Write in Kafka's own authorizer; others want it said.
    operations = ("Write", "Describe", "DescribeConfigs", *(("Create",) if creates else ()))
    rights = [Right(topic.name, operations) for topic in topics]
    if config.kafka.idempotent:
        rights.append(Right(None, ("IdempotentWrite",), "Kafka before 3.0; later ones take it from Write"))
    rights.append(Right(None, ("Describe",), "to know Kafka's time where this machine's clock is wrong"))
    return tuple(rights)


_KEPT = 200
_DIGEST = 8


def table(plan: TopicsPlan) -> str:
    """Write it for a person."""
    head = ("topic", "holds", "partitions", "replicas", "cleanup", "retention")
    rows = [
        (each.name, each.holds, str(each.partitions), str(each.replicas or "default"), each.cleanup, each.retention)
        for each in plan.topics
    ]
    lines = [*_columns([head, *rows]), "", f"rights of {plan.principal}"]
    rights = [*plan.rights, *(Right(each.topic, each.operations, "for tail and replay") for each in plan.readers)]
    cells = [(each.topic or "the cluster", ", ".join(each.operations), each.why) for each in rights]
    said = [f"note: {remark}" for remark in remarks(plan)]
    return "\n".join([*lines, *(f"  {line}" for line in _columns(cells)), *([""] if said else []), *said])


def remarks(plan: TopicsPlan) -> Iterator[str]:
    """Yield what the plan leaves to the brokers, why, and what would set it."""
    if any("min.insync.replicas" not in topic.settings for topic in plan.topics):
        replicas = plan.topics[0].replicas
        if replicas is None:
            yield "min.insync.replicas is the brokers' own, as the number of replicas is; --replicas 3 sets it to 2."
        else:
            yield f"min.insync.replicas is the brokers' own: 2 of {replicas} would stop all feeds when one restarts."
    if any(topic.retention == BROKERS and topic.cleanup == "delete" for topic in plan.topics):
        yield f"Where retention is {BROKERS} (7 days, unless changed), `streams.<Model>.retention` of the"
        yield "configuration, or `retention.ms` in its `kafka.create_topics.configs`, sets it."


def script(plan: TopicsPlan) -> str:
    """Write it as a shell script for Kafka's own tools; it may be run again."""
    return "\n".join(_script(plan))


def strimzi(plan: TopicsPlan) -> str:
    """Write it as KafkaTopic and KafkaUser resources."""
    parts = ["\n".join(_topic(each)) for each in plan.topics]
    return "\n---\n".join([f"{_STRIMZI}{parts[0]}", *parts[1:], "\n".join(_user(plan))])


_STRIMZI = """# Change my-cluster to the name of the Kafka resource.
# Strimzi 0.49 or later; for an older one write kafka.strimzi.io/v1beta2.
"""
_SCRIPT = """#!/bin/sh
# The topics and access rules of {file}, for kafka-topics.sh and kafka-acls.sh in PATH. It may be run again.
#   BOOTSTRAP       brokers (default: those of the configuration)
#   COMMAND_CONFIG  a properties file with an administrator's credentials
#   NO_ACLS=1       leave access rules out, where Kafka has no authorizer
set -eu
BOOTSTRAP=${{BOOTSTRAP:-{bootstrap}}}
PRINCIPAL=${{PRINCIPAL:-{principal}}}

topic() {{
    kafka-topics.sh --bootstrap-server "$BOOTSTRAP" ${{COMMAND_CONFIG:+--command-config "$COMMAND_CONFIG"}} \\
        --create --if-not-exists --topic "$@"
}}
allow() {{
    [ -n "${{NO_ACLS:-}}" ] || kafka-acls.sh --bootstrap-server "$BOOTSTRAP" \\
        ${{COMMAND_CONFIG:+--command-config "$COMMAND_CONFIG"}} --add --allow-principal "$PRINCIPAL" "$@"
}}
"""


def _columns(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _script(plan: TopicsPlan) -> Iterator[str]:
    yield _SCRIPT.format(file=plan.file.replace("\n", " "), bootstrap=plan.bootstrap, principal=_word(plan.principal))
    yield from (f"# {remark}" for remark in remarks(plan))
    for topic in plan.topics:
        replicas = f" --replication-factor {topic.replicas}" if topic.replicas else ""
        settings = "".join(f" --config {quote(f'{name}={value}')}" for name, value in topic.settings.items())
        yield f"topic {topic.name} --partitions {topic.partitions}{replicas}{settings}"
    yield ""
    for right in plan.rights:
        yield _allow(right) + (f"  # {right.why}" if right.why else "")
    yield "# For headrace tail and headrace replay:"
    yield from (f"# {_allow(right)}" for right in plan.readers)


def _allow(right: Right) -> str:
    operations = " ".join(f"--operation {each}" for each in right.operations)
    return f"allow {operations} " + ("--cluster" if right.topic is None else f"--topic {right.topic}")


def _word(text: str) -> str:
    """Escape what a shell would take for its own within `${NAME:-...}`."""
    return re.sub(r"([\\\"'$`} ])", r"\\\1", text)


def _topic(topic: Topic) -> Iterator[str]:
    yield "apiVersion: kafka.strimzi.io/v1"
    yield "kind: KafkaTopic"
    yield "metadata:"
    yield f"  name: {_resource(topic.name)}"
    yield "  labels: {strimzi.io/cluster: my-cluster}"
    yield "spec:"
    yield f"  topicName: {json.dumps(topic.name)}"
    yield f"  partitions: {topic.partitions}"
    if topic.replicas:
        yield f"  replicas: {topic.replicas}"
    yield "  config:"
    yield from (f"    {name}: {json.dumps(value)}" for name, value in topic.settings.items())


def _user(plan: TopicsPlan) -> Iterator[str]:
    name = plan.principal.removeprefix("User:")
    yield "apiVersion: kafka.strimzi.io/v1"
    yield "kind: KafkaUser"
    yield "metadata:"
    yield f"  name: {_resource(name)}"
    yield "  labels: {strimzi.io/cluster: my-cluster}"
    yield "spec:"
    yield "  authentication: {type: scram-sha-512}"
    yield "  authorization:"
    yield "    type: simple"
    yield "    acls:"
    for right in plan.rights:
        yield from _acl(right, "      ")
    yield "      # For headrace tail and headrace replay:"
    for right in plan.readers:
        yield from _acl(right, "      # ")


def _acl(right: Right, margin: str) -> Iterator[str]:
    resource = "{type: cluster}" if right.topic is None else f"{{type: topic, name: {json.dumps(right.topic)}}}"
    yield f"{margin}- resource: {resource}" + (f"  # {right.why}" if right.why else "")
    yield f"{margin}  operations: [{', '.join(right.operations)}]"


def _resource(name: str) -> str:
    """Make a name of Kubernetes (RFC 1123) that two topics never share."""
    plain = re.sub(r"[^a-z0-9.-]+", "-", name.lower()).strip(".-")[:_KEPT]
    plain = re.sub(r"(?<=\.)-+|-+(?=\.)", "", re.sub(r"\.+", ".", plain)) or "topic"
    # Lower case and dashes may be another topic's name too.
    return plain if plain == name else f"{plain}-{sha256(name.encode()).hexdigest()[:_DIGEST]}"


WRITERS: Mapping[str, Callable[[TopicsPlan], str]] = {"table": table, "sh": script, "strimzi": strimzi}
"""Every format, by its name."""


__all__ = ["WRITERS", "TopicsPlan", "plan"]
