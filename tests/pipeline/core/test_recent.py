"""What is remembered by name: bounded, forgotten by use, and what a device costs."""

from __future__ import annotations

import gc
import random
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.recent import Recent, Room
from tests.support.log import told


@given(st.lists(st.integers(0, 30), max_size=300), st.integers(1, 12))
def test_the_last_that_were_asked_for_are_always_known(asked: list[int], places: int) -> None:
    """Whatever is asked for: as many as there are places, and never more than twice as many."""
    cache: Recent[int, int] = Recent(Room("t", places))
    for at, name in enumerate(asked):
        if cache.get(name) is None:
            cache.put(name, name)
        assert len(cache) <= 2 * places
        latest = list(dict.fromkeys(reversed(asked[: at + 1])))[:places]
        assert all(each in cache.young or each in cache.old for each in latest)


def test_made_up_names_push_out_nobody_who_speaks() -> None:
    room = Room("t", 1000)
    cache: Recent[str, str] = Recent(room)
    real = [f"real-{number}" for number in range(100)]
    for name in real:
        cache.put(name, name)
    missed = 0
    for number in range(20_000):
        cache.put(f"made-up-{number}", "x")
        if number % 5 == 0:
            missed += cache.get(real[number // 5 % 100]) is None
    assert missed == 0
    assert room.forgotten > 15_000
    assert room.young <= 1000


def test_caches_of_one_kind_share_their_places(caplog: pytest.LogCaptureFixture) -> None:
    room = Room("entities", 100)
    one: Recent[int, int] = Recent(room)
    other: Recent[int, int] = Recent(room)
    for number in range(80):
        one.put(number, number)
    assert told(caplog).count("Nearly as many names are known") == 1, "at 80 %"
    for number in range(30):
        other.put(number, number)
    assert (len(one), len(other), room.young) == (80, 30, 10)
    del other
    gc.collect()
    one.clear()
    assert (len(one), one.get(1)) == (0, None)
    room.clear()
    assert room.young == 0
    one.put(1, 1)
    assert (one.drop(1), one.drop(1)) == (1, None)


def test_long_names_take_more_room() -> None:
    cache: Recent[str, int] = Recent(Room("t", 1000, characters=5000))
    for number in range(300):
        cache.put(f"{number:0200d}", number)
        assert len(cache) <= 50


def test_a_device_of_a_plain_feed_costs_less_than_it_says() -> None:
    """SECURITY.md: at most 600 bytes; each with names as long as a city's are."""
    from loadtests.cardinality import hold  # noqa: PLC0415

    hold(10)
    few, many = 1000, 5000
    sizes = []
    for devices in (few, many):
        gc.collect()
        tracemalloc.start(1)
        kept = hold(devices)
        gc.collect()
        sizes.append(tracemalloc.get_traced_memory()[0])
        tracemalloc.stop()
        del kept
    assert (sizes[1] - sizes[0]) / (many - few) <= 600


def test_a_random_load_never_grows_beyond_its_bound() -> None:
    chance, room = random.Random(7), Room("t", 64)
    caches: list[Recent[int, int]] = [Recent(room) for _ in range(3)]
    for _ in range(20_000):
        cache, name = chance.choice(caches), chance.randrange(200)
        if cache.get(name) is None:
            cache.put(name, name)
        assert sum(map(len, caches)) <= 128
