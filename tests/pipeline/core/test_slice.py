"""How much a feed hands over at once, learned from what it cost."""

from pipeline.core.budgets import BUDGET, LARGEST, Slice
from pipeline.feeds.mqtt.packets import Frames
from tests.pipeline.feeds.scripted_broker import publish


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_costly_messages_go_one_by_one_and_cheap_ones_together_again() -> None:
    clock = Clock()
    slices = Slice(clock=clock)
    sizes = [slices.size]
    for took in (30 * BUDGET, 2 * BUDGET, BUDGET / 2, *[BUDGET / 100] * 9):
        slices.begin()
        clock.now += took
        assert slices.over() == (took > BUDGET)
        sizes.append(slices.size)
    assert sizes[0] == sizes[-1] == LARGEST
    assert sizes[1] < LARGEST / 30
    assert sizes[2] < sizes[1] / 2
    assert sizes[3] == sizes[2], "neither quick nor slow"


def test_many_cheap_slices_give_the_loop_its_turn_too() -> None:
    clock = Clock()
    slices = Slice(clock=clock)
    slices.begin()
    turns = []
    for _ in range(12):
        clock.now += 0.11 * BUDGET
        turns.append(slices.over())
    assert turns == [False] * 9 + [True] * 3
    assert slices.size == LARGEST


def test_a_slice_ends_between_two_messages_and_has_one_at_least() -> None:
    frames = Frames(version5=False, max_payload=100_000)
    frames.feed(b"".join(publish("a", b"x" * size, number) for number, size in enumerate((10, 10, 500, 10), 1)))
    taken = []
    while found := frames.messages(100, 7, 40)[0]:
        taken.append([len(message.payload) for message in found])
    assert taken == [[10, 10], [500], [10]]
