"""Five in a hundred messages are poison: each becomes a dead letter that says why, and nothing else is harmed."""

import random
import re
from collections import Counter

import pytest

from tests.integration.poison import MAX_PAYLOAD, POISONS, Poison
from tests.integration.worker_bench import WorkerBench, entity_of, fates, headers_of, number_of, reading
from tests.support.kafka_client import Consumed

pytestmark = pytest.mark.real
GOOD = 5000
SHARE = 0.05
DEVICES = 50
Sent = dict[str, Poison]


def spiked(tenant: str) -> tuple[list[tuple[str, bytes]], Sent]:
    """Mix poison among good messages; every poisonous one has a topic of its own, which names it."""
    chance = random.Random(20)
    rounds = round(GOOD * SHARE / len(POISONS))
    sent = {
        f"{tenant}/{poison.area}/{index}-{number}": poison
        for index, poison in enumerate(POISONS)
        for number in range(rounds)
    }
    assert abs(len(sent) / GOOD - SHARE) < 0.005
    poison = [(topic, each.payload) for topic, each in sent.items()]
    messages = [(f"{tenant}/aq/good", reading(number, number % DEVICES)) for number in range(GOOD)]
    for message in poison:
        messages.insert(chance.randrange(len(messages)), message)
    return messages, sent


@pytest.mark.parametrize("version", ["3.1.1", "5"])
def test_five_per_cent_of_poison(bench: WorkerBench, version: str) -> None:
    messages, sent = spiked(bench.tenant)
    worker = bench.worker(bench.config(feed={"version": version, "max_payload": f"{MAX_PAYLOAD}B"}))
    bench.publish_on(messages)

    metrics = bench.settled(worker, len(messages))
    assert fates(metrics) == {"published": GOOD, "dead_lettered": len(sent)}
    by_reason = Counter(poison.reason for poison in sent.values())
    for reason, count in by_reason.items():
        assert metrics[f'headrace_dead_letters_total{{feed="city",reason="{reason}"}}'] == count
    assert worker.stop() == 0

    every_good_one_is_there_once(bench.records())
    every_letter_says_why(bench.letters(), sent)


def every_good_one_is_there_once(records: list[Consumed]) -> None:
    assert sorted(map(number_of, records)) == sorted((number % DEVICES, number) for number in range(GOOD))
    for record in records[::50]:
        entity_of(record)


def every_letter_says_why(letters: list[Consumed], sent: Sent) -> None:
    found = {headers_of(letter)["ce_sourcetopic"]: letter for letter in letters}
    assert len(found) == len(letters)
    assert found.keys() == sent.keys()
    for topic, poison in sent.items():
        headers = headers_of(found[topic])
        assert (poison.name, headers["ce_reason"], headers["ce_stage"]) == (poison.name, poison.reason, poison.stage)
        assert found[topic].value == poison.payload, poison.name
        whose = r"city-aq@[0-9a-f]{8}" if poison.stage != "route" else ""
        assert re.fullmatch(whose, headers["ce_connector"])
        assert headers["ce_feed"] == "city"
        assert headers["ce_dataclassification"] == "restricted"
        assert headers["ce_detail"].isprintable()


@pytest.mark.parametrize("version", ["3.1.1", "5"])
@pytest.mark.parametrize("over", [0, 1])
def test_the_largest_payload(bench: WorkerBench, version: str, over: int) -> None:
    """`max_payload` counts the payload alone; what is larger is a dead letter, and never dropped by the broker."""
    largest = 4096
    worker = bench.worker(bench.config(feed={"version": version, "max_payload": f"{largest}B"}))
    full = reading().ljust(largest + over)
    bench.publish(full)
    assert fates(bench.settled(worker, 1, timeout=30)) == {"dead_lettered" if over else "published": 1}
    assert worker.stop() == 0
    if over:
        [letter] = bench.letters()
        assert letter.value == full
        assert headers_of(letter)["ce_reason"] == "payload_too_large"
