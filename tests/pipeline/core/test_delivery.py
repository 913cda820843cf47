"""The delivery contract, held by a fake stage that is late, merges, fans out and loses its connection."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence

import pytest

from pipeline.core.delivery import Delivery, Fate, Lane, Ledger, merge_copies, split_records, sub_delivery
from pipeline.core.errors import DeliveryError


def test_acknowledges_in_order_of_receipt() -> None:
    acknowledged: list[str] = []
    lane: Lane[str] = Lane(acknowledged.extend, max_in_flight=100)
    first, second, third = (lane.receive(2, token) for token in ("a", "b", "c"))

    third.seal(Fate.PUBLISHED, 2)
    first.seal(Fate.PUBLISHED)
    assert acknowledged == []

    first.seal(Fate.DEAD_LETTERED)
    assert acknowledged == ["a"]

    second.seal(Fate.FILTERED, 2)
    assert acknowledged == ["a", "b", "c"]


def test_settled_deliveries_leave_in_one_acknowledgement() -> None:
    calls: list[list[str]] = []
    lane: Lane[str] = Lane(lambda tokens: calls.append(list(tokens)), max_in_flight=100)
    head, *rest = (lane.receive(1, token) for token in "abcd")
    for delivery in rest:
        delivery.seal(Fate.PUBLISHED)
    head.seal(Fate.PUBLISHED)

    assert calls == [["a", "b", "c", "d"]]


@pytest.mark.parametrize("n", [0, -1, 3])
def test_sealing_more_than_received_is_a_bug_that_shows(n: int) -> None:
    delivery = Lane[None](None, max_in_flight=10).receive(2, None)
    with pytest.raises(DeliveryError, match="2 of 2 had no fate"):
        delivery.seal(Fate.PUBLISHED, n)


def test_pauses_when_full_and_resumes_at_half() -> None:
    events: list[str] = []
    lane: Lane[None] = Lane(None, 4, pause=lambda: events.append("pause"), resume=lambda: events.append("resume"))
    deliveries = [lane.receive(1, None) for _ in range(4)]
    assert (events, lane.room) == (["pause"], 0)

    deliveries[1].seal(Fate.PUBLISHED)
    assert lane.room == 0, "what is settled behind the head is still unacknowledged"

    deliveries[0].seal(Fate.PUBLISHED)
    assert (events, lane.room) == (["pause", "resume"], 2)


def test_pauses_when_too_heavy_and_resumes_at_half() -> None:
    """5,000 messages of 256 KiB would be 1.2 GiB."""
    events: list[str] = []
    ledger = Ledger()
    lane: Lane[None] = Lane(
        None,
        100,
        pause=lambda: events.append("pause"),
        resume=lambda: events.append("resume"),
        ledger=ledger,
        max_weight=1000,
    )
    deliveries = [lane.receive(1, None, 400) for _ in range(3)]
    assert (events, lane.room, ledger.weight()) == (["pause"], 0, 1200)

    deliveries[0].seal(Fate.PUBLISHED)
    assert (events, lane.weight) == (["pause"], 800)

    deliveries[1].seal(Fate.PUBLISHED)
    assert (events, lane.room) == (["pause", "resume"], 99)

    lane.close()
    assert ledger.weight() == 400, "a lost connection's messages are still in memory"
    deliveries[2].seal(Fate.PUBLISHED)
    assert ledger.weight() == 0


def test_what_a_message_becomes_weighs_on_its_lane_until_it_is_settled() -> None:
    """A message of 5 KB may become a thousand records: what came says nothing of the memory that it takes."""
    events: list[str] = []
    lane: Lane[None] = Lane(
        None, 100, pause=lambda: events.append("pause"), resume=lambda: events.append("resume"), max_weight=1000
    )
    first, second = lane.receive(1, None, 10), lane.receive(2, None, 10)
    child = split_records(first, 2)
    child.weigh(600)
    assert (events, lane.weight, lane.room) == ([], 620, 97)
    sub_delivery(merge_copies([[second], [second]]), 2, lambda _: None).weigh(500)
    assert (events, lane.weight, lane.room) == (["pause"], 1120, 0)

    child.seal(Fate.PUBLISHED, 2)
    assert (lane.weight, events) == (510, ["pause"]), "more than half"
    second.seal(Fate.PUBLISHED, 2)
    assert (lane.weight, events) == (0, ["pause", "resume"])


def test_a_closed_lane_never_acknowledges() -> None:
    acknowledged: list[str] = []
    ledger = Ledger()
    lane: Lane[str] = Lane(acknowledged.extend, max_in_flight=10, ledger=ledger)
    delivery = lane.receive(3, "old")
    lane.close()
    delivery.seal(Fate.PUBLISHED, 3)

    assert acknowledged == []
    assert (ledger.stale, ledger.acknowledged, ledger.in_flight()) == (3, 0, 0)
    assert ledger.conserved()
    with pytest.raises(DeliveryError, match="closed"):
        lane.receive(1, "new")


def test_a_fanned_message_takes_its_worst_fate_once() -> None:
    ledger = Ledger()
    lane: Lane[None] = Lane(None, max_in_flight=10, ledger=ledger)
    child = split_records(lane.receive(1, None), records=3)
    child.seal(Fate.PUBLISHED, 2)
    assert ledger.in_flight() == 1

    child.seal(Fate.DEAD_LETTERED)
    assert ledger.fates[Fate.DEAD_LETTERED] == 1
    assert sum(ledger.fates) == 1


def test_copies_are_deduplicated_with_their_output() -> None:
    ledger = Ledger()
    lane: Lane[None] = Lane(None, max_in_flight=10, ledger=ledger)
    one, two, three = (lane.receive(1, None) for _ in range(3))
    output = merge_copies([[one, two], [three]])
    output.seal(Fate.PUBLISHED)
    assert ledger.in_flight() == 3, "a copy is never settled before the output"

    output.seal(Fate.PUBLISHED)
    assert (ledger.fates[Fate.PUBLISHED], ledger.fates[Fate.DEDUPLICATED]) == (2, 1)


class LateStage:
    """Keeps what it is given and decides later, in any order: published, refused, fanned out or merged."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.kept: list[Delivery] = []

    def put(self, delivery: Delivery) -> None:
        self.kept.append(delivery)

    def work(self) -> None:
        self.rng.shuffle(self.kept)
        whole = [delivery for delivery in self.kept if delivery.left == delivery.size == 1]
        match self.rng.randrange(4):
            case 0 if len(whole) > 1:
                self._merge(whole[: self.rng.randint(2, len(whole))])
            case 1 if whole:
                self.kept.remove(whole[0])
                self.kept.append(split_records(whole[0], self.rng.randint(1, 5)))
            case _:
                self._seal()

    def _merge(self, copies: list[Delivery]) -> None:
        for copy in copies:
            self.kept.remove(copy)
        cut = self.rng.randint(1, len(copies))
        groups = [group for group in (copies[:cut], copies[cut:]) if group]
        self.kept.append(merge_copies(groups))

    def _seal(self) -> None:
        delivery = self.kept[0]
        delivery.seal(self.rng.choice(list(Fate)), self.rng.randint(1, delivery.left))
        if not delivery.left:
            self.kept.remove(delivery)


