"""The normalise stage: from the fields of a reading to the record of an entity, by the compiled plan."""

from __future__ import annotations

from pipeline.core.delivery import Batch, Stage
from pipeline.core.record import Record
from pipeline.encode.ce_id import crc32c
from pipeline.encode.ngsi_ld import recorded_header
from pipeline.encode.refusals import Refusals
from pipeline.normalise.decode import Reading


class Normalise(Stage[Reading]):
    """Makes records of readings; what a model cannot hold becomes a dead letter."""

    def __init__(self, refusals: Refusals) -> None:
        self._refusals = refusals
        self._arrival = -1
        self._recorded = b""

    def put(self, batch: Batch[Reading]) -> None:
        """Make one record of each reading and pass them on together."""
        records: list[Record] = []
        for entity, fields, message in batch.items:
            _, payload, arrival, _, traceparent = message
            if arrival != self._arrival:
                self._arrival, self._recorded = arrival, recorded_header(arrival)
            plan, digest = entity.origin, crc32c(payload)
            try:
                record = plan.fast(fields, entity, message, self._recorded, digest) if traceparent is None else None
                if record is None:
                    record = plan.carefully(fields, entity, message, self._recorded, digest)
            except Exception as error:  # noqa: BLE001 - nothing in a message may stop the ones beside it
                self._refusals.refuse(batch.delivery, message, error, "normalise", plan.provenance)
            else:
                entity.seen.last = arrival
                records.append(record)
        if records:
            self._refusals.publisher.put(Batch(batch.delivery, records))

    def kept(self) -> int:
        """Nothing stays here."""
        return 0

    async def drain(self, deadline: float) -> None:
        """Nothing stays here."""
