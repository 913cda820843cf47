"""The normalise stage: from the fields of a reading to the record of an entity, by the compiled plan."""

from __future__ import annotations

from pipeline.dead_letter import DeadLetters
from pipeline.decode import DecodeEvents, Reading
from pipeline.delivery import Batch, Delivery, Stage
from pipeline.errors import PayloadError, as_refusal
from pipeline.ngsi_ld import recorded_header
from pipeline.record import Record


class Normalise(Stage[Reading]):
    """Makes records of readings; what a model cannot hold becomes a dead letter."""

    def __init__(self, *, publisher: Stage[Record], dead_letters: DeadLetters, events: DecodeEvents) -> None:
        self._publisher = publisher
        self._dead_letters = dead_letters
        self._events = events
        self._arrival = -1
        self._recorded = b""

    def put(self, batch: Batch[Reading]) -> None:
        """Make one record of each reading and pass them on together."""
        records: list[Record] = []
        for entity, fields, message in batch.items:
            _, _, arrival, _, traceparent = message
            if arrival != self._arrival:
                self._arrival, self._recorded = arrival, recorded_header(arrival)
            plan = entity.plan
            try:
                record = plan.fast(fields, entity, message, self._recorded) if traceparent is None else None
                if record is None:
                    record = plan.carefully(fields, entity, message, self._recorded)
            except Exception as error:  # noqa: BLE001 - nothing in a message may stop the ones beside it
                self._refuse(batch.delivery, (entity, fields, message), as_refusal(error))
            else:
                entity.seen.last = arrival
                records.append(record)
        if records:
            self._publisher.put(Batch(batch.delivery, records))

    def kept(self) -> int:
        """Nothing stays here."""
        return 0

    async def drain(self, deadline: float) -> None:
        """Nothing stays here."""

    def _refuse(self, delivery: Delivery, reading: Reading, refusal: PayloadError) -> None:
        entity, _, message = reading
        plan = entity.plan
        self._events.dead_lettered(plan.feed, refusal.reason)
        letter = self._dead_letters.record(
            message,
            feed=plan.feed,
            connector=plan.provenance,
            stage="normalise",
            reason=refusal.reason,
            detail=str(refusal),
        )
        self._publisher.put(Batch(delivery, [letter]))
