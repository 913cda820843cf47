"""The demo's verdict: it must see a message that is missing, and one that is there twice."""

from dataclasses import replace

import pytest

from pipeline.demo.scrape import Figures
from pipeline.demo.tally import Tally

WORKER = Figures(received=10, published=8, dead_lettered=2)
GOOD = Tally(sent=10, worker=WORKER, records={"a": 5, "b": 3}, dead_letters={"malformed": 2})


def test_books_that_balance() -> None:
    assert GOOD.conserved
    assert "Conserved: 10 sent, 10 received, 8 records + 2 dead letters read." in GOOD.text(0.011, None)


@pytest.mark.parametrize(
    "wrong",
    [
        replace(GOOD, sent=11),
        replace(GOOD, records={"a": 5, "b": 2}),
        replace(GOOD, records={"a": 5, "b": 4}),
        replace(GOOD, records={"a": 6, "b": 3}, dead_letters={"malformed": 1}),
        replace(GOOD, dead_letters={}),
        replace(GOOD, worker=replace(WORKER, received=9)),
        replace(GOOD, worker=replace(WORKER, published=9, dead_lettered=1)),
        replace(GOOD, worker=replace(WORKER, in_flight=1)),
        replace(GOOD, worker=replace(WORKER, conserved=False)),
        replace(GOOD, worker_exit=1),
        Tally(sent=0, worker=Figures(), records={}, dead_letters={}),
    ],
)
def test_books_that_do_not(wrong: Tally) -> None:
    assert not wrong.conserved
    assert "NOT conserved" in wrong.text(None, None)
