"""What connectors cost: processor time of their messages, measured on a few batches and extrapolated.

It is the time of the event loop's thread from the connector on: decoding, normalising, and the way into the
publisher's queue. Reading the clock costs half a microsecond, so most batches are not measured.
"""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter, thread_time

from pipeline.core.delivery import Batch, Message, Stage
from pipeline.core.logs import Log
from pipeline.lorawan.unwrap import Heard

Costs = dict[str, float]
"""Seconds by connector."""

BUDGET = 0.25
"""Seconds of the event loop that one message of a connector may take; what is bounded in pipeline/ takes less."""

_LOG = Log(__name__)


class Slow(dict[str, int]):
    """Messages by connector that took longer than the budget.

    Nothing can be done to a function of Python's while it runs, and its result is as good as any other: it is
    published. The loop has its turn before the next message, and a person is told which connector it is.
    """

    def note(self, connector: str, seconds: float) -> None:
        """Take note of one message, or of several that took so long each."""
        self[connector] = self.get(connector, 0) + 1
        _LOG.warning(
            "A connector holds up the event loop: its decoder takes too long for a message.",
            connector=connector,
            seconds=round(seconds, 3),
            budget=BUDGET,
        )


_BATCHES = 16  # of which one is measured
_UPLINKS = 64  # the same for uplinks, of which the first are then taken one by one
_ONE_BY_ONE = 64


class MeteredRoute(Stage[Message]):
    """Before the stage of a route, whose messages are all one connector's."""

    def __init__(self, connector: str, out: Stage[Message], costs: Costs, slow: Slow | None = None) -> None:
        self._connector, self._out, self._costs = connector, out, costs
        self._slow = Slow() if slow is None else slow
        self._turn, self._suspected = 0, False
        costs.setdefault(connector, 0.0)

    def put(self, batch: Batch[Message]) -> None:
        """Pass the batch on."""
        self._turn += 1
        if self._turn < _BATCHES and not self._suspected:
            since = perf_counter()
            self._out.put(batch)
            # Perhaps the machine had other work: the next batch is measured.
            self._suspected = perf_counter() - since > BUDGET * len(batch.items)
            return
        stand_for, self._turn = self._turn, 0
        began = thread_time()
        self._out.put(batch)
        spent = thread_time() - began
        self._costs[self._connector] += stand_for * spent
        self._suspected = spent > BUDGET * len(batch.items)
        if self._suspected:
            self._slow.note(self._connector, spent / len(batch.items))

    def pending(self) -> int:
        """Say how many items wait behind here."""
        return self._out.pending()

    async def drain(self, deadline: float) -> None:
        """Pass on what waits behind here."""
        await self._out.drain(deadline)


class MeteredUplinks(Stage[Heard]):
    """Before the stage of uplinks.

    Args:
        connector: The name of the one that read a device's last uplink, or None.
    """

    def __init__(
        self, out: Stage[Heard], connector: Callable[[str], str | None], costs: Costs, slow: Slow | None = None
    ) -> None:
        self._out, self._connector, self._costs = out, connector, costs
        self._slow = Slow() if slow is None else slow
        self._turn, self._suspected = 0, False

    def put(self, batch: Batch[Heard]) -> None:
        """Pass the batch on, or its uplinks one by one."""
        self._turn += 1
        if self._turn < _UPLINKS and not self._suspected:
            since = perf_counter()
            self._out.put(batch)
            self._suspected = perf_counter() - since > BUDGET  # the next batch is measured, uplink by uplink
            return
        measured, rest = batch.items[:_ONE_BY_ONE], batch.items[_ONE_BY_ONE:]
        stand_for = self._turn * len(batch.items) / max(1, len(measured))
        self._turn, self._suspected = 0, False
        for heard in measured:
            began = thread_time()
            self._out.put(Batch(batch.delivery, [heard]))
            spent = thread_time() - began
            connector = self._connector(heard[0].device)
            if connector is not None:
                self._costs[connector] = self._costs.get(connector, 0.0) + stand_for * spent
                if spent > BUDGET:
                    self._slow.note(connector, spent)
                    self._suspected = True
        if rest:
            self._out.put(Batch(batch.delivery, rest))

    def pending(self) -> int:
        """Say how many items wait behind here."""
        return self._out.pending()

    async def drain(self, deadline: float) -> None:
        """Pass on what waits behind here."""
        await self._out.drain(deadline)
