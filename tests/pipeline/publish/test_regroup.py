"""Topics that get other partitions while records wait: followed, in order, and said."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from time import monotonic

import pytest

from tests.pipeline.publish.model import LATER, LETTERS, TOPIC, Bench, complete, hurry, run


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    hurry(monkeypatch)


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(LATER):
        while not true():  # noqa: ASYNC110
            await asyncio.sleep(0.001)


@pytest.mark.parametrize(("before", "now"), [(6, 4), (6, 1), (3, 8), (4, 4)])
def test_what_waits_goes_to_the_topic_that_was_made_anew(before: int, now: int) -> None:
    """Some was sent without an answer, some waits; of each device all comes in order, and before what comes later."""

    async def work(bench: Bench) -> None:
        bench.put(bench.record(number) for number in range(80))
        await bench.publisher.drain(monotonic() + LATER)
        bench.cluster.away.add(TOPIC)
        bench.put(bench.record(number) for number in range(80, 160))
        await until(lambda: not bench.publisher.ready)
        assert f"Kafka has no topic {TOPIC} any more" in bench.publisher.trouble
        bench.put(bench.record(number) for number in range(160, 240))
        bench.cluster.made_anew(TOPIC, now)
        bench.put(bench.record(number) for number in range(240, 320))
        await until(lambda: bench.publisher.ready)

    bench = run(work, partitions=before)
    assert sorted(map(int, bench.cluster.values())) == list(range(80, 320))
    for log in bench.cluster.logs.values():
        for key in {each.key for each in log}:
            numbers = [int(each.value) for each in log if each.key == key]
            assert numbers == sorted(numbers)
    partitions: dict[bytes, set[int]] = {}
    for (topic, partition), log in bench.cluster.logs.items():
        assert topic != TOPIC or partition < now
        for each in log:
            partitions.setdefault(each.key, set()).add(partition)
    if now < before:
        assert all(len(its) == 1 for its in partitions.values()), "a device is in one partition"
    assert bench.settled()
    assert bench.events.counts == {TOPIC: now, LETTERS: 1}


def test_a_lost_answer_and_fewer_partitions(caplog: pytest.LogCaptureFixture) -> None:
    """What the new topic may have stored already must not lend its sequence numbers to other records."""

    async def work(bench: Bench) -> None:
        bench.put(bench.record(number) for number in range(40))
        await bench.publisher.drain(monotonic() + LATER)
        bench.cluster.made_anew(TOPIC, 2)
        bench.cluster.script.extend(["stored:lost"] * 2)
        bench.put(bench.record(number) for number in range(40, 120))

    with caplog.at_level(logging.WARNING, "pipeline.publish.sender"):
        bench = run(work, partitions=4)
    assert set(map(int, bench.cluster.values())) == set(range(40, 120))
    assert bench.settled()
    assert "A topic has another number of partitions: devices move to others." in caplog.messages


def test_raised_partitions_are_said_and_used(caplog: pytest.LogCaptureFixture) -> None:
    async def work(bench: Bench) -> None:
        bench.put(bench.record(number) for number in range(80))
        await bench.publisher.drain(monotonic() + LATER)
        bench.cluster.counts[TOPIC] = 8
        bench.publisher._sender.stale.set()
        await until(lambda: bench.events.counts[TOPIC] == 8)
        bench.put(bench.record(number) for number in range(80, 160))

    with caplog.at_level(logging.WARNING, "pipeline.publish.sender"):
        bench = run(work, partitions=1)
    complete(bench, 160)
    assert len([topic for topic, _ in bench.cluster.logs if topic == TOPIC]) > 1
    assert caplog.messages == ["A topic has another number of partitions: devices move to others."]
    assert not bench.events.failures


def test_a_topic_that_is_away_for_one_look_troubles_nobody() -> None:
    """A broker that has just started does not know every topic yet."""

    async def work(bench: Bench) -> None:
        bench.put([bench.record(0)])
        looked = []
        for code in (3, 0, 3, 3, 0):
            bench.cluster.codes = {TOPIC: code, LETTERS: 0}
            bench.publisher._sender._look_for_topics()
            looked.append(bench.publisher.ready)
        assert looked == [True, True, True, False, True]

    run(work, linger=60.0)


def test_a_topic_that_nothing_waits_for_may_be_deleted() -> None:
    async def work(bench: Bench) -> None:
        bench.cluster.away.add(TOPIC)
        for _ in range(3):
            await bench.cluster.refresh()
            bench.publisher._sender._look_for_topics()
        assert bench.publisher.ready

    run(work)
