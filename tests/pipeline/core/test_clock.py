"""The time of arrival: whose clock tells it, and what is said of one that is wrong."""

from __future__ import annotations

import pytest

from pipeline.core.clock import RELEASED, TOLERATED, Clock

NOW = RELEASED + 1e7


class Machine:
    """A wall clock that can be set, and a steady one."""

    def __init__(self, wall: float) -> None:
        self.wall = wall
        self.steady = 500.0
        self.clock = Clock(lambda: self.wall, lambda: self.steady)

    def later(self, seconds: float) -> None:
        self.wall += seconds
        self.steady += seconds


def test_a_clock_that_is_right_tells_the_time_itself() -> None:
    machine = Machine(NOW)
    assert machine.clock.ahead is None
    machine.clock.learn(TOLERATED, 0.5)
    assert machine.clock.ahead == pytest.approx(TOLERATED)
    assert (machine.clock.now(), machine.clock.problem) == (NOW * 1000, "")
    assert machine.clock.at(490.0) == (NOW - 10) * 1000


@pytest.mark.parametrize("ahead", [7200.0, -86_400.0, 61.0])
def test_kafkas_time_is_carried_on(ahead: float) -> None:
    machine = Machine(NOW + ahead)
    machine.clock.learn(ahead, 0.5)
    machine.later(100)
    assert machine.clock.now() == (NOW + 100) * 1000
    assert machine.clock.at(500.0) == NOW * 1000
    assert f"{abs(ahead):,.0f} s {'ahead of' if ahead > 0 else 'behind'} Kafka's" in machine.clock.problem


def test_a_clock_that_is_set_right_meanwhile_changes_nothing() -> None:
    machine = Machine(100.0)
    machine.clock.learn(100.0 - NOW, 0.5)
    machine.wall = NOW
    assert machine.clock.now() == NOW * 1000
    assert machine.clock.ahead == pytest.approx(0)
    machine.clock.learn(0.0, 0.5)
    assert (machine.clock.now(), machine.clock.problem) == (NOW * 1000, "")


@pytest.mark.parametrize("by", [10_800.0, -10_800.0, -1.5e9])
def test_a_clock_that_is_set_wrong_meanwhile_is_not_believed(by: float) -> None:
    """Nor is Kafka asked first: what comes before its answer would be deleted at once if it told 1976."""
    machine = Machine(NOW)
    machine.clock.learn(0.0, 0.5)
    machine.later(5)
    assert not machine.clock.stepped()
    machine.wall += by
    assert machine.clock.now() == (NOW + 5) * 1000
    assert "This machine's clock says" in machine.clock.problem
    assert machine.clock.stepped()
    assert not machine.clock.stepped()
    machine.wall -= by
    assert (machine.clock.now(), machine.clock.problem) == ((NOW + 5) * 1000, "")


def test_answers_that_differ_by_their_doubt_do_not_move_time() -> None:
    machine = Machine(NOW + 7200)
    for ahead in (7200.0, 7200.3, 7199.8):
        machine.clock.learn(ahead, 0.5)
        assert machine.clock.now() == NOW * 1000
    machine.clock.learn(7190.0, 0.5)
    assert machine.clock.now() == (NOW + 10) * 1000


def test_an_answer_that_took_long_accuses_nobody() -> None:
    machine = Machine(NOW)
    machine.clock.learn(90.0, 40.0)
    assert (machine.clock.now(), machine.clock.problem) == (NOW * 1000, "")


def test_a_clock_before_headrace_was_made_gives_no_time() -> None:
    machine = Machine(600.0)
    assert machine.clock.at(500.0) is None
    assert "says 1970-01-01 00:10:00Z; which is before Headrace was made" in machine.clock.problem
    machine.clock.learn(600.0 - NOW, 0.5)
    assert machine.clock.at(500.0) == NOW * 1000


def test_a_clock_that_kafka_refuses_gives_no_time_until_it_is_set() -> None:
    machine = Machine(NOW + 7200)
    machine.clock.refused()
    machine.later(3600)
    assert machine.clock.at(500.0) is None
    assert "Kafka refuses that" in machine.clock.problem
    machine.wall -= 7200
    assert machine.clock.at(4100.0) == (NOW + 3600) * 1000
    assert not machine.clock.problem


def test_a_refusal_says_nothing_of_a_clock_that_agrees_with_kafkas() -> None:
    machine = Machine(NOW)
    machine.clock.learn(0.0, 0.1)
    machine.clock.refused()
    assert not machine.clock.problem
