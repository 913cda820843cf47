"""The demo's verdict: it must see a message that is missing, and one that is there twice."""

from dataclasses import replace

import pytest

from pipeline.core.delivery import Fate
from pipeline.demo.figures import Figures
from pipeline.demo.tally import Tally

FATES = {"published": 8, "dead_lettered": 2, "deduplicated": 3, "filtered": 1}
WORKER = Figures(feeds={"one": 10, "other": 4}, fates=FATES)
GOOD = Tally(
    sent=14,
    fates={Fate.PUBLISHED: 8, Fate.DEAD_LETTERED: 2, Fate.DEDUPLICATED: 3, Fate.FILTERED: 1},
    reasons={"malformed": 2},
    worker=WORKER,
    records={"a": 5, "b": 3},
    dead_letters={"malformed": 2},
    about={"Device": 99},
)


def test_books_that_balance() -> None:
    assert GOOD.conserved
    sums = "14 sent, 14 received, 8 records + 2 dead letters read, 3 deduplicated, 1 filtered"
    assert f"\nConserved: {sums}." in GOOD.text(0.011, None)


@pytest.mark.parametrize(
    "wrong",
    [
        replace(GOOD, sent=15),
        replace(GOOD, records={"a": 5, "b": 2}),
        replace(GOOD, records={"a": 5, "b": 4}),
        replace(GOOD, records={"a": 6, "b": 3}, dead_letters={"malformed": 1}),
        replace(GOOD, dead_letters={}),
        replace(GOOD, dead_letters={"mic_invalid": 2}),
        replace(GOOD, fates={**GOOD.fates, Fate.FILTERED: 2, Fate.DEDUPLICATED: 2}),
        replace(GOOD, fates={**GOOD.fates, Fate.FILTERED: 2}),
        replace(GOOD, worker=replace(WORKER, feeds={"one": 10, "other": 3})),
        replace(GOOD, worker=replace(WORKER, fates={**FATES, "published": 9, "dead_lettered": 1})),
        replace(GOOD, worker=replace(WORKER, fates={**FATES, "shed": 1})),
        replace(GOOD, worker=replace(WORKER, in_flight=1)),
        replace(GOOD, worker=replace(WORKER, conserved=False)),
        replace(GOOD, worker_exit=1),
        Tally(sent=0, fates={}, reasons={}, worker=Figures(), records={}, dead_letters={}),
    ],
)
def test_books_that_do_not(wrong: Tally) -> None:
    assert not wrong.conserved
    assert "NOT conserved" in wrong.text(None, None)
