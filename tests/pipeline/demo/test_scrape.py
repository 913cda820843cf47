"""What the demo reads from /metrics is what the worker's own catalogue writes there."""

import pytest

from pipeline.core.delivery import Fate, Ledger
from pipeline.demo.figures import Figures, parse, quantile
from pipeline.observe.metrics import Metrics


def test_it_reads_the_workers_own_page() -> None:
    metrics = Metrics("test", [])
    for feed in ("one", "two"):
        ledger = Ledger()
        ledger.received, ledger.fates[Fate.PUBLISHED], ledger.fates[Fate.DEAD_LETTERED] = 7, 4, 3
        metrics.feed(feed, ledger, 100)
    metrics.publish.confirmed("a", 4, 400, [(0.012, 4)])
    metrics.publish.confirmed("b", 4, 400, [(0.012, 4)])
    figures = parse(metrics.exposition()[1].decode())
    assert (figures.received, figures.settled, figures.in_flight) == (14, 14, 0)
    assert (figures.fate(Fate.PUBLISHED), figures.fate(Fate.DEAD_LETTERED), figures.fate(Fate.SHED)) == (8, 6, 0)
    assert figures.feeds == {"one": 7, "two": 7}
    assert figures.conserved
    assert quantile(figures, None, 0.5) == pytest.approx(0.0125)


def test_a_quantile_is_that_of_the_window() -> None:
    earlier = Figures(latency={0.01: 100, 0.1: 100, float("inf"): 100})
    later = Figures(latency={0.01: 100, 0.1: 110, float("inf"): 110})
    assert quantile(later, earlier, 0.5) == pytest.approx(0.055)
    assert quantile(later, later, 0.5) is None
    assert quantile(Figures(), None, 0.5) is None


def test_beyond_the_last_bound_it_gives_that_bound() -> None:
    assert quantile(Figures(latency={0.01: 0, 60.0: 0, float("inf"): 5}), None, 0.99) == 60
