"""What Kafka shows of a cluster and its topics beyond what a publisher must know: for `headrace doctor`.

Nothing is written or made. What the principal may do comes with Metadata from version 8 on (KIP-430, Kafka 2.3), of
which aiokafka knows 5: the two classes here are the same with the fields that came since.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from time import monotonic, time
from typing import Any, Final, Protocol

from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.metadata import MetadataRequest_v5
from aiokafka.protocol.types import (
    Array,
    Boolean,
    CompactArray,
    CompactString,
    Int16,
    Int32,
    Int64,
    Schema,
    String,
    TaggedFields,
)

from pipeline.core.errors import HeadraceError, StartError
from pipeline.publish.cluster import Cluster, LinkError
from pipeline.publish.error_codes import name_of
from pipeline.publish.options import KafkaOptions
from pipeline.publish.topics import settings_of

_TOPIC: Final = "__cluster_metadata"
_TRIES: Final = 5
_LONGEST: Final = 5.0  # seconds for all tries together
_PAUSE: Final = 0.1  # before another try where one failed: the quorum may be choosing a leader
_FORBIDDEN: Final = 31  # CLUSTER_AUTHORIZATION_FAILED
_RESOLUTION: Final = 0.001  # Kafka tells whole milliseconds


@dataclass(frozen=True, slots=True)
class ClockFacts:
    """How this machine's clock stands against that of the quorum's leader.

    Attributes:
        ahead: Seconds by which ours is ahead, negative if it is behind.
        round_trip: Seconds that the answer took.
        node: Id of the leader.
    """

    ahead: float
    round_trip: float
    node: int

    @property
    def doubt(self) -> float:
        """By how many seconds `ahead` may be wrong: Kafka read its clock at some moment of the round trip."""
        return self.round_trip / 2 + _RESOLUTION


@dataclass(frozen=True, slots=True)
class Untold:
    """Kafka's time is not known.

    Attributes:
        why: A sentence.
        forbidden: A right is missing.
    """

    why: str
    forbidden: bool = False


class _QuorumResponse(Response):  # type: ignore[misc]
    """The answer (Kafka protocol guide, "DescribeQuorum API", version 1)."""

    API_KEY = 55
    API_VERSION = 1
    _REPLICAS = CompactArray(
        ("replica_id", Int32),
        ("log_end_offset", Int64),
        ("last_fetch_timestamp", Int64),
        ("last_caught_up_timestamp", Int64),
        ("tags", TaggedFields),
    )
    SCHEMA = Schema(
        ("error_code", Int16),
        (
            "topics",
            CompactArray(
                ("topic", CompactString("utf-8")),
                (
                    "partitions",
                    CompactArray(
                        ("partition", Int32),
                        ("error_code", Int16),
                        ("leader", Int32),
                        ("leader_epoch", Int32),
                        ("high_watermark", Int64),
                        ("voters", _REPLICAS),
                        ("observers", _REPLICAS),
                        ("tags", TaggedFields),
                    ),
                ),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class _QuorumRequest(RequestStruct):  # type: ignore[misc]
    """The question, version 1."""

    FLEXIBLE_VERSION = True
    API_KEY = 55
    API_VERSION = 1
    RESPONSE_TYPE = _QuorumResponse
    SCHEMA = Schema(
        (
            "topics",
            CompactArray(
                ("topic", CompactString("utf-8")),
                ("partitions", CompactArray(("partition", Int32), ("tags", TaggedFields))),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class _NoQuorumError(HeadraceError):
    """The broker does not know the question. None of aiokafka's errors, so that the connection stays open."""


class _Quorum(Request[_QuorumRequest]):  # type: ignore[misc]
    """Which controller leads the quorum, and when each member was last heard."""

    API_KEY = 55

    def prepare(self, versions: dict[int, tuple[int, int]]) -> Any:  # noqa: ANN401 - aiokafka is not typed
        first, last = versions.get(self.API_KEY, (0, 0))
        if not first <= _QuorumRequest.API_VERSION <= last:
            raise _NoQuorumError
        return super().prepare(versions)

    def build(self, request_struct_class: Any) -> Any:  # noqa: ANN401 - aiokafka is not typed
        return request_struct_class([(_TOPIC, [(0, {})], {})], {})


