"""What connectors cost: processor time of their messages, measured on a few batches and extrapolated.

It is the time of the event loop's thread from the connector on: decoding, normalising, and the way into the
publisher's queue. Reading the clock costs half a microsecond, so most batches are not measured.
"""

from __future__ import annotations

from collections.abc import Callable
from time import thread_time

from pipeline.delivery import Batch, Stage
from pipeline.message import Message
from pipeline.unwrap import Heard

Costs = dict[str, float]
"""Seconds by connector."""

_BATCHES = 16  # of which one is measured
_UPLINKS = 64  # the same for uplinks, of which the first are then taken one by one
_ONE_BY_ONE = 64


class MeteredRoute(Stage[Message]):
    """Before the stage of a route, whose messages are all one connector's."""

    def __init__(self, connector: str, out: Stage[Message], costs: Costs) -> None:
        self._connector, self._out, self._costs = connector, out, costs
        self._turn = 0
        costs.setdefault(connector, 0.0)

    def put(self, batch: Batch[Message]) -> None:
        """Pass the batch on."""
        self._turn += 1
        if self._turn < _BATCHES:
            self._out.put(batch)
            return
        self._turn = 0
        began = thread_time()
        self._out.put(batch)
        self._costs[self._connector] += _BATCHES * (thread_time() - began)

    def kept(self) -> int:
        """Nothing stays here."""
        return self._out.kept()

    async def drain(self, deadline: float) -> None:
        """Nothing stays here."""
        await self._out.drain(deadline)


class MeteredUplinks(Stage[Heard]):
    """Before the stage of uplinks. connector: the name of the one that read a device's last uplink, or None."""

    def __init__(self, out: Stage[Heard], connector: Callable[[str], str | None], costs: Costs) -> None:
        self._out, self._connector, self._costs = out, connector, costs
        self._turn = 0

    def put(self, batch: Batch[Heard]) -> None:
        """Pass the batch on, or its uplinks one by one."""
        self._turn += 1
        if self._turn < _UPLINKS:
            self._out.put(batch)
            return
        self._turn = 0
        measured, rest = batch.items[:_ONE_BY_ONE], batch.items[_ONE_BY_ONE:]
        stand_for = _UPLINKS * len(batch.items) / max(1, len(measured))
        for heard in measured:
            began = thread_time()
            self._out.put(Batch(batch.delivery, [heard]))
            spent = thread_time() - began
            connector = self._connector(heard[0].device)
            if connector is not None:
                self._costs[connector] = self._costs.get(connector, 0.0) + stand_for * spent
        if rest:
            self._out.put(Batch(batch.delivery, rest))

    def kept(self) -> int:
        """Nothing stays here."""
        return self._out.kept()

    async def drain(self, deadline: float) -> None:
        """Nothing stays here."""
        await self._out.drain(deadline)
