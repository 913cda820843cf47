"""The publisher against a model of Kafka: each of its answers, and any row of them."""

from __future__ import annotations

import asyncio
import logging
from time import monotonic

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.core.delivery import Batch, Fate
from pipeline.core.errors import DeliveryError
from pipeline.core.record import Destination
from pipeline.publish.cluster import LinkError, Produced
from pipeline.publish.error_codes import CODES, Action
from tests.pipeline.publish.model import CODES_OF, LATER, LETTERS, TOPIC, Bench, Step, complete, hurry, run, send


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    hurry(monkeypatch)


class TestAnswers:
    def test_confirmed(self) -> None:
        bench = send(100)
        complete(bench, 100)
        assert bench.events.records == 100
        assert len(bench.cluster.sent) == 2  # one request per broker

    @pytest.mark.parametrize("code", [*CODES_OF[Action.RETRY], *CODES_OF[Action.OPERATOR], 2, 999])
    def test_tried_again_as_the_same_bytes(self, code: int) -> None:
        bench = send(50, code, code, partitions=1)
        complete(bench, 50)
        assert bench.cluster.sent[0] == bench.cluster.sent[1] == bench.cluster.sent[2]
        assert len(bench.events.failures) == 2

    @pytest.mark.parametrize("step", ["stored:7", "stored:lost", "lost", "stored:20"])
    def test_no_duplicate_when_the_answer_is_lost(self, step: str) -> None:
        complete(send(50, step, step, partitions=1), 50)

    def test_duplicate_sequence_is_confirmed(self) -> None:
        complete(send(50, "stored:46", partitions=1), 50)

    @pytest.mark.parametrize("code", CODES_OF[Action.REBUILD])
    def test_rebuild(self, code: int) -> None:
        points: list[str] = []
        bench = send(50, code, partitions=1, failpoint=points.append)
        complete(bench, 50)
        assert len(bench.events.rebuilds) == 1
        assert bench.cluster.next_id == 102
        wanted = ["after_put", "after_chunk_sent", "after_confirm", "during_rebuild", "after_chunk_sent"]
        assert points == [*wanted, "after_confirm"]

    def test_a_rebuild_leaves_other_partitions_alone(self) -> None:
        async def work(bench: Bench) -> None:
            bench.put(bench.record(number) for number in range(8))
            await bench.publisher.drain(monotonic() + LATER)
            bench.cluster.script.append(45)
            bench.put(bench.record(number) for number in range(8, 16))

        bench = run(work, partitions=4)
        complete(bench, 16)
        assert {producer for producer, *_ in bench.cluster.producers} == {101, 102}
        renewed = [partition for producer, _, partition in bench.cluster.producers if producer == 102]
        assert len(renewed) == 1

    def test_producer_id_is_asked_for_again(self, monkeypatch: pytest.MonkeyPatch) -> None:
        async def work(bench: Bench) -> None:
            ask = bench.cluster.new_producer
            problems = [LinkError("gone", uncertain=True), LinkError("no", code=31), LinkError("busy", code=14)]

            async def new_producer() -> tuple[int, int]:
                if problems:
                    raise problems.pop()
                return await ask()

            monkeypatch.setattr(bench.cluster, "new_producer", new_producer)
            bench.cluster.script.append(59)
            bench.put(bench.record(number) for number in range(50))

        complete(run(work, partitions=1), 50)

    def test_not_idempotent(self) -> None:
        bench = send(50, 5, "lost", partitions=1, idempotent=False)
        complete(bench, 50)
        assert not any(producer >= 0 for producer, *_ in bench.cluster.producers)
        assert bench.cluster.next_id == 100


class TestOperators:
    def test_not_ready_until_mended(self, caplog: pytest.LogCaptureFixture) -> None:
        async def work(bench: Bench) -> None:
            assert bench.publisher.ready
            bench.cluster.script.extend([29] * 8)
            bench.put([bench.record(0)])
            await asyncio.sleep(0.01)
            while bench.cluster.script:
                if len(bench.events.failures) >= 3 and bench.publisher.pending():
                    assert "Grant this client's principal WRITE on topic t.AirQ" in bench.publisher.trouble
                await asyncio.sleep(0)

        with caplog.at_level(logging.WARNING, "pipeline.publish.sender"):
            complete(run(work), 1)
        assert len(caplog.records) == 1

    def test_unreachable(self) -> None:
        async def work(bench: Bench) -> None:
            bench.cluster.script.extend(["lost"] * 4)
            bench.put([bench.record(0)])
            while len(bench.cluster.script) > 2:  # noqa: ASYNC110
                await asyncio.sleep(0)
            await asyncio.sleep(0)
            assert "connection broke" in bench.publisher.trouble

        bench = run(work)
        complete(bench, 1)

    def test_start_says_what_to_grant(self, monkeypatch: pytest.MonkeyPatch) -> None:
        async def whole() -> None:
            bench = Bench()

            async def refuse() -> tuple[int, int]:
                raise LinkError("Kafka gave no producer id: CLUSTER_AUTHORIZATION_FAILED.", code=31)

            monkeypatch.setattr(bench.cluster, "new_producer", refuse)
            assert not bench.publisher.ready
            await bench.start()

        with pytest.raises(Exception, match="IDEMPOTENT_WRITE"):
            asyncio.run(whole())

    def test_a_topic_not_named_at_the_start_is_our_bug(self) -> None:
        async def work(bench: Bench) -> None:
            record = bench.record(0)._replace(destination=Destination("other", b"k"))
            delivery = bench.lane.receive(1, 0)
            with pytest.raises(DeliveryError, match="'other'"):
                bench.publisher.put(Batch(delivery, [record]))
            delivery.seal(Fate.SHED)

        run(work)