class Source:
    """Two feeds' worth of connections; numbers every message and checks what is acknowledged."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.ledger = Ledger()
        self.sent = 0
        self.expected: list[int] = []
        self.lane = self._connect()

    def _connect(self) -> Lane[range]:
        self.expected = []
        expected = self.expected

        def acknowledge(tokens: Sequence[range]) -> None:
            numbers = [number for token in tokens for number in token]
            assert numbers == expected[: len(numbers)], "acknowledged out of order, or on another connection"
            del expected[: len(numbers)]

        return Lane(acknowledge, max_in_flight=64, ledger=self.ledger)

    def read(self, out: LateStage) -> None:
        if self.lane.paused:
            return
        size = self.rng.choice([1, 1, self.rng.randint(1, 20)])
        token = range(self.sent, self.sent + size)
        self.sent += size
        self.expected.extend(token)
        out.put(self.lane.receive(size, token))

    def lose_connection(self) -> None:
        self.lane.close()
        self.lane = self._connect()


@pytest.mark.parametrize("seed", range(300))
def test_nothing_is_lost_whatever_a_late_stage_does(seed: int) -> None:
    rng = random.Random(seed)
    stage, sources = LateStage(rng), [Source(rng), Source(rng)]
    for _ in range(rng.randint(10, 300)):
        source = rng.choice(sources)
        action = rng.random()
        if action < 0.5:
            source.read(stage)
        elif action < 0.97 and stage.kept:
            stage.work()
        elif action >= 0.99:
            source.lose_connection()
        assert all(each.ledger.conserved() for each in sources)
        assert all(each.lane.outstanding <= 64 + 19 for each in sources)
    while stage.kept:
        stage.work()

    for source in sources:
        ledger = source.ledger
        assert ledger.received == source.sent == sum(ledger.fates)
        assert ledger.acknowledged + ledger.stale == source.sent
        assert source.expected == [], "everything of the living connection is acknowledged"
        assert ledger.in_flight() == ledger.unacknowledged() == 0


def test_a_planted_loss_is_seen() -> None:
    ledger = Ledger()
    lane: Lane[None] = Lane(None, max_in_flight=10, ledger=ledger)
    delivery = lane.receive(2, None)
    delivery.left -= 1  # as if a stage forgot one message
    assert not ledger.conserved()


def test_fates_are_counted_for_each_feed() -> None:
    ledgers = [Ledger(), Ledger()]
    for ledger, fate in zip(ledgers, (Fate.PUBLISHED, Fate.SHED), strict=True):
        Lane[None](None, max_in_flight=10, ledger=ledger).receive(2, None).seal(fate, 2)
    counts = [Counter({fate: ledger.fates[fate] for fate in Fate if ledger.fates[fate]}) for ledger in ledgers]
    assert counts == [Counter({Fate.PUBLISHED: 2}), Counter({Fate.SHED: 2})]
