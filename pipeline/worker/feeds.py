"""The feeds of one worker: made, started, rewired, connected anew and ended, each by its name."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any

from pipeline.build import options as wiring
from pipeline.build.context import WorkerContext
from pipeline.build.feed_kinds import FeedParts, kind_of
from pipeline.config.root import Config
from pipeline.core.budgets import LEAVE_SECONDS
from pipeline.core.delivery import Batch, Feed, Ledger, Message, Stage
from pipeline.core.errors import StartError
from pipeline.core.logs import Log
from pipeline.encode.dead_letter import Refusals
from pipeline.observe.health import FeedHealth, Health
from pipeline.observe.metrics import FeedMetrics, Metrics
from pipeline.publish import Publisher
from pipeline.worker.crash_guard import CrashGuard, GuardedStage


class SwappableStage(Stage[Message]):
    """Passes everything on; what follows is exchanged between two batches, and no message is lost or overtaken."""

    def __init__(self, stage: Stage[Message]) -> None:
        self.stage = stage

    def put(self, batch: Batch[Message]) -> None:
        """Pass the batch on."""
        self.stage.put(batch)

    def pending(self) -> int:
        """Nothing stays here."""
        return self.stage.pending()

    async def drain(self, deadline: float) -> None:
        """Let what follows pass on what it keeps."""
        await self.stage.drain(deadline)

    async def lead_to(self, stage: Stage[Message]) -> None:
        """Exchange what follows; first it passes on what it keeps, so that older messages stay before newer ones."""
        old = self.stage
        await old.drain(monotonic())
        self.stage = stage


_LOG = Log(__name__)
_LOOK_SECONDS = 0.02
_AGAIN_SECONDS = 10.0  # after which a feed that a reload brought, and that cannot start, is tried again


@dataclass(frozen=True, slots=True)
class FeedContext:
    """What all feeds share.

    Attributes:
        state: The folder that outlives the process, or None.
    """

    publisher: Publisher
    metrics: Metrics
    health: Health
    shared: WorkerContext
    guard: CrashGuard
    failpoint: Callable[[str], None]
    state: Path | None


@dataclass(slots=True)
class Running:
    """One feed.

    Attributes:
        first: What takes its messages; it leads to the switch, and that to the stages in force.
    """

    source: Feed[Message]
    events: FeedMetrics
    ledger: Ledger
    switch: SwappableStage
    first: Stage[Message]
    task: asyncio.Task[None] | None = None


class FeedSupervisor:
    """Made on the loop that it runs on. A feed that fails for good at the start ends `run`; later it is tried again."""

    def __init__(self, config: Config, around: FeedContext) -> None:
        self._around = around
        self._feeds = {name: self._made(config, name, Ledger()) for name in config.feeds}
        self._failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._forgetting: set[asyncio.Task[None]] = set()

    def __iter__(self) -> Iterator[Running]:
        return iter(list(self._feeds.values()))

    async def run(self) -> None:
        """Read until cancelled.

        Raises:
            StartError: a feed cannot start as the configuration says.
        """
        for each in self:
            self._start(each, each.source.run(each.first))
        try:
            await self._failed
        finally:
            tasks = [*self._forgetting, *(each.task for each in self if each.task is not None)]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def stages(self, config: Config, name: str) -> Stage[Message]:
        """Return what a configuration makes of the messages of one feed."""
        around = self._around
        return wiring.router(
            config,
            name,
            publisher=around.publisher,
            letters=wiring.dead_letters(config),
            events=around.metrics,
            shared=around.shared,
        )

    async def rewire(self, name: str, stages: Stage[Message]) -> None:
        """Let the next message go to other stages; the connection stays."""
        await self._feeds[name].switch.lead_to(stages)

    def add(self, config: Config, name: str) -> None:
        """Start a feed that was not there."""
        self._feeds[name] = self._made(config, name, Ledger())
        self._start(self._feeds[name], self._patiently(self._feeds[name]))

    async def reconnect(self, config: Config, name: str) -> None:
        """End a feed's connection, once its messages are confirmed, and start it as it is configured now."""
        before = self._feeds[name]
        await self._end(before, config.drain_timeout)
        self._feeds[name] = self._made(config, name, before.ledger)
        self._start(self._feeds[name], self._patiently(self._feeds[name]))

    async def remove(self, name: str, patience: float) -> None:
        """End a feed, once its messages are confirmed."""
        each = self._feeds[name]
        await self._end(each, patience)
        del self._feeds[name]
        del self._around.health.feeds[name]
        self._around.metrics.disconnected_for_good(name)
        task = asyncio.create_task(self._forget(name, each.ledger), name=f"forget {name}")
        self._forgetting.add(task)
        task.add_done_callback(self._forgetting.discard)

    async def _forget(self, name: str, ledger: Ledger) -> None:
        """Export a removed feed until its last message has its fate: Kafka may be away for longer than we wait."""
        while ledger.in_flight():  # noqa: ASYNC110
            await asyncio.sleep(_LOOK_SECONDS)
        if self._around.metrics.ledgers.get(name) is ledger:  # else it is there again
            self._around.metrics.forget(name)

    def _made(self, config: Config, name: str, ledger: Ledger) -> Running:
        around, feed = self._around, config.feeds[name]
        switch = SwappableStage(self.stages(config, name))
        parts = FeedParts(ledger, around.metrics, around.state, around.failpoint)
        source, events = kind_of(feed).make(name, feed, parts)
        up, problem = partial(getattr, events, "is_up"), partial(getattr, source, "problem")
        around.health.feeds[name] = FeedHealth(up, ledger, problem)
        return Running(source, events, ledger, switch, self._guarded(config, name, switch))

    def _guarded(self, config: Config, name: str, first: Stage[Message]) -> Stage[Message]:
        around = self._around
        if not around.guard.careful:
            return first
        refusals = Refusals(name, wiring.dead_letters(config), around.publisher, around.metrics)
        return GuardedStage(around.guard, first, refusals)

    def _start(self, each: Running, work: Coroutine[Any, Any, None]) -> None:
        each.task = asyncio.create_task(work, name=f"feed {each.source.name}")
        each.task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (problem := task.exception()) is not None and not self._failed.done():
            self._failed.set_exception(problem)

    async def _patiently(self, each: Running) -> None:
        """Run a feed of a reload: what it cannot do must not end those that work."""
        while True:
            try:
                await each.source.run(each.first)
            except StartError as problem:
                _LOG.error("A feed cannot start; it is tried again.", feed=each.source.name, problem=str(problem))
                await asyncio.sleep(_AGAIN_SECONDS)
            else:
                return

    async def _end(self, each: Running, patience: float) -> None:
        each.source.stop_reading()
        deadline = monotonic() + patience
        await each.first.drain(deadline)
        while each.source.resends and each.ledger.in_flight() and monotonic() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(_LOOK_SECONDS)
        await each.source.disconnect(LEAVE_SECONDS)
        if each.task is not None:
            each.task.cancel()
            await asyncio.gather(each.task, return_exceptions=True)
