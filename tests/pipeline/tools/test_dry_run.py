"""The publisher of paper: what it takes, and what it refuses as the real one does."""

from time import monotonic

from pipeline.core.delivery import Batch, Delivery, Fate, Message
from pipeline.core.record import Destination, Record, encode_headers
from pipeline.encode.dead_letter import DeadLetters
from pipeline.tools.dry_run import DryRunPublisher
from tests.pipeline.flow import headers_of


def test_a_value_above_64_kib_becomes_a_dead_letter() -> None:
    taken: list[Record] = []
    fates = [0] * len(Fate)
    delivery = Delivery(2, fates, lambda _: None, monotonic())
    destination = Destination("bench.AirQualityObserved.v1", b"urn", "city", "city-aq@1")
    records = [
        Record.make(destination, value, encode_headers([]), 0, Message("city/aq/1", b"{}", 0))
        for value in (b"{}", b"x" * 65_537)
    ]

    DryRunPublisher(DeadLetters("bench", "bench.dead-letter.v1"), taken.append).put(Batch(delivery, records))

    assert (fates[Fate.PUBLISHED], fates[Fate.DEAD_LETTERED]) == (1, 1)
    assert taken[0] is records[0]
    assert headers_of(taken[1])["ce_reason"] == "record_too_large"
