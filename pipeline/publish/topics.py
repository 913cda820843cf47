"""What is settled with Kafka before the first record: the topics are there, and how large a batch each one takes."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from time import monotonic
from typing import Final

from aiokafka.protocol.admin import CreateTopicsRequest, DescribeConfigsRequest

from pipeline.core.errors import StartError
from pipeline.publish.cluster import Cluster, LinkError
from pipeline.publish.error_codes import Action, answer_of, name_of, remedy
from pipeline.publish.options import BY_KAFKA, STAMPED, CreateTopics, KafkaOptions

_UNKNOWN = 3
_LOOKS = 0.1


@dataclass(frozen=True, slots=True)
class TopicState:
    """One topic as Kafka shows it.

    Attributes:
        partitions: 0 while it is not there.
        limit: Its max.message.bytes.
        stamped: By Kafka, or we may not know.
        problem: Why no record can be written to it, with what to do; empty when nothing is in the way.
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
            # A Kafka that has not given out a producer id yet is still loading.
            if problem.code is None or answer_of(problem.code) is not Action.RETRY or monotonic() > until:
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


DEFAULT_LIMIT: Final = 1_048_588
"""Kafka's own default of max.message.bytes, where we may not read the topic's."""

_TOPIC: Final = 2  # ConfigResource.Type.TOPIC
LIMIT: Final = "max.message.bytes"
_EXISTS: Final = 36


async def prepare(cluster: Cluster, topics: Collection[str]) -> dict[str, int]:
    """See that every topic exists, or make it; give topic -> max.message.bytes.

    Raises:
        StartError: a sentence that names the topic or the broker and what to do.
    """
    topics = sorted(topics)  # so that the same mistake gives the same sentence
    cluster.follow(topics)
    try:
        await cluster.refresh()
        absent = [topic for topic in topics if cluster.codes.get(topic, _UNKNOWN) == _UNKNOWN]
        create = cluster.options.create_topics
        if absent and create is not None:
            await create_missing(cluster, absent, create)
        await _wait_for_leaders(cluster, topics)
        return await limits_of(cluster, topics)
    except LinkError as problem:
        raise StartError(str(problem)) from problem


def missing(topics: Iterable[str]) -> str:
    """Say that topics are not there, and what to do."""
    names = ", ".join(topics)
    return (
        f"Kafka has no topic {names}. Create what is missing (kafka-topics.sh --create --topic ...), or let "
        "Headrace do it with `kafka.create_topics: {partitions: 6}`."
    )


async def create_missing(
    cluster: Cluster, topics: Collection[str], create: CreateTopics, *, only_try: bool = False
) -> None:
    """Make topics, or only let Kafka say whether it would.

    Raises:
        StartError: it does not; a sentence that names the first such topic.
        LinkError: no answer came.
    """
    requests: list[tuple[object, ...]] = [
        (topic, create.partitions, create.replication_factor, [], list(create.configs.get(topic, {}).items()))
        for topic in topics
    ]
    milliseconds = int(cluster.options.request_timeout * 1000)
    response = await cluster.ask(CreateTopicsRequest(requests, milliseconds, only_try), cluster.controller)
    for topic, code, *text in response.topic_errors:
        if code not in {0, _EXISTS}:
            said = f" ({text[0]})" if text and text[0] else ""
            raise StartError(
                f"Kafka {'would' if only_try else 'did'} not create topic {topic}: {name_of(code)}{said}. "
                "Mend `create_topics`, grant CREATE, or create it by hand."
            )


async def _wait_for_leaders(cluster: Cluster, topics: Collection[str]) -> None:
    """Look until every topic has a leader: one just made is known to all brokers only a moment later."""
    until = monotonic() + (cluster.options.request_timeout if cluster.options.create_topics else 0.0)
    while True:
        await cluster.refresh()
        absent = [topic for topic in topics if cluster.codes.get(topic, _UNKNOWN) == _UNKNOWN]
        refused = {topic: code for topic in topics if (code := cluster.codes.get(topic, _UNKNOWN)) > _UNKNOWN}
        ready = all(cluster.leader(topic, 0) is not None for topic in topics)
        if ready and not absent and not refused:
            return
        if monotonic() > until:
            if absent:
                raise StartError(missing(absent))
            for topic, code in refused.items():
                raise StartError(f"Kafka does not show us topic {topic}: {name_of(code)}. {remedy(code, topic)}")
            return  # a partition without a leader: its records will wait for one
        await asyncio.sleep(_LOOKS)


async def limits_of(cluster: Cluster, topics: Collection[str]) -> dict[str, int]:
    """Give topic -> max.message.bytes; Kafka's own default where we may not read it."""
    settings = await settings_of(cluster, topics)
    # What we do not know shows in time: a batch that is refused is taken apart.
    return {topic: int(settings.get(topic, {}).get(LIMIT, DEFAULT_LIMIT)) for topic in topics}


async def settings_of(cluster: Cluster, topics: Collection[str]) -> dict[str, dict[str, str]]:
    """Give the settings of each topic by Kafka's names; those that we may not read (DESCRIBE_CONFIGS) are left out."""
    # Every setting is asked for (null), not some: Tansu 0.6 closes the connection on a list of names.
    answer = await cluster.ask(DescribeConfigsRequest([(_TOPIC, topic, None) for topic in topics]))
    return {
        topic: {name: value for name, value, *_ in entries if value is not None}
        for code, _, _, topic, entries in answer.resources
        if not code
    }
