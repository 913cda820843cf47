"""What time Kafka has, asked without writing: DescribeQuorum, which `kafka-metadata-quorum.sh describe` asks too.

Of itself the leader of the quorum says when it was last heard and last in step: both are the time at which it answers
(KIP-836, Kafka 3.3). Any broker passes the question on. Kafka with ZooKeeper and most of what only speaks its protocol
have no quorum to tell of.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from time import monotonic
from typing import Any, Final, Protocol

from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import CompactArray, CompactString, Int16, Int32, Int64, Schema, TaggedFields

from pipeline.core.errors import HeadraceError
from pipeline.publish.cluster import LinkError
from pipeline.publish.error_codes import name_of

_TOPIC: Final = "__cluster_metadata"
_TRIES: Final = 5
_LONGEST: Final = 5.0  # seconds for all tries together
_PAUSE: Final = 0.1  # before another try where one failed: the quorum may be choosing a leader
_FORBIDDEN: Final = 31  # CLUSTER_AUTHORIZATION_FAILED
_RESOLUTION: Final = 0.001  # Kafka tells whole milliseconds


@dataclass(frozen=True, slots=True)
class ClockFacts:
    """How this machine's clock stands against that of the quorum's leader.

    ahead: seconds by which ours is ahead, negative if it is behind. round_trip: seconds that the answer took. node: id
    of the leader.
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
    """Kafka's time is not known. why: a sentence. forbidden: a right is missing."""

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
    """Who leads the quorum, and when each of it was last heard."""

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
            LinkError: nobody answered.
        """


async def told_time(cluster: Asked, clock: Callable[[], float]) -> ClockFacts | Untold:
    """Ask some times, and take the answer that came soonest. clock: this machine's, seconds since 1970 UTC."""
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
