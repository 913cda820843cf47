"""Learns what time Kafka has: at the start, each minute, when clocks seem wrong, and from the answers to produce.

DescribeQuorum tells it (survey.py) to a principal that may describe the cluster. A topic with
`message.timestamp.type=LogAppendTime` tells it with every batch that it stores.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from time import monotonic, time
from typing import Final

from pipeline.core.clock import Clock
from pipeline.core.logs import Log
from pipeline.publish.survey import Asked, ClockFacts, told_time

_EACH: Final = 60.0
_SELDOM: Final = 600.0  # where Kafka does not tell: each question is a line in its authorizer's log
_LOOK: Final = 1.0  # seconds between looks at whether our clock was set
_CLEAR: Final = 5.0  # seconds; a slower answer to produce says too little of when the batch was stored
_MILLISECOND: Final = 0.001

_LOG = Log(__name__)


class Timekeeper:
    """Tells a clock of Kafka's, and the log of a clock that is wrong."""

    def __init__(self, cluster: Asked, clock: Clock) -> None:
        self._cluster = cluster
        self._clock = clock
        self._doubts = asyncio.Event()
        self._said = False
        self._told = False

    async def run(self) -> None:
        """Ask now and again, until cancelled."""
        while True:
            until = monotonic() + (_EACH if self._told else _SELDOM)
            while monotonic() < until and not (self._doubts.is_set() or self._clock.stepped()):
                with suppress(TimeoutError):
                    async with asyncio.timeout(_LOOK):
                        await self._doubts.wait()
            self._doubts.clear()
            await self.ask()

    async def ask(self) -> None:
        """Ask once."""
        told = await told_time(self._cluster, time)
        self._told = isinstance(told, ClockFacts)
        if isinstance(told, ClockFacts):
            self._clock.learn(told.ahead, told.doubt)
        self.say()

    def refused(self) -> None:
        """Kafka refused a time of ours: ask what time it has."""
        self._doubts.set()

    def stored(self, milliseconds: int, began: float) -> None:
        """Learn from a batch: Kafka's time when it was stored, and when it was sent (monotonic seconds)."""
        took = monotonic() - began
        if milliseconds > 0 and took < _CLEAR:
            self._clock.learn(time() - took / 2 - milliseconds / 1000, took / 2 + _MILLISECOND)
            self.say()

    def say(self) -> None:
        """Log that the clock is wrong, once, and that it is right again."""
        problem = self._clock.problem
        if problem and not self._said:
            _LOG.error("The clock of this machine is wrong.", problem=problem)
        elif self._said and not problem:
            _LOG.info("The clock of this machine is right again.")
        self._said = bool(problem)
