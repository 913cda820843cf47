"""What outlives a worker: its session at the broker, and its subscriptions; and what a broker retains."""

from typing import Any

import pytest

from tests.integration.worker_bench import WorkerBench, fates, number_of, reading
from tests.support.log import events

pytestmark = pytest.mark.real


@pytest.mark.parametrize("version", ["3.1.1", "5"])
def test_what_came_while_it_was_away_arrives_once(bench: WorkerBench, version: str) -> None:
    worker = bench.worker(bench.config(feed={"version": version}))
    bench.publish(*map(reading, range(100)))
    bench.settled(worker, 100)
    assert worker.stop() == 0

    bench.publish(*map(reading, range(100, 1100)))
    worker.start()

    assert fates(bench.settled(worker, 1000)) == {"published": 1000}
    assert worker.metric("headrace_sessions_lost_total") == 0
    assert worker.stop() == 0
    assert sorted(map(number_of, bench.records())) == [(1, number) for number in range(1100)]


def test_stopped_under_load_it_resumes_without_a_loss(bench: WorkerBench) -> None:
    """SIGTERM while messages flow: what is read is finished, what is not stays with the broker."""
    worker = bench.worker(bench.config(feed={"max_in_flight": 100}))
    bench.publish(*map(reading, range(3000)))
    assert worker.stop() == 0
    assert events(worker.logged(), "All messages have their fate.")

    worker.start()
    bench.publish(reading(3000))
    records = bench.client.wait_for(3001, bench.topic, timeout=180)
    assert worker.stop() == 0
    assert sorted(set(map(number_of, records))) == [(1, number) for number in range(3001)]
    assert len(bench.records()) == 3001


@pytest.mark.parametrize("version", ["3.1.1", "5"])
def test_change_of_subscriptions(bench: WorkerBench, version: str) -> None:
    def subscribed(*areas: str) -> dict[str, Any]:
        filters = [f"{bench.tenant}/{area}/#" for area in areas]
        routes = [{"topic": f"{bench.tenant}/+/aq/{{device}}", "connector": "city-aq"}]
        return {"version": version, "subscribe": filters, "routes": routes}

    def publish(number: int, *areas: str) -> None:
        bench.publish_on([(f"{bench.tenant}/{area}/aq/1", reading(number, index)) for index, area in enumerate(areas)])

    worker = bench.worker(bench.config(feed=subscribed("north", "east")))
    publish(0, "north", "east", "south")
    bench.settled(worker, 2)
    assert worker.stop() == 0

    worker.config["feeds"]["city"] |= subscribed("east", "south")
    worker.start()
    [gone] = events(worker.logged(), "The feed gave up filters that the configuration no longer has.")
    assert gone["filters"] == [f"{bench.tenant}/north/#"]
    publish(1, "north", "east", "south")
    # All three were accepted by the broker; a later one of a subscribed area shows that nothing is still on its way.
    publish(2, "x", "east")
    assert fates(bench.settled(worker, 3)) == {"published": 3}
    assert worker.stop() == 0
    assert sorted(map(number_of, bench.records())) == [(0, 0), (1, 0), (1, 1), (1, 2), (2, 1)]


@pytest.mark.parametrize("version", ["3.1.1", "5"])
@pytest.mark.parametrize(
    ("own_time", "route", "fate"),
    [
        (True, {}, "published"),
        (False, {}, "filtered"),
        (False, {"retained": "keep"}, "published"),
        (True, {"retained": "filter"}, "filtered"),
    ],
)
def test_retained(bench: WorkerBench, version: str, own_time: bool, route: dict[str, str], fate: str) -> None:
    bench.publish_on([(f"{bench.tenant}/aq/0001", reading(), True)])
    config = bench.config(feed={"version": version})
    config["feeds"]["city"]["routes"][0] |= route
    if not own_time:
        config["connectors"]["city-aq"]["observed_at"] = "arrival"
    worker = bench.worker(config)
    assert fates(bench.settled(worker, 1)) == {fate: 1}

    # A message that is only live is a reading in any case, on the topic that retains one too.
    bench.publish(reading(1))
    assert fates(bench.settled(worker, 2)) == ({"published": 2} if fate == "published" else {"published": 1, fate: 1})
    assert worker.stop() == 0


def test_retained_messages_come_once_over_restarts(bench: WorkerBench) -> None:
    """MQTT 5: an unchanged subscription of a resumed session brings no retained message again."""
    bench.publish_on([(f"{bench.tenant}/aq/0001", reading(), True)])
    worker = bench.worker()
    bench.settled(worker, 1)
    worker.restart()
    bench.publish(reading(1))
    bench.settled(worker, 1)
    assert worker.stop() == 0
    assert sorted(map(number_of, bench.records())) == [(1, 0), (1, 1)]