class TestFlow:
    def test_lingers_and_coalesces(self) -> None:
        async def work(bench: Bench) -> None:
            for number in range(10):
                bench.put([bench.record(number)])
                await asyncio.sleep(0.001)
            assert bench.publisher.gauges()[:2] == (10, 0)
            assert 0.005 < bench.publisher.gauges().oldest < 1.0
            assert not bench.cluster.sent
            while not bench.cluster.sent:  # noqa: ASYNC110
                await asyncio.sleep(0.01)

        bench = run(work, linger=1.0, partitions=1)
        complete(bench, 10)
        assert len(bench.cluster.sent) == 1

    def test_a_full_chunk_does_not_linger(self) -> None:
        async def work(bench: Bench) -> None:
            bench.put(bench.record(number, size=100) for number in range(50))
            await asyncio.sleep(0.02)
            assert bench.publisher.pending() < 20

        bench = run(work, linger=60.0, chunk_bytes=2048, partitions=1)
        assert all(len(head + body) <= 2048 for request in bench.cluster.sent for _, _, head, body in request)

    def test_a_request_is_bounded(self) -> None:
        async def work(bench: Bench) -> None:
            bench.put(bench.record(number, size=300) for number in range(800))

        bench = run(work, chunk_bytes=1000, partitions=20)
        assert bench.settled()
        assert max(sum(len(head + body) for _, _, head, body in request) for request in bench.cluster.sent) <= 5000

    def test_new_partitions_are_used(self) -> None:
        async def work(bench: Bench) -> None:
            bench.put(bench.record(number) for number in range(8))
            await bench.publisher.drain(monotonic() + LATER)
            bench.cluster.counts[TOPIC] = 6
            bench.publisher._sender.stale.set()
            while bench.cluster.partitions[TOPIC] < 6:  # noqa: ASYNC110
                await asyncio.sleep(0)
            bench.put(bench.record(number) for number in range(8, 16))

        bench = run(work, partitions=1)
        assert bench.settled()
        assert len([topic for topic, _ in bench.cluster.logs if topic == TOPIC]) > 1

    def test_close_returns_while_kafka_says_nothing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        async def whole() -> None:
            bench = Bench()

            async def never(*_: object) -> Produced:
                await asyncio.Event().wait()
                raise AssertionError

            monkeypatch.setattr(bench.cluster, "produce", never)
            await bench.start()
            bench.put([bench.record(0)])
            async with asyncio.timeout(30):
                await bench.publisher.drain(monotonic() + 0.1)
                await bench.publisher.close(monotonic() + 0.1)
            assert bench.publisher.pending() == 1
            assert bench.ledger.in_flight() == 1
            assert len(asyncio.all_tasks()) == 1

        asyncio.run(whole())

    def test_a_bug_reaches_whoever_watches(self) -> None:
        def fail(point: str) -> None:
            if point == "after_confirm":
                raise ZeroDivisionError

        async def whole() -> None:
            bench = Bench(failpoint=fail)
            await bench.start()
            bench.put([bench.record(0)])
            with pytest.raises(ZeroDivisionError):
                await bench.publisher.watch()
            await bench.publisher.close(monotonic())

        asyncio.run(whole())


honest = [code for code, (_, its) in CODES.items() if its is not Action.CONFIRMED]
steps = st.sampled_from([*honest, "stored:7", "stored:46", "stored:lost", "lost", "stored:13", "stored:0"])


@settings(max_examples=150)
@given(
    script=st.lists(steps, max_size=25),
    sizes=st.lists(st.integers(1, 12), min_size=1, max_size=12),
    bad=st.sets(st.integers(0, 60), max_size=4),
    partitions=st.integers(1, 4),
)
def test_any_row_of_answers(script: list[Step], sizes: list[int], bad: set[int], partitions: int) -> None:
    """Nothing is lost, first occurrences keep their order, every delivery is settled once."""

    async def work(bench: Bench) -> None:
        bench.cluster.script.extend(script)
        bench.cluster.refused_values = {b"%d" % number for number in bad}
        number = 0
        for size in sizes:
            bench.put(bench.record(number + n) for n in range(size))
            number += size
            await asyncio.sleep(0)

    bench = run(work, partitions=partitions)
    assert bench.settled()
    assert bench.acknowledged == list(range(1, len(sizes) + 1))
    wanted = set(range(sum(sizes)))
    stored = [int(value) for value in bench.cluster.values()]
    letters = {int(dict(each.headers)["was"]) for each in bench.cluster.logs.get((LETTERS, 0), [])}
    assert wanted == set(stored) | letters
    assert sum(bench.ledger.fates) == len(wanted)
    codes = {int(str(step).rpartition(":")[2]) for step in script if not str(step).endswith("lost")}
    if not bad and all(CODES[code][1] in {Action.RETRY, Action.OPERATOR, Action.CONFIRMED} for code in codes):
        assert sorted(stored) == sorted(wanted - bad)  # no duplicate either
    for log in bench.cluster.logs.values():
        for key in {each.key for each in log}:
            first = list(
                dict.fromkeys(int(each.value) for each in log if each.key == key and "was" not in dict(each.headers))
            )
            assert first == sorted(first)
