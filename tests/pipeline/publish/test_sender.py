"""What Kafka refuses for good: down to the one record, into the dead-letter topic, and never lost."""

from __future__ import annotations

import asyncio
import logging
from time import monotonic, time

import pytest

from pipeline.core.delivery import Fate
from pipeline.core.record import KEPT, OMITTED, SIZE, Destination, Record, encode_headers
from pipeline.publish import accumulator
from pipeline.publish.accumulator import MAX_VALUE
from pipeline.publish.error_codes import Action
from tests.pipeline.publish.model import CODES_OF, LATER, LETTERS, TOPIC, Bench, complete, hurry, run, send


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    hurry(monkeypatch)


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

    def test_a_wrong_clock_makes_no_dead_letter(self, caplog: pytest.LogCaptureFixture) -> None:
        """Kafka refuses the time and does not tell its own: records go without one, and at once from then on."""

        async def work(bench: Bench) -> None:
            bench.cluster.latest = 5_000
            bench.put(bench.record(number) for number in range(100))
            await bench.publisher.drain(monotonic() + LATER)
            assert len(bench.cluster.sent) == 3
            bench.put(bench.record(number) for number in range(100, 200))

        with caplog.at_level(logging.ERROR, "pipeline.publish.timekeeper"):
            bench = run(work, partitions=1)
        complete(bench, 200)
        assert {each.timestamp for each in bench.cluster.logs[TOPIC, 0]} == {-1}
        assert len(bench.cluster.sent) == 4
        assert bench.events.failures == ["INVALID_TIMESTAMP"] * 2
        assert caplog.messages == ["The clock of this machine is wrong."]
        assert "Kafka refuses that" in bench.clock.problem

    def test_a_clock_that_kafka_corrects(self) -> None:
        """What is kept from before gets the time that Kafka had when it was received."""

        async def work(bench: Bench) -> None:
            bench.clock.learn(7200.0, 0.01)
            bench.put(bench.record(number, timestamp=round((time() + 7200) * 1000)) for number in range(50))

        bench = run(work, partitions=1)
        complete(bench, 50)
        now = (time() - 7200) * 1000
        assert all(now - 60_000 < each.timestamp <= now for each in bench.cluster.logs[TOPIC, 0])
        assert not bench.events.failures

    def test_a_topic_that_kafka_stamps_tells_its_time(self) -> None:
        async def work(bench: Bench) -> None:
            bench.cluster.time_told = round((time() + 86_400) * 1000)
            bench.put([bench.record(0)])

        bench = run(work)
        assert bench.clock.ahead == pytest.approx(-86_400, abs=5)
        assert "behind Kafka's" in bench.clock.problem

    def test_what_is_too_old_for_its_topic_goes_without_a_time(self) -> None:
        """It has waited for Kafka longer than the topic's message.timestamp.before.max.ms."""

        async def work(bench: Bench) -> None:
            bench.clock.learn(0.0, 0.01)
            bench.cluster.latest = 5_000
            bench.put([bench.record(0)])

        bench = run(work)
        complete(bench, 1)
        assert [each.timestamp for log in bench.cluster.logs.values() for each in log] == [-1]
        assert not bench.clock.problem

    @pytest.mark.parametrize("code", CODES_OF[Action.REFUSED])
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
            letter = Record.make(Destination(LETTERS, b"k"), b"raw", headers, 5, None)
            bench.put([letter, bench.record(1)])

        bench = run(work)
        [stored] = bench.cluster.logs[LETTERS, 0]
        assert stored.value == b""
        assert dict(stored.headers) == {
            "ce_reason": b"malformed",
            SIZE: b"3",
            KEPT: b"0",
            OMITTED: b"INVALID_RECORD",
        }
        assert bench.ledger.fates[Fate.DEAD_LETTERED] == 1

    def test_a_dead_letter_too_long_for_its_topic_is_cut_to_fit_and_says_so(self) -> None:
        async def whole() -> Bench:
            bench = Bench()
            bench.cluster.limit = 5_000
            await bench.start()
            headers = encode_headers([("ce_reason", b"malformed")])
            bench.put([Record.make(Destination(LETTERS, b"k"), b"r" * 90_000, headers, 5, None), bench.record(1)])
            await bench.publisher.drain(monotonic() + LATER)
            await bench.publisher.close(monotonic())
            return bench

        [stored] = asyncio.run(whole()).cluster.logs[LETTERS, 0]
        assert 4_500 < len(stored.value or b"") < 5_000
        assert dict(stored.headers) == {
            "ce_reason": b"malformed",
            SIZE: b"90000",
            KEPT: b"%d" % len(stored.value or b""),
        }

    def test_a_dead_letter_refused_to_the_end_is_kept(self, caplog: pytest.LogCaptureFixture) -> None:
        async def work(bench: Bench) -> None:
            bench.cluster.refused_values |= {b"raw", b""}
            bench.put([Record.make(Destination(LETTERS, b"k"), b"raw", encode_headers([]), 5, None), bench.record(1)])
            await bench.publisher.drain(monotonic() + 0.2)
            assert bench.publisher.pending() == 1
            assert not bench.publisher.ready
            bench.cluster.refused_values.clear()

        with caplog.at_level(logging.ERROR, "pipeline.publish.sender"):
            bench = run(work)
        assert "Kafka refused a dead letter; it is kept." in caplog.messages
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

    @pytest.mark.parametrize("size", [MAX_VALUE, 0])
    def test_a_message_has_one_dead_letter_however_many_of_its_records_are_refused(self, size: int) -> None:
        """By us, since they are too large, or by Kafka; what came before and behind them is published."""

        async def work(bench: Bench) -> None:
            records = [bench.record(number, size=size if number in {1, 3, 4} else 0) for number in range(6)]
            if not size:
                bench.cluster.refused_values |= {records[number].value for number in (1, 3, 4)}
            bench.put(record._replace(message=records[0].message) for record in records)

        bench = run(work, partitions=1)
        assert bench.cluster.values() == [b"0", b"2", b"5"]
        assert len(bench.cluster.logs[LETTERS, 0]) == 1
        assert bench.settled()
        assert bench.ledger.fates[Fate.PUBLISHED] == 3
        assert bench.ledger.fates[Fate.DEAD_LETTERED] == 3
        assert bench.acknowledged == [1]

    def test_a_dead_letter_made_here_weighs_on_its_lane(self) -> None:
        async def work(bench: Bench) -> None:
            record = bench.record(1, size=MAX_VALUE)
            bench.put([record])
            assert bench.lane.weight > len(record.body) + 100  # the model's letters have a hundred bytes

        assert run(work).lane.weight == 0

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

    def test_a_limit_that_grows_is_used(self) -> None:
        async def work(bench: Bench) -> None:
            bench.cluster.limit = 500
            bench.put(bench.record(number, size=100) for number in range(200))
            await bench.publisher.drain(monotonic() + LATER)
            bench.cluster.limit = 1_048_588
            await asyncio.sleep(0.3)
            sent = len(bench.cluster.sent)
            bench.put(bench.record(number, size=100) for number in range(1_000))
            await bench.publisher.drain(monotonic() + LATER)
            assert len(bench.cluster.sent) - sent < 10  # with the limit that 500 bytes had left: 1,000

        bench = run(work, partitions=1, metadata_max_age=0.05)
        assert bench.ledger.fates[Fate.PUBLISHED] == 1_200


class TestLongKeys:
    def test_the_keys_of_dead_letters_are_forgotten(self) -> None:
        """Each is made for one record; and a long one must not make the chunks of all that follow small."""

        async def work(bench: Bench) -> None:
            for number in range(20):
                destination = Destination(LETTERS, b"%d" % number + b"k" * 4_000, lasting=False)
                bench.put([Record.make(destination, b"raw", encode_headers([]), 5, None)])
            assert not bench.publisher._intake._cache
            bench.put([Record.make(Destination(LETTERS, b"k"), b"raw", encode_headers([]), 5, None)])

        bench = run(work, linger=0.01)
        assert len(bench.cluster.logs[LETTERS, 0]) == 21
        assert bench.publisher._intake.slots[LETTERS, 0].each < 100

    def test_what_is_remembered_is_bounded_in_bytes(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(accumulator, "_REMEMBERED_BYTES", 10_000)

        async def work(bench: Bench) -> None:
            for number in range(100):
                record = bench.record(number)._replace(destination=Destination(TOPIC, b"%03d" % number + b"k" * 1_000))
                bench.put([record])
                assert len(bench.publisher._intake._cache) <= 10

        complete(run(work), 100)
