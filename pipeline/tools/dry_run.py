"""A publisher of paper: it confirms at once and writes nothing, for commands that only want to know."""

from __future__ import annotations

from collections.abc import Callable

from pipeline.core.delivery import Batch, Delivery, Fate, PassThrough
from pipeline.core.errors import Reason
from pipeline.core.record import Record
from pipeline.encode.dead_letter import DeadLetters
from pipeline.publish.accumulator import MAX_VALUE


class DryRunPublisher(PassThrough[Record]):
    """Takes the publisher's place behind the real stages; `take` sees each record, a dead letter too.

    What a publisher refuses by itself, a value above 64 KiB, becomes its dead letter here too.
    """

    def __init__(self, letters: DeadLetters, take: Callable[[Record], None]) -> None:
        self._letters = letters
        self._take = take

    def put(self, batch: Batch[Record]) -> None:
        """Take a batch and seal its messages."""
        for record in batch.items:
            self._put(record, batch.delivery)

    def _put(self, record: Record, delivery: Delivery) -> None:
        if record.message is not None and record.value_size > MAX_VALUE:
            said = f"The record's value has {record.value_size} bytes; at most {MAX_VALUE} are published."
            record = self._letters.refused(record, Reason.RECORD_TOO_LARGE, said) or record
        self._take(record)
        delivery.seal(Fate.DEAD_LETTERED if record.message is None else Fate.PUBLISHED)


class NullEvents:
    """RefusalEvents that are dropped."""

    def dead_lettered(self, feed: str, reason: Reason) -> None:
        """Count nothing."""
