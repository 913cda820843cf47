"""Dead letters through the stages of a worker, each under a delivery of its own, so that each has its fate."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from time import monotonic

from pipeline.build import options as wiring
from pipeline.config.root import Config
from pipeline.config.used import DEVICE, DEVICE_MODEL
from pipeline.core.delivery import Batch, Delivery, Fate, Stage
from pipeline.core.errors import Reason
from pipeline.core.message import Message
from pipeline.core.record import Record, decode_headers
from pipeline.encode.dead_letter import DeadLetters
from pipeline.tools.dry_run import Deaf
from pipeline.tools.replay.letter import Letter
from pipeline.tools.replay.report import Report

_MOST_PENDING = 5000
_COUNTED = "The frame counter went back. Only `frames: {reset: accept}` of the feed takes such a frame."
_NO_FEED = "their feed is no longer in the configuration"


class Attempts:
    """Takes letters and counts what became of them; `done` is called for each that need not be tried again.

    What route, decode and normalise refuse again is not written a second time: it is in the topic already.
    """

    def __init__(
        self, config: Config, publisher: Stage[Record], letters: DeadLetters, report: Report, done: Callable[..., None]
    ) -> None:
        self.pending = 0
        self._settled = asyncio.Event()
        self._report = report
        self._done = done
        topics = wiring.topics(config)
        self._gate = _Gate(publisher, frozenset(topics[model] for model in (DEVICE, DEVICE_MODEL) if model in topics))
        self._resets = {name for name, feed in config.feeds.items() if feed.frames and feed.frames.reset == "accept"}
        self._routers: Mapping[str, Stage[Message]] = {
            name: wiring.router(config, name, publisher=self._gate, letters=letters, events=Deaf())
            for name in config.feeds
        }

    def put(self, letter: Letter) -> None:
        """Take one letter."""
        router = self._routers.get(letter.feed)
        if letter.message is None or router is None:
            self._report.unusable[letter.lost or _NO_FEED] += 1
            return
        if letter.reason == Reason.F_CNT_INVALID.value and letter.feed not in self._resets:
            self.refused(Reason.F_CNT_INVALID, _COUNTED)
            return
        self.pending += 1
        verdict: list[tuple[str, str]] = []

        def settled(delivery: Delivery) -> None:
            self._settle(letter, max(fate for fate in Fate if delivery.fates[fate]), verdict)

        self._gate.verdict = verdict
        router.put(Batch(Delivery(1, [0] * len(Fate), settled, monotonic()), [letter.message]))

    async def passed_on(self, feed: str) -> None:
        """Let a feed's stages pass on what they keep, so that what they say of it is said of the letter just taken."""
        router = self._routers.get(feed)
        if router is not None and router.kept():
            await router.drain(monotonic())

    async def room(self) -> None:
        """Wait while too many letters have no fate yet."""
        while self.pending >= _MOST_PENDING:
            self._settled.clear()
            await self._settled.wait()

    def refused(self, reason: Reason, detail: str) -> None:
        """Take note that Kafka refused a record; its new dead letter is in the topic, so the old one is done."""
        self._report.again[reason.value] += 1
        self._report.samples.setdefault(reason.value, detail)

    def _settle(self, letter: Letter, fate: Fate, verdict: list[tuple[str, str]]) -> None:
        self.pending -= 1
        self._settled.set()
        if verdict:
            reason, detail = verdict[0]
            self._report.again[reason] += 1
            self._report.samples.setdefault(reason, detail)
            return
        self._report.published += fate in {Fate.PUBLISHED, Fate.DEDUPLICATED}
        self._report.filtered += fate is Fate.FILTERED
        self._done(letter.partition, letter.offset)


class _Gate(Stage[Record]):
    """Lets records through to the publisher, and keeps dead letters back: `verdict` gets their reason and detail.

    current: the topics that hold each device's present state, which an old message must not take the place of.
    """

    def __init__(self, publisher: Stage[Record], current: frozenset[str]) -> None:
        self.verdict: list[tuple[str, str]] = []
        self._current = current
        self._publisher = publisher

    def put(self, batch: Batch[Record]) -> None:
        through: list[Record] = []
        for record in batch.items:
            if record.destination.topic in self._current:
                batch.delivery.seal(Fate.DEDUPLICATED)
            elif record.message is not None:
                through.append(record)
            else:
                headers = dict(decode_headers(record.headers))
                self.verdict.append((headers["ce_reason"].decode(), headers["ce_detail"].decode()))
                batch.delivery.seal(Fate.DEAD_LETTERED)
        if through:
            self._publisher.put(Batch(batch.delivery, through))

    def kept(self) -> int:
        return 0

    async def drain(self, deadline: float) -> None:
        pass
