"""What Kafka would say to the publisher, without writing or making anything: for `headrace check --connect`."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from time import monotonic

from pipeline.core.errors import StartError
from pipeline.publish.cluster import Cluster, LinkError
from pipeline.publish.error_codes import Answer, answer_of, name_of, remedy
from pipeline.publish.options import BY_KAFKA, STAMPED, KafkaOptions
from pipeline.publish.topics import DEFAULT_LIMIT, LIMIT, create_missing, missing, settings_of

_UNKNOWN = 3
_LOOKS = 0.1


@dataclass(frozen=True, slots=True)
class TopicState:
    """One topic as Kafka shows it.

    partitions: 0 while it is not there. limit: its max.message.bytes. stamped: by Kafka, or
    we may not know. problem: why no record can be written to it, with
    what to do; empty when nothing is in the way.
    """

    name: str
    partitions: int = 0
    limit: int = 0
    stamped: bool = True
    problem: str = ""


async def probe(options: KafkaOptions, topics: Collection[str]) -> list[TopicState]:
    """Connect as the publisher does, and look at every topic that it will write to.

    Raises:
        StartError: Kafka cannot be reached, refuses us, or gives no producer id.
    """
    cluster = Cluster(options)
    try:
        cluster.follow(topics)
        await cluster.refresh()
        if options.idempotent:
            await _may_be_idempotent(cluster)
        there = [topic for topic in topics if not cluster.codes.get(topic, _UNKNOWN)]
        settings = await settings_of(cluster, there) if there else {}
        return [
            _state(topic, cluster.partitions[topic], settings.get(topic, {}))
            if topic in there
            else TopicState(topic, problem=await _why_not(cluster, topic))
            for topic in topics
        ]
    except LinkError as problem:
        advice = "" if problem.code is None else f" {remedy(problem.code, ', '.join(topics))}"
        raise StartError(f"{problem}{advice}") from problem
    finally:
        cluster.close()


def _state(topic: str, partitions: int, settings: Mapping[str, str]) -> TopicState:
    stamped = settings.get(STAMPED, BY_KAFKA) == BY_KAFKA
    return TopicState(topic, partitions, int(settings.get(LIMIT, DEFAULT_LIMIT)), stamped)


async def _may_be_idempotent(cluster: Cluster) -> None:
    until = monotonic() + cluster.options.request_timeout
    while True:
        try:
            await cluster.new_producer()
        except LinkError as problem:
            # A Kafka that nobody has asked for a producer id yet is still loading.
            if problem.code is None or answer_of(problem.code) is not Answer.RETRY or monotonic() > until:
                raise
            await asyncio.sleep(_LOOKS)
        else:
            return


async def _why_not(cluster: Cluster, topic: str) -> str:
    """Say why a topic is not there for us; nothing if it would be made."""
    code = cluster.codes.get(topic, _UNKNOWN)
    if code != _UNKNOWN:
        return f"Kafka does not show us topic {topic}: {name_of(code)}. {remedy(code, topic)}"
    create = cluster.options.create_topics
    if create is None:
        return missing([topic])
    try:
        await create_missing(cluster, [topic], create, only_try=True)
    except StartError as refusal:
        return str(refusal)
    return ""
