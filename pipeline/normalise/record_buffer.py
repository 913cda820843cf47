"""The records of one batch on their way to the publisher: each message's share one fate, neighbours go together."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from pipeline.core.delivery import Batch, Delivery, Fate, Stage, fanned
from pipeline.core.record import Record
from pipeline.devices.state import DeviceStates


class Bundle:
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
        delivery = fanned(self.delivery, len(records) + changed)
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
