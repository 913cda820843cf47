"""The publisher against a model of Kafka: each of its answers, and any row of them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from time import monotonic
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import publish_sender
from pipeline.delivery import Batch, Fate
from pipeline.errors import DeliveryError
from pipeline.publish_cluster import LinkError, Produced
from pipeline.publish_codes import CODES, Answer
from pipeline.publish_intake import MAX_VALUE, OMITTED
from pipeline.record import Destination, Record, encode_headers
from tests.pipeline.publish_model import LETTERS, TOPIC, Bench, Step

CODES_OF = {answer: [code for code, (_, its) in CODES.items() if its is answer] for answer in Answer}
LATER = 5.0


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_SOON", "_BUSY", "_STUBBORN"):
        monkeypatch.setattr(publish_sender, name, 0.0002)


def run(work: Callable[[Bench], Coroutine[Any, Any, None]], **options: Any) -> Bench:
    """Start a publisher, do the work, drain and close."""

    async def whole() -> Bench:
        bench = Bench(**options)
        await bench.start()
        await work(bench)
        await bench.publisher.drain(monotonic() + LATER)
        assert not bench.publisher.kept()
        await bench.publisher.close(monotonic() + 1)
        assert bench.publisher._sender.broken is None
        return bench

    return asyncio.run(whole())


def send(count: int, *script: Step, **options: Any) -> Bench:
    async def work(bench: Bench) -> None:
        bench.cluster.script.extend(script)
        bench.put(bench.record(number) for number in range(count))

    return run(work, **options)


def complete(bench: Bench, count: int) -> None:
    """Nothing lost, nothing twice, in order per device."""
    values = bench.cluster.values()
    assert sorted(values, key=int) == [b"%d" % number for number in range(count)]
    for log in bench.cluster.logs.values():
        for key in {each.key for each in log}:
            numbers = [int(each.value) for each in log if each.key == key]
            assert numbers == sorted(numbers)
    assert bench.settled()
    assert bench.ledger.fates[Fate.PUBLISHED] == count
    assert bench.acknowledged == sorted(bench.acknowledged)


class TestAnswers:
    def test_confirmed(self) -> None:
        bench = send(100)
        complete(bench, 100)
        assert bench.events.records == 100
        assert len(bench.cluster.sent) == 2  # one request per broker

    @pytest.mark.parametrize("code", [*CODES_OF[Answer.RETRY], *CODES_OF[Answer.OPERATOR], 2, 999])
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

    @pytest.mark.parametrize("code", CODES_OF[Answer.REBUILD])
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


class TestRefusals:
    def test_one_bad_record_becomes_a_dead_letter_alone(self) -> None:
        async def work(bench: Bench) -> None:
            bench.cluster.refused_values.add(b"57")
            bench.put(bench.record(number) for number in range(100))

        bench = run(work, partitions=1)
        values = [int(value) for value in bench.cluster.values()]
        assert values == [number for number in range(100) if number != 57]
        [letter] = bench.cluster.logs[LETTERS, 0]
        assert letter.value == b""  # the model refuses these bytes everywhere
        assert bench.settled()
        assert bench.ledger.fates[Fate.PUBLISHED] == 99
        assert bench.ledger.fates[Fate.DEAD_LETTERED] == 1

    def test_clock_ahead(self) -> None:
        """The dead letter has the same time, is refused too, and goes without one."""

        async def work(bench: Bench) -> None:
            bench.cluster.latest = 5_000
            bench.put(bench.record(n, timestamp=9_000 if n in {0, 31, 99} else 1_000) for n in range(100))

        bench = run(work, partitions=1)
        assert len(bench.cluster.values()) == 97
        letters = bench.cluster.logs[LETTERS, 0]
        assert [(each.value, each.timestamp) for each in letters] == [(b"0", -1), (b"31", -1), (b"99", -1)]
        assert dict(letters[0].headers)["ce_reason"] == b"record_refused"
        assert bench.settled()

    @pytest.mark.parametrize("code", CODES_OF[Answer.REFUSED])
    def test_every_refusal_is_bisected(self, code: int) -> None:
        bench = send(64, code, partitions=1)
        complete(bench, 64)  # the code came once: the halves were taken
        assert len(bench.cluster.sent) == 3

    def test_damaged_three_times(self) -> None:
        complete(send(64, 2, 2, 2, partitions=1), 64)

    def test_uncertain_and_then_refused(self) -> None:
        """What may be stored must not lend its sequence numbers to other records, which would pass for duplicates."""

        async def work(bench: Bench) -> None:
            bench.cluster.script.extend(["stored:lost", 10])
            bench.put([bench.record(0)])
            await bench.publisher.drain(monotonic() + LATER)
            bench.put([bench.record(8)])

        bench = run(work, partitions=1)
        assert bench.cluster.values() == [b"0", b"8"]
        assert bench.cluster.values(LETTERS) == [b"0"]
        assert len(bench.events.rebuilds) == 1

    def test_a_refused_dead_letter_goes_without_its_value(self) -> None:
        async def work(bench: Bench) -> None:
            bench.cluster.refused_values.add(b"raw")
            headers = encode_headers([("ce_reason", b"malformed")])
            letter = Record(Destination(LETTERS, b"k"), b"raw", headers, 5, None)
            bench.put([letter, bench.record(1)])

        bench = run(work)
        [stored] = bench.cluster.logs[LETTERS, 0]
        assert stored.value == b""
        assert dict(stored.headers) == {"ce_reason": b"malformed", OMITTED: b"INVALID_RECORD"}
        assert bench.ledger.fates[Fate.DEAD_LETTERED] == 1

    def test_a_dead_letter_refused_to_the_end_is_kept(self, caplog: pytest.LogCaptureFixture) -> None:
        async def work(bench: Bench) -> None:
            bench.cluster.refused_values |= {b"raw", b""}
            bench.put([Record(Destination(LETTERS, b"k"), b"raw", encode_headers([]), 5, None), bench.record(1)])
            await bench.publisher.drain(monotonic() + 0.2)
            assert bench.publisher.kept() == 1
            assert not bench.publisher.ready
            bench.cluster.refused_values.clear()

        with caplog.at_level(logging.ERROR, "pipeline.publish_sender"):
            bench = run(work)
        assert "refused a dead letter" in caplog.text
        assert bench.settled()
        assert bench.publisher._sender.problem() == ""

    def test_too_large_at_once(self) -> None:
        async def work(bench: Bench) -> None:
            bench.put([bench.record(0), bench.record(1, size=MAX_VALUE), bench.record(2)])

        bench = run(work)
        assert sorted(bench.cluster.values()) == [b"0", b"2"]
        [letter] = bench.cluster.logs[LETTERS, 0]
        assert dict(letter.headers)["ce_reason"] == b"record_too_large"
        assert bench.settled()
        assert not bench.events.failures

    def test_max_message_bytes_below_the_chunk(self) -> None:
        async def whole() -> Bench:
            bench = Bench(partitions=1)
            bench.cluster.limit = 2_000
            await bench.start()
            bench.put(bench.record(number, size=200) for number in range(100))
            bench.put([bench.record(100, size=3_000)])
            await bench.publisher.drain(monotonic() + LATER)
            await bench.publisher.close(monotonic())
            return bench

        bench = asyncio.run(whole())
        assert len(bench.cluster.values()) == 100
        assert not bench.events.failures
        assert len(bench.cluster.values(LETTERS)) == 1
        assert bench.settled()

    def test_a_limit_that_shrinks_is_met_once(self) -> None:
        async def work(bench: Bench) -> None:
            bench.cluster.limit = 5_000
            for _ in range(20):
                bench.put(bench.record(number, size=100) for number in range(100))
                await bench.publisher.drain(monotonic() + LATER)

        bench = run(work, partitions=1)
        assert bench.ledger.fates[Fate.PUBLISHED] == 2_000
        refused = [request for request in bench.cluster.sent if len(request[0][3]) > 5_000]
        assert len(refused) < 10


class TestOperators:
    def test_not_ready_until_mended(self, caplog: pytest.LogCaptureFixture) -> None:
        async def work(bench: Bench) -> None:
            assert bench.publisher.ready
            bench.cluster.script.extend([29] * 8)
            bench.put([bench.record(0)])
            await asyncio.sleep(0.01)
            while bench.cluster.script:
                if len(bench.events.failures) >= 3 and bench.publisher.kept():
                    assert "Grant this client's principal WRITE on topic t.AirQ" in bench.publisher.trouble
                await asyncio.sleep(0)

        with caplog.at_level(logging.WARNING, "pipeline.publish_sender"):
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
            assert 0.005 < bench.publisher.gauges().oldest < 0.1
            assert not bench.cluster.sent
            await asyncio.sleep(0.15)
            assert len(bench.cluster.sent) == 1

        complete(run(work, linger=0.1, partitions=1), 10)

    def test_a_full_chunk_does_not_linger(self) -> None:
        async def work(bench: Bench) -> None:
            bench.put(bench.record(number, size=100) for number in range(50))
            await asyncio.sleep(0.02)
            assert bench.publisher.kept() < 20

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
            bench.publisher._sender._stale.set()
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
            begun = monotonic()
            await bench.publisher.drain(begun + 0.1)
            await bench.publisher.close(begun + 0.2)
            assert monotonic() - begun < 0.3
            assert bench.publisher.kept() == 1
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


honest = [code for code, (_, its) in CODES.items() if its is not Answer.CONFIRMED]
steps = st.sampled_from([*honest, "stored:7", "stored:46", "stored:lost", "lost", "stored:13", "stored:0"])


@settings(max_examples=150, deadline=None)
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
    if not bad and all(CODES[code][1] in {Answer.RETRY, Answer.OPERATOR, Answer.CONFIRMED} for code in codes):
        assert sorted(stored) == sorted(wanted - bad)  # no duplicate either
    for log in bench.cluster.logs.values():
        for key in {each.key for each in log}:
            first = list(
                dict.fromkeys(int(each.value) for each in log if each.key == key and "was" not in dict(each.headers))
            )
            assert first == sorted(first)
