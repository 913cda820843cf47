"""The last stage: records to Kafka, and their messages' fates once Kafka has confirmed them.

`put` is synchronous and cheap; the event loop sends. A record stays here until Kafka has it, or its dead letter.
Nothing is dropped for an error: `error_codes.py` says what each answer of Kafka leads to, and `sender.py` how.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from dataclasses import replace
from time import monotonic
from typing import NamedTuple

from pipeline.core.clock import CLOCK, Clock
from pipeline.core.delivery import Batch
from pipeline.core.errors import StartError
from pipeline.core.record import Record
from pipeline.publish.accumulator import Accumulator, DeadLetter
from pipeline.publish.cluster import Cluster, LinkError
from pipeline.publish.error_codes import remedy
from pipeline.publish.options import CreateTopics, KafkaOptions, Sasl
from pipeline.publish.sender import PublishEvents, Sender
from pipeline.publish.timekeeper import Timekeeper
from pipeline.publish.topics import limits_of, prepare

__all__ = ["CreateTopics", "DeadLetter", "Gauges", "KafkaOptions", "PublishEvents", "Publisher", "Sasl"]


class Gauges(NamedTuple):
    """What is here now: records that wait, records whose batch is sent, seconds since the oldest was received."""

    waiting: int
    sent: int
    oldest: float


def _nothing(_: str) -> None:
    pass


def _unseen(_: Record) -> None:
    pass


class Publisher:
    """A stage that keeps records until Kafka confirmed them. Make it, `start` it and use it on one event loop.

    Args:
        dead_letter: See `DeadLetter`.
        failpoint: Called with "after_put", "after_chunk_sent" (written, not answered), "after_confirm" (answered, not
            sealed) and "during_rebuild", for tests that kill the process there.
    """

    def __init__(
        self,
        options: KafkaOptions,
        dead_letter: DeadLetter,
        events: PublishEvents,
        failpoint: Callable[[str], None] = _nothing,
        cluster: Cluster | None = None,
        *,
        clock: Clock = CLOCK,
    ) -> None:
        self._cluster = cluster if cluster is not None else Cluster(options)
        self._failpoint = failpoint
        self._intake = Accumulator(options.chunk_bytes, dead_letter)
        self._sender = Sender(self._cluster, options, events, failpoint, self._intake.refuse)
        self._intake.opened = self._sender.opened
        self._intake.full = self._sender.hurry
        self._sender.regrouped = self._intake.regroup
        self._sender.refreshed = self._relearn
        self._cluster.lost = self._sender.stale.set  # a Kafka that goes shows at once, though nothing is sent to it
        self._time = Timekeeper(self._cluster, clock)
        self._sender.clock = clock
        self._sender.untimely = self._time.refused
        self._sender.stored = self._time.stored
        self._timing: asyncio.Task[None] | None = None
        self._learned = 0.0
        self._started = False
        self._last: Callable[[Record], object] = _unseen

    def seen_by(self, last: Callable[[Record], object], dead: Callable[[Record], object]) -> None:
        """Show the last record of each batch, and each dead letter, to an observer that must not change them."""
        self._last = last
        self._intake.dead = dead

    async def start(self, topics: Collection[str]) -> None:
        """Connect, see that every topic is there (or make it), and be ready for `put`.

        Args:
            topics: All that a record may ever name, the dead-letter topic among them.

        Raises:
            StartError: a sentence that names the broker or the topic, and what to do.
        """
        try:
            self._intake.learn(await prepare(self._cluster, topics), self._cluster.partitions)
            self._sender.follow()
            self._learned = monotonic()
            await self._sender.start()
            await self._time.ask()
        except LinkError as problem:
            self._cluster.close()
            advice = "" if problem.code is None else f" {remedy(problem.code, ', '.join(topics))}"
            raise StartError(f"{problem}{advice}") from problem
        except BaseException:
            self._cluster.close()
            raise
        self._timing = asyncio.create_task(self._time.run(), name="timekeeper")
        self._started = True

    async def include(self, topics: Collection[str], create: CreateTopics | None) -> None:
        """Make further topics ready, while records flow.

        Args:
            create: How to make those that are missing, or None.

        Raises:
            StartError: a sentence that names the broker or the topic, and what to do; those before stay in use.
        """
        before, options = list(self._intake.limits), self._cluster.options
        self._cluster.options = replace(options, create_topics=create)
        try:
            self._intake.learn(await prepare(self._cluster, {*before, *topics}), self._cluster.partitions)
            self._sender.follow()
        except BaseException:
            self._cluster.options = options
            self._cluster.follow(before)
            raise

    def put(self, batch: Batch[Record]) -> None:
        """Take a batch. A record without a message is a dead letter, and its fate is DEAD_LETTERED.

        Raises:
            DeliveryError: a record's topic was not named to `start`.
        """
        self._intake.put(batch)
        if batch.items:
            self._last(batch.items[-1])
        self._failpoint("after_put")

    def pending(self) -> int:
        """How many records are here, waiting or sent; bounded by the lanes upstream."""
        return sum(slot.waiting() + slot.sent() for slot in self._sender.active)

    def gauges(self) -> Gauges:
        """Look at what is here, for metrics."""
        slots = self._sender.active
        times = [since for slot in slots if (since := slot.oldest()) is not None]
        return Gauges(
            waiting=sum(slot.waiting() for slot in slots),
            sent=sum(slot.sent() for slot in slots),
            oldest=monotonic() - min(times) if times else 0.0,
        )

    @property
    def ready(self) -> bool:
        """Say whether Kafka takes what we send."""
        return not self.trouble

    @property
    def trouble(self) -> str:
        """Why it is not ready: a sentence for an operator; empty when it is."""
        return self._sender.problem() if self._started else "The publisher has not started."

    async def watch(self) -> None:
        """Wait for ever; raise what broke the publisher, which is always a bug of ours."""
        await self._sender.broke.wait()
        if self._sender.broken is not None:
            raise self._sender.broken

    async def drain(self, deadline: float) -> None:
        """Send what is here without lingering; return when all is confirmed, or at `deadline` (monotonic seconds)."""
        self._sender.linger = 0.0
        while self._sender.active and (left := deadline - monotonic()) > 0:
            self._sender.emptied.clear()
            self._sender.hurry()
            try:
                async with asyncio.timeout(left):
                    await self._sender.emptied.wait()
            except TimeoutError:
                return

    async def close(self, deadline: float) -> None:
        """Stop, at the latest at `deadline` (monotonic seconds), however Kafka is. What is still here stays unsealed.

        Its source sends it again: call `drain` first to leave nothing behind.
        """
        self._started = False
        tasks = self._sender.stop()
        if self._timing is not None:
            self._timing.cancel()
            tasks.append(self._timing)
        self._cluster.close()
        if tasks:
            await asyncio.wait(tasks, timeout=max(0.0, deadline - monotonic()))

    async def _relearn(self) -> None:
        """Read the topics' limits again from time to time: one may have changed, and refusals made chunks small."""
        if monotonic() - self._learned >= self._cluster.options.metadata_max_age:
            self._intake.learn(await limits_of(self._cluster, self._intake.limits), self._cluster.partitions)
            self._learned = monotonic()
