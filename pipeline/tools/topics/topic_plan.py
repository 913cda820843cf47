"""Every topic that a configuration writes to, and the least that its principal must be allowed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pipeline.build import options as wiring
from pipeline.config.kafka import CreateTopics
from pipeline.config.root import Config
from pipeline.config.values import spell_seconds

_DEFAULT_PARTITIONS = 6
BROKERS = "the broker's default"
_CLEANUP, _RETENTION = "cleanup.policy", "retention.ms"


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic. holds: what is in it. replicas: None for the broker's default. settings: by Kafka's names."""

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
    """What the principal must be allowed on a topic, or (without a name) on the cluster. why: a remark, or empty."""

    topic: str | None
    operations: tuple[str, ...]
    why: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """All of it. rights: of a worker. readers: of `tail` and `replay` on top."""

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
) -> Plan:
    """Return what the configuration needs; the arguments take the place of what it says, or does not say."""
    creates = config.kafka.create_topics
    wanted = creates or CreateTopics(partitions=_DEFAULT_PARTITIONS)
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
    return Plan(
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
