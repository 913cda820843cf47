"""How often each sender may be told of, where anybody can speak in its name."""

from __future__ import annotations

import random
import sys

from pipeline.core.budgets import Allowance

HOUR = 3_600_000
NOW = 1_769_000_000_000


def test_a_sender_is_told_of_so_often_an_hour() -> None:
    allowance = Allowance(10)
    assert [allowance.take("a", NOW, 3) for _ in range(5)] == [True, True, True, False, False]
    assert allowance.take("b", NOW, 3), "the others have allowances of their own"
    assert not allowance.take("a", NOW + HOUR // 4, 3)
    assert allowance.take("a", NOW + HOUR // 3 + 1, 3)
    assert not allowance.take("a", NOW + HOUR // 3 + 2, 3)
    assert [allowance.take("a", NOW + 50 * HOUR, 3) for _ in range(4)] == [True, True, True, False]
    assert allowance.refused == 5


def test_a_clock_that_is_set_back_refills_nothing_and_blocks_nobody() -> None:
    allowance = Allowance(10)
    assert [allowance.take("a", NOW, 2) for _ in range(3)] == [True, True, False]
    assert not allowance.take("a", NOW - 1000 * HOUR, 2)
    assert allowance.take("a", NOW - 1000 * HOUR + HOUR // 2, 2)


def test_over_any_time_no_more_is_told_than_a_burst_and_the_rate() -> None:
    chance, allowance, now, told = random.Random(1), Allowance(10), NOW, 0
    for _ in range(20_000):
        now += chance.choice((0, 1, 1000, 60_000))
        told += allowance.take("a", now, 20)
    assert told <= 20 + 20 * (now - NOW) / HOUR
    assert told >= 20 * (now - NOW) / HOUR - 1


def test_made_up_names_are_bounded_and_take_nothing_from_those_that_speak() -> None:
    allowance = Allowance(100, newcomers=10)
    told = 0
    for number in range(5000):
        now = NOW + number * 100  # 500 s
        told += allowance.take(f"made-up-{number}", now, 3)
        if number % 100 == 0:
            assert allowance.take("real", now, 1_000_000)
    assert len(allowance) == 100
    assert told <= 100 + 10
    assert sys.getsizeof(allowance._buckets) < 20_000


def test_a_city_is_known_at_once_after_a_restart() -> None:
    allowance = Allowance(4096, newcomers=256)
    assert all(allowance.take(f"gateway-{number}", NOW, 360) for number in range(4096))
