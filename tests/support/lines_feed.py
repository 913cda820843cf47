# ruff: noqa: ARG002, ASYNC109, ASYNC240, FBT003
"""A kind of feed from outside, whole: `kind: lines` reads a file, `topic payload` in each line."""

import asyncio
import sys
from pathlib import Path
from time import time
from typing import ClassVar, Literal

from pipeline.__main__ import main
from pipeline.build.feed_kinds import FeedKind, FeedParts, Probe, register
from pipeline.config.feeds import PlainFeedConfig, RouteConfig
from pipeline.config.findings import Finding
from pipeline.core.delivery import Batch, Lane, Message, Stage
from pipeline.observe.metrics import FeedMetrics


class LinesConfig(PlainFeedConfig):
    subscribe: ClassVar[tuple[str, ...]] = ("#",)
    kind: Literal["lines"]
    source: str
    routes: tuple[RouteConfig, ...]
    max_payload: int = 65_536
    max_in_flight: int = 1000


class LinesFeed:
    resends, problem = False, ""

    def __init__(self, name: str, file: Path, parts: FeedParts) -> None:
        self.name, self._file, self._left = name, file, asyncio.Event()
        self._lane: Lane[None] = Lane(None, 1000, ledger=parts.ledger)
        self.events = parts.metrics.feed(name, parts.ledger, 1000)

    async def run(self, out: Stage[Message]) -> None:
        self.events.connected(True)
        pairs = [line.split(b" ", 1) for line in self._file.read_bytes().splitlines()]
        messages = [Message(topic.decode(), payload, round(time() * 1000)) for topic, payload in pairs]
        out.put(Batch(self._lane.receive(len(messages), None), messages))
        await self._left.wait()

    def stop_reading(self) -> None:
        self._left.set()

    async def disconnect(self, timeout: float = 5.0) -> None:
        self.stop_reading()


class LinesKind(FeedKind[LinesConfig]):
    def make(self, name: str, feed: LinesConfig, parts: FeedParts) -> tuple[LinesFeed, FeedMetrics]:
        return (made := LinesFeed(name, Path(feed.source), parts)), made.events

    async def probe(self, name: str, feed: LinesConfig, arrivals: Stage[Message], seconds: float) -> Probe:
        missing = [] if Path(feed.source).exists() else [Finding(("feeds", name, "source"), "names no file.")]
        return Probe(missing, listened=False)


register(LinesConfig, LinesKind())
if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
