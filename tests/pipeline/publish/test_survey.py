"""Kafka's time out of what it says of its quorum: the bytes of the question, and what every answer comes to."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from aiokafka.protocol.api import Request, Response

from pipeline.publish.cluster import LinkError
from pipeline.publish.survey import ClockFacts, Untold, told_time

NOW = 1_800_000_000.0
VERSIONS = {55: (0, 2)}


class Answers:
    """Stands for a cluster whose brokers know the question in some versions, and give these answers in turn."""

    def __init__(self, *answers: Sequence[Any] | Exception, versions: dict[int, tuple[int, int]] | None = None) -> None:
        self.asked = 0
        self.request: Any = None
        self._answers = answers
        self._versions = VERSIONS if versions is None else versions

    async def ask(self, request: Request) -> Response:
        self.request = request.prepare(self._versions)
        answer = self._answers[min(self.asked, len(self._answers) - 1)]
        self.asked += 1
        if isinstance(answer, Exception):
            raise answer
        made = self.request.RESPONSE_TYPE(*answer)
        return self.request.RESPONSE_TYPE.decode(made.encode())


class Late(Answers):
    """Each answer takes as many seconds as its wait says, the last for all that follow."""

    waits: tuple[float, ...] = ()

    async def ask(self, request: Request) -> Response:
        await asyncio.sleep(self.waits[min(self.asked, len(self.waits) - 1)])
        return await super().ask(request)


class Silent:
    async def ask(self, request: Request) -> Response:
        await asyncio.Event().wait()
        raise AssertionError(request)


def answer(
    told: float = NOW, *, leader: int = 2, code: int = 0, partition_code: int = 0, voters: Any = None
) -> tuple[Any, ...]:
    replicas: list[Any] = [(1, 50, 17, 17, {}), (2, 51, round(told * 1000), round(told * 1000), {})]
    partition: Any = (0, partition_code, leader, 3, 51, replicas if voters is None else voters, [(9, 50, 1, 1, {})], {})
    return code, [("__cluster_metadata", [partition], {})], {}


def told(cluster: Answers | Silent) -> ClockFacts | Untold:
    return asyncio.run(told_time(cluster, lambda: NOW))


def test_the_bytes_of_the_question() -> None:
    cluster = Answers(answer())
    told(cluster)
    assert (cluster.request.API_KEY, cluster.request.API_VERSION) == (55, 1)
    # One topic, its name, one partition: 0; each array and string by its length and one, each struct with no tags.
    assert cluster.request.encode() == b"\x02\x13__cluster_metadata\x02\0\0\0\0\0\0\0"
    header = cluster.request.build_request_header(7, "me").encode()
    assert header == b"\0\x37\0\1\0\0\0\7\0\2me\0"


@pytest.mark.parametrize("ahead", [0.0, 90.0, -90.0])
def test_the_leader_tells_the_time(ahead: float) -> None:
    cluster = Answers(answer(NOW - ahead))
    facts = told(cluster)
    assert isinstance(facts, ClockFacts)
    assert facts.ahead == pytest.approx(ahead, abs=0.1)
    assert facts.node == 2
    assert facts.doubt >= facts.round_trip / 2
    assert cluster.asked == 5


def test_half_of_the_round_trip_had_gone_by_when_kafka_looked() -> None:
    cluster = Late(answer(NOW + 0.1))
    cluster.waits = (0.2,)
    facts = told(cluster)
    assert isinstance(facts, ClockFacts)
    assert facts.round_trip >= 0.2
    assert facts.ahead == pytest.approx(facts.round_trip / 2 - 0.1, abs=0.001)


def test_the_answer_that_came_soonest_counts() -> None:
    cluster = Late(answer(NOW + 7), answer(NOW), answer(NOW + 9))
    cluster.waits = (0.3, 0.0, 0.3)
    facts = told(cluster)
    assert isinstance(facts, ClockFacts)
    assert facts.ahead == pytest.approx(0, abs=0.1)


def test_one_that_leads_no_longer_is_asked_again() -> None:
    cluster = Answers(answer(partition_code=6), answer(NOW - 3))
    facts = told(cluster)
    assert isinstance(facts, ClockFacts)
    assert facts.ahead == pytest.approx(3, abs=0.1)


def test_a_refusal_is_asked_once() -> None:
    cluster = Answers((31, [], {}))
    assert told(cluster) == Untold("Kafka answered CLUSTER_AUTHORIZATION_FAILED.", forbidden=True)
    assert cluster.asked == 1


@pytest.mark.parametrize("versions", [{}, {55: (0, 0)}, {3: (0, 12)}])
def test_a_broker_without_the_question(versions: dict[int, tuple[int, int]]) -> None:
    assert told(Answers(answer(), versions=versions)) == Untold(
        "only Kafka 3.3 or later in KRaft mode tells its time to one who writes nothing."
    )


@pytest.mark.parametrize(
    ("strange", "why"),
    [
        (answer(partition_code=6), "Kafka answered NOT_LEADER_OR_FOLLOWER."),
        (answer(code=-1), "Kafka answered UNKNOWN_SERVER_ERROR."),
        (answer(-0.001), "Kafka answered without the time of its quorum's leader."),
        (answer(leader=7), "Kafka answered without the time of its quorum's leader."),
        (answer(voters=[]), "Kafka answered without the time of its quorum's leader."),
        ((0, [], {}), "Kafka answered without the time of its quorum's leader."),
        ((0, None, {}), "Kafka answered without the time of its quorum's leader."),
        (LinkError("Kafka closed the connection."), "Kafka closed the connection."),
    ],
)
def test_answers_without_a_time(strange: tuple[Any, ...] | Exception, why: str) -> None:
    assert told(Answers(strange)) == Untold(why)


def test_what_was_heard_before_the_connection_broke_counts() -> None:
    assert isinstance(told(Answers(answer(), LinkError("gone"))), ClockFacts)


def test_silence_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.publish.survey._LONGEST", 0.05)
    assert told(Silent()) == Untold("Kafka did not answer in 0.05 s.")
