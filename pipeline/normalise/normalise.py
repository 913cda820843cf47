"""The normalise stage: from the fields of a reading to the record of an entity, by the compiled plan."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from pipeline.core.delivery import Batch, Delivery, Fate, Stage, split_records
from pipeline.core.record import Record
from pipeline.devices.state import DeviceStates
from pipeline.encode.dead_letter import Refusals
from pipeline.encode.headers import crc32c
from pipeline.encode.ngsi_ld import recorded_header
from pipeline.normalise.decode import Reading


class RecordBuffer:
    """Gathers records message by message, in order; `close` passes on what still waits."""

    def __init__(self, delivery: Delivery, publisher: Stage[Record]) -> None:
        self.delivery = delivery
        self._publisher = publisher
        self._single: list[Record] = []
        self.single: Callable[[Record], None] = self._single.append
        """Takes the one record of a message."""

    def add(self, records: list[Record], states: DeviceStates | None, *, changed: bool = False) -> None:
        """Take the records of one message.

        states: of the message's device. changed: whether the message told anything new of it: then it is acknowledged
        after that is kept, too. Else a crash in between would bring back an older state, and the message that changed
        it would not come again.
        """
        if len(records) == 1 and not changed:
            self._single += records
            return
        self.close()
        if not records:  # its device is as it was known, and not due; the message that said so first may still wait
            _when_kept(states, partial(self.delivery.seal, Fate.FILTERED))
            return
        delivery = split_records(self.delivery, len(records) + changed)
        self._publisher.put(Batch(delivery, records))
        if changed:
            _when_kept(states, partial(delivery.seal, Fate.PUBLISHED))

    def close(self) -> None:
        """Pass on what waits."""
        if self._single:
            self._publisher.put(Batch(self.delivery, self._single.copy()))
            self._single.clear()


def _when_kept(states: DeviceStates | None, call: Callable[[], None]) -> None:
    if states is None:
        call()
    else:
        states.when_kept(call)


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

    def pending(self) -> int:
        """Nothing stays here."""
        return 0

    async def drain(self, deadline: float) -> None:
        """Nothing stays here."""
