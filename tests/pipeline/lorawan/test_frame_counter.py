"""One session's counter: what it remembers is the 64 highest, however they come."""

import struct

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.lorawan.frame_counter import REMEMBERED, TOP, Counter, Verdict

KEY = "01ab23cd-0011223344556677"
ENTRY = struct.Struct("<I4s")


def mark(f_cnt: int) -> bytes:
    return b"%04d" % (f_cnt % 10_000)


def confirmed(counter: Counter, *f_cnts: int) -> None:
    for f_cnt in f_cnts:
        counter.accept(f_cnt, mark(f_cnt))
        counter.confirm(f_cnt)
        counter.written(f_cnt)


@settings(max_examples=500)
@given(st.lists(st.tuples(st.integers(-70, 5), st.booleans()), max_size=250))
def test_it_remembers_the_64_highest_in_the_order_of_their_confirmation(steps: list[tuple[int, bool]]) -> None:
    counter, expected = Counter(KEY, None), dict[int, bytes]()
    for step, restart in steps:
        f_cnt = max(0, (counter.last or 0) + step)
        confirmed(counter, f_cnt)
        expected.pop(f_cnt, None)
        expected[f_cnt] = mark(f_cnt)
        if len(expected) > REMEMBERED:
            del expected[min(expected)]
        if restart:
            counter = Counter(KEY, counter.dump())
        assert list(counter.accepted.items()) == list(expected.items())
        assert counter.dump()[1:] == b"".join(ENTRY.pack(*each) for each in expected.items())


def test_a_frame_that_is_remembered_is_known_by_its_mark() -> None:
    counter = Counter(KEY, None)
    confirmed(counter, *range(1, 101))
    assert counter.judge(100, mark(100)) is Verdict.DUPLICATE
    assert counter.judge(100, b"else") is Verdict.BACK
    assert counter.judge(101 - REMEMBERED, mark(101 - REMEMBERED)) is Verdict.DUPLICATE
    assert counter.judge(100 - REMEMBERED, mark(100 - REMEMBERED)) is Verdict.BACK
    again = Counter(KEY, counter.dump())
    assert again.judge(100, mark(100)) is Verdict.AGAIN
    assert again.judge(99, mark(99)) is Verdict.DUPLICATE
    again.accept(101, mark(101))
    assert again.judge(100, mark(100)) is Verdict.DUPLICATE, "after a newer one, only who has recorded it sends it"


def test_what_was_not_in_the_file_yet_is_told_to_the_next_life() -> None:
    counter = Counter(KEY, None)
    for f_cnt in (1, 2, 3):
        counter.accept(f_cnt, mark(f_cnt))
        counter.confirm(f_cnt)
    counter.written(1)
    counter.accept(4, mark(4))
    counter.confirm(4)
    assert Counter(KEY, counter.dump()).old == {2, 3, 4}


def test_a_counter_ends_at_32_bits() -> None:
    counter = Counter(KEY, b"\0" + ENTRY.pack(TOP - 2, b"mark"))
    confirmed(counter, TOP - 1)
    assert counter.last == TOP - 1
    assert list(counter.accepted) == [TOP - 2, TOP - 1]