class Asked(Protocol):
    """A cluster, or what stands for it."""

    async def ask(self, request: Request) -> Response:
        """Return the answer.

        Raises:
            LinkError: no broker answered.
        """


async def told_time(cluster: Asked, clock: Callable[[], float]) -> ClockFacts | Untold:
    """Ask some times, and take the answer that came soonest.

    Args:
        clock: This machine's, seconds since 1970 UTC.
    """
    heard: list[ClockFacts] = []
    untold = Untold(f"Kafka did not answer in {_LONGEST:g} s.")
    try:
        async with asyncio.timeout(_LONGEST):
            for _ in range(_TRIES):
                told = await _once(cluster, clock)
                if isinstance(told, ClockFacts):
                    heard.append(told)
                    continue
                untold = told
                if told.forbidden:
                    break
                await asyncio.sleep(_PAUSE)
    except TimeoutError:
        pass  # what was heard until then counts
    except _NoQuorumError:
        untold = Untold("only Kafka 3.3 or later in KRaft mode tells its time to one who writes nothing.")
    except LinkError as problem:
        untold = Untold(str(problem))
    return min(heard, key=lambda each: each.round_trip) if heard else untold


async def _once(cluster: Asked, clock: Callable[[], float]) -> ClockFacts | Untold:
    ours, began = clock(), monotonic()
    answer = await cluster.ask(_Quorum())
    took = monotonic() - began
    codes = [code for code in _codes(answer) if code]
    if codes:
        return Untold(f"Kafka answered {name_of(codes[0])}.", forbidden=codes[0] == _FORBIDDEN)
    for _, partitions, _ in answer.topics or ():
        for _, _, leader, _, _, voters, _, _ in partitions or ():
            for node, _, _, milliseconds, _ in voters or ():
                if node == leader and milliseconds > 0:
                    return ClockFacts(ours + took / 2 - milliseconds / 1000, took, leader)
    return Untold("Kafka answered without the time of its quorum's leader.")


def _codes(answer: Response) -> Iterator[int]:
    yield answer.error_code
    for _, partitions, _ in answer.topics or ():
        yield from (part[1] for part in partitions or ())


_ROUND_TRIPS: Final = 5
_NOT_TOLD: Final = -(2**31)
_OPERATIONS: Final = {3: "Read", 4: "Write", 5: "Create", 8: "Describe", 10: "DescribeConfigs"}
"""Codes of org.apache.kafka.common.acl.AclOperation: the bit of each in a set of authorized operations."""


@dataclass(frozen=True, slots=True)
class TopicFacts:
    """One topic that is there.

    Attributes:
        replicas: Copies of its worst partition.
        in_sync: Copies in sync of its worst partition.
        leaderless: Partitions without a leader.
        settings: By Kafka's names, empty if we may not read them.
        operations: What we may do, None if Kafka does not say.
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
    """Leaders and replicas of each topic, and (version 8) what we may do with it."""

    API_KEY = 3

    def __init__(self, topics: Sequence[str]) -> None:
        self._topics = list(topics)

    def build(self, request_struct_class: Any) -> Any:  # noqa: ANN401 - aiokafka is not typed
        more = (False, True) if request_struct_class.API_VERSION == _MetadataRequest.API_VERSION else ()
        return request_struct_class(self._topics, False, *more)  # noqa: FBT003 - never make a topic


async def survey(options: KafkaOptions, topics: Collection[str], clock: Callable[[], float] = time) -> ClusterFacts:
    """Look at the cluster and at those of the topics that are there.

    Args:
        clock: This machine's, seconds since 1970 UTC.

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
