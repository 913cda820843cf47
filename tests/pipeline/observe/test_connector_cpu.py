"""What connectors cost: a few batches are measured, and stand for all."""

from __future__ import annotations

from time import thread_time

import pytest

from pipeline.core.delivery import Batch, Fate, Lane, Ledger, Message, Stage
from pipeline.lorawan.unwrap import Heard
from pipeline.observe import connector_cpu as cost
from pipeline.observe.connector_cpu import Costs, MeteredRoute, MeteredUplinks, Slow
from pipeline.sdk.uplink import Uplink


class Busy(Stage[object]):
    """Takes a millisecond of processor time for each item."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.items: list[object] = []

    def put(self, batch: Batch[object]) -> None:
        self.sizes.append(len(batch.items))
        self.items += batch.items
        until = thread_time() + 0.001 * len(batch.items)
        while thread_time() < until:
            pass
        batch.delivery.seal(Fate.PUBLISHED, len(batch.items))

    def pending(self) -> int:
        return 0

    async def drain(self, deadline: float) -> None:
        pass


def test_a_route_is_measured_each_sixteenth_time() -> None:
    costs: Costs = {}
    busy, ledger = Busy(), Ledger()
    lane: Lane[None] = Lane(None, 10_000, ledger=ledger)
    stage = MeteredRoute("city-aq", busy, costs)  # type: ignore[arg-type]
    assert costs == {"city-aq": 0.0}
    for _ in range(64):
        stage.put(Batch(lane.receive(2, None), [Message("t", b"", 1)] * 2))
    assert busy.sizes == [2] * 64
    assert costs["city-aq"] == pytest.approx(0.128, rel=0.5)
    assert ledger.conserved()


def test_uplinks_are_measured_one_by_one_and_in_order() -> None:
    costs: Costs = {}
    busy, ledger = Busy(), Ledger()
    lane: Lane[None] = Lane(None, 10_000, ledger=ledger)
    connectors = {"a": "acme/a", "b": "acme/b"}
    stage = MeteredUplinks(busy, connectors.get, costs)  # type: ignore[arg-type]
    heard: list[Heard] = [
        (Uplink(b"", 1, received_at=1, device=name), Message("t", b"", 1)) for name in ("a", "b", "c", "a")
    ]
    for _ in range(64):
        stage.put(Batch(lane.receive(4, None), heard))
    assert busy.sizes == [4] * 63 + [1] * 4
    assert busy.items == heard * 64
    assert costs.keys() == {"acme/a", "acme/b"}, "an unknown device has no connector"
    assert costs["acme/a"] == pytest.approx(2 * costs["acme/b"], rel=0.5)
    assert ledger.conserved()
    assert ledger.in_flight() == 0


def test_the_first_of_a_large_batch_stand_for_all() -> None:
    costs: Costs = {}
    busy, ledger = Busy(), Ledger()
    lane: Lane[None] = Lane(None, 100_000, ledger=ledger)
    stage = MeteredUplinks(busy, lambda _: "acme/a", costs)  # type: ignore[arg-type]
    heard: list[Heard] = [(Uplink(b"", 1, device=str(n)), Message("t", b"", 1)) for n in range(100)]
    stage._turn = 62
    for _ in range(2):
        stage.put(Batch(lane.receive(100, None), heard))
    assert busy.sizes == [100] + [1] * 64 + [36]
    assert busy.items == heard * 2
    assert costs["acme/a"] == pytest.approx(6.4, rel=0.5)
    assert ledger.in_flight() == 0


def test_a_connector_that_holds_up_the_loop_is_told_of_and_its_messages_are_published(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cost, "BUDGET", 0.0005)
    costs: Costs = {}
    slow, busy, ledger = Slow(), Busy(), Ledger()
    lane: Lane[None] = Lane(None, 10_000, ledger=ledger)
    route = MeteredRoute("city-aq", busy, costs, slow)  # type: ignore[arg-type]
    uplinks = MeteredUplinks(busy, lambda _: "acme/a", costs, slow)  # type: ignore[arg-type]
    for _ in range(5):
        route.put(Batch(lane.receive(2, None), [Message("t", b"", 1)] * 2))
        uplinks.put(Batch(lane.receive(1, None), [(Uplink(b"", 1, device="a"), Message("t", b"", 1))]))
    assert slow == {"city-aq": 4, "acme/a": 4}, "the first of each was only suspected"
    assert ledger.fates[Fate.PUBLISHED] == 15
    assert costs["city-aq"] == pytest.approx(0.010, rel=0.5), "what is measured out of turn stands for itself"


def test_a_connector_within_its_budget_is_not_told_of() -> None:
    slow, busy, ledger = Slow(), Busy(), Ledger()
    lane: Lane[None] = Lane(None, 10_000, ledger=ledger)
    route = MeteredRoute("city-aq", busy, {}, slow)  # type: ignore[arg-type]
    for _ in range(40):
        route.put(Batch(lane.receive(1, None), [Message("t", b"", 1)]))
    assert not slow
