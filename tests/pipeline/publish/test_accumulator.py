"""Halving a chunk keeps the order of its records and what each of them owes."""

from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.delivery import Fate, Lane, Ledger, Message
from pipeline.core.record import Destination, Record
from pipeline.publish.accumulator import Chunk, Run

WHERE = Destination("t", b"k")
MESSAGE = Message("t", b"", 0)


def leaves(chunk: Chunk) -> list[Chunk]:
    if len(chunk.records) == 1:
        return [chunk]
    left, right = chunk.halves()
    assert abs(len(left.records) - len(right.records)) <= 1
    return leaves(left) + leaves(right)


@given(st.lists(st.tuples(st.integers(1, 9), st.sampled_from([Fate.PUBLISHED, Fate.DEAD_LETTERED])), min_size=1))
def test_nothing_is_lost(sizes: list[tuple[int, Fate]]) -> None:
    ledger = Ledger()
    lane = Lane[int](None, 1 << 30, ledger=ledger)
    runs: list[Run] = []
    records: list[Record] = []
    owed: list[tuple[object, Fate]] = []
    for size, fate in sizes:
        delivery = lane.receive(size, 0)
        runs.append((delivery, fate, len(records)))
        records += [Record.make(WHERE, b"%d" % (len(records) + n), b"\0", 0, MESSAGE) for n in range(size)]
        owed += [(delivery, fate)] * size
    ones = leaves(Chunk(records, runs, 0))
    assert [each.records[0] for each in ones] == records
    assert [(each.runs[0][0], each.runs[0][1]) for each in ones] == owed
    assert all(len(each.runs) == 1 and each.runs[0][2] == 0 for each in ones)
    for each in ones:
        each.seal()
    assert ledger.conserved()
    assert not ledger.in_flight()
    assert ledger.fates[Fate.PUBLISHED] == sum(size for size, fate in sizes if fate is Fate.PUBLISHED)
