"""What Kafka shows of a cluster and its topics beyond what a publisher must know: for `headrace doctor`.

Nothing is written or made. What the principal may do comes with Metadata from version 8 on (KIP-430, Kafka 2.3), of
which aiokafka knows 5: the two classes here are the same with the fields that came since.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from time import monotonic, time
from typing import Any, Final

from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.metadata import MetadataRequest_v5
from aiokafka.protocol.types import Array, Boolean, Int16, Int32, Schema, String

from pipeline.core.errors import StartError
from pipeline.publish.cluster import Cluster, LinkError
from pipeline.publish.options import KafkaOptions
from pipeline.publish.quorum import ClockFacts, Untold, told_time
from pipeline.publish.topics import settings_of

_ROUND_TRIPS: Final = 5
_NOT_TOLD: Final = -(2**31)
_OPERATIONS: Final = {3: "Read", 4: "Write", 5: "Create", 8: "Describe", 10: "DescribeConfigs"}
"""Codes of org.apache.kafka.common.acl.AclOperation: the bit of each in a set of authorized operations."""


@dataclass(frozen=True, slots=True)
class TopicFacts:
    """One topic that is there.

    replicas, in_sync: of its worst partition. leaderless: partitions that nobody leads. settings: by Kafka's names,
    empty if we may not read them. operations: what we may do, None if Kafka does not say.
    """

    name: str
    partitions: int
    replicas: int
    in_sync: int
    leaderless: int = 0
    settings: Mapping[str, str] = field(default_factory=dict)
    operations: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class ClusterFacts:
    """brokers: how many; round_trip: the median of a small request, in seconds; topics: those that are there.

    clock: ours against Kafka's.
    """

    brokers: int
    round_trip: float
    topics: tuple[TopicFacts, ...]
    clock: ClockFacts | Untold


class _MetadataResponse(Response):  # type: ignore[misc]
    """The answer (Kafka protocol guide, "Metadata API", version 8)."""

    API_KEY = 3
    API_VERSION = 8
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        ("brokers", Array(("node_id", Int32), ("host", String("utf-8")), ("port", Int32), ("rack", String("utf-8")))),
        ("cluster_id", String("utf-8")),
        ("controller_id", Int32),
        (
            "topics",
            Array(
                ("error_code", Int16),
                ("topic", String("utf-8")),
                ("is_internal", Boolean),
                (
                    "partitions",
                    Array(
                        ("error_code", Int16),
                        ("partition", Int32),
                        ("leader", Int32),
                        ("leader_epoch", Int32),
                        ("replicas", Array(Int32)),
                        ("isr", Array(Int32)),
                        ("offline_replicas", Array(Int32)),
                    ),
                ),
                ("authorized_operations", Int32),
            ),
        ),
        ("cluster_authorized_operations", Int32),
    )


class _MetadataRequest(RequestStruct):  # type: ignore[misc]
    """The question, version 8."""

    API_KEY = 3
    API_VERSION = 8
    RESPONSE_TYPE = _MetadataResponse
    SCHEMA = Schema(
        ("topics", Array(String("utf-8"))),
        ("allow_auto_topic_creation", Boolean),
        ("include_cluster_authorized_operations", Boolean),
        ("include_topic_authorized_operations", Boolean),
    )


class _Metadata(Request[MetadataRequest_v5 | _MetadataRequest]):  # type: ignore[misc]
    """Who leads what, who copies it, and (version 8) what we may do with it."""

    API_KEY = 3

    def __init__(self, topics: Sequence[str]) -> None:
        self._topics = list(topics)

    def build(self, request_struct_class: Any) -> Any:  # noqa: ANN401 - aiokafka is not typed
        more = (False, True) if request_struct_class.API_VERSION == _MetadataRequest.API_VERSION else ()
        return request_struct_class(self._topics, False, *more)  # noqa: FBT003 - never make a topic


async def survey(options: KafkaOptions, topics: Collection[str], clock: Callable[[], float] = time) -> ClusterFacts:
    """Look at the cluster and at those of the topics that are there. clock: this machine's, seconds since 1970 UTC.

    Raises:
        StartError: Kafka cannot be asked.
    """
    cluster = Cluster(options)
    names = sorted(topics)
    try:
        cluster.follow(names)
        await cluster.refresh()
        took = []
        for _ in range(_ROUND_TRIPS):
            began = monotonic()
            answer = await cluster.ask(_Metadata(names))
            took.append(monotonic() - began)
        there = [topic for topic in answer.topics if not topic[0]]
        settings = await settings_of(cluster, [topic[1] for topic in there]) if there else {}
        told = await told_time(cluster, clock)
    except LinkError as problem:
        raise StartError(str(problem)) from problem
    finally:
        cluster.close()
    seen = tuple(_topic(topic, settings.get(topic[1], {})) for topic in there)
    return ClusterFacts(len(answer.brokers), sorted(took)[_ROUND_TRIPS // 2], seen, told)


def _topic(told: Sequence[Any], settings: Mapping[str, str]) -> TopicFacts:
    _, name, _, partitions, *rest = told
    return TopicFacts(
        name=name,
        partitions=len(partitions),
        replicas=min((len(part[-3]) for part in partitions), default=0),
        in_sync=min((len(part[-2]) for part in partitions), default=0),
        leaderless=sum(part[2] < 0 for part in partitions),
        settings=settings,
        operations=_operations(rest[0]) if rest else None,
    )


def _operations(bits: int) -> frozenset[str] | None:
    if bits == _NOT_TOLD:
        return None
    return frozenset(name for code, name in _OPERATIONS.items() if bits & (1 << code))
