"""What a consumer of the demo reads, and what its worker says of itself."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import pairwise
from time import monotonic
from typing import Final

from pipeline.build import options as wiring
from pipeline.config.root import Config
from pipeline.core.delivery import Fate
from pipeline.core.record import DEVICE, DEVICE_MODEL
from pipeline.demo.processes import LOOPBACK, until_true
from pipeline.publish.consumer import StoredRecord, TopicReader
from pipeline.publish.options import KafkaOptions

_A_MOMENT: Final = 0.7


@dataclass(frozen=True, slots=True)
class DemoTopics:
    """The demo's topics. entities: of what was measured. about: of the devices, beside the record of a message."""

    entities: tuple[str, ...]
    events: str
    about: tuple[str, ...]
    dead_letters: str

    @classmethod
    def of(cls, config: Config) -> DemoTopics:
        """Return those that the worker writes to."""
        made = wiring.topics(config)
        about = tuple(made.pop(model) for model in (DEVICE, DEVICE_MODEL))
        return cls(tuple(made.values()), config.device_events_topic, about, config.dead_letter_topic)

    @property
    def all(self) -> tuple[str, ...]:
        """Every one of them."""
        return (*self.entities, self.events, *self.about, self.dead_letters)


class Consumer:
    """Reads every record of the demo's topics and counts it; nothing is taken from the worker's own figures.

    By reading, since Tansu's end offsets count the records of the last batch as one.
    """

    def __init__(self, bootstrap: str, topics: DemoTopics) -> None:
        self.records: Counter[str] = Counter(dict.fromkeys((*topics.entities, topics.events), 0))
        self.about: Counter[str] = Counter(dict.fromkeys(topics.about, 0))
        self.events: Counter[str] = Counter()
        self.dead_letters: Counter[str] = Counter()
        self.flagged = 0
        self.heard: dict[bytes, float] = {}
        self.newest: StoredRecord | None = None
        self._topics = topics
        options = KafkaOptions([bootstrap], client_id="headrace-demo-consumer")
        self._readers = [TopicReader(options, topic) for topic in topics.all]

    @property
    def read(self) -> int:
        """Records that stand for a message: of its entity, or of an event."""
        return self.records.total()

    @property
    def dead(self) -> int:
        """Dead letters."""
        return self.dead_letters.total()

    async def follow(self) -> None:
        """Read from the beginning until cancelled.

        Raises:
            StartError: a topic cannot be read.
        """
        try:
            await asyncio.gather(*map(self._follow, self._readers))
        finally:
            await asyncio.gather(*(reader.close() for reader in self._readers), return_exceptions=True)

    async def caught_up(self, expected: int, patience: float) -> None:
        """Wait until so many records came, and a moment longer, since more would be as wrong as fewer."""
        await until_true(lambda: self.read + self.dead >= expected, patience)
        await asyncio.sleep(_A_MOMENT)

    def quiet(self, seconds: float) -> int:
        """Count the entities that were heard of, but not for so long."""
        before = monotonic() - seconds
        return sum(last < before for last in self.heard.values())

    async def _follow(self, reader: TopicReader) -> None:
        await reader.open(beginning=True)
        while True:
            for record in await reader.fetch():
                self._count(record)

    def _count(self, record: StoredRecord) -> None:
        headers, topics = dict(record.headers), self._topics
        if record.topic == topics.dead_letters:
            self.dead_letters[headers.get("ce_reason", b"?").decode()] += 1
        elif record.topic in topics.about:
            self.about[record.topic] += 1
        elif record.topic == topics.events:
            self.records[record.topic] += 1
            self.events[headers.get("ce_type", b"?").decode().rpartition(".")[2]] += 1
        else:
            self._entity(record, headers)

    def _entity(self, record: StoredRecord, headers: dict[str, bytes]) -> None:
        self.records[record.topic] += 1
        self.newest = record
        self.flagged += "ce_quality" in headers
        if record.key is not None:
            self.heard[record.key] = monotonic()


_SAMPLE = re.compile(r"^(\w+)(?:\{(.*)\})? (\S+)$")
_LABEL = re.compile(r'(\w+)="([^"]*)"')
_TIMEOUT = 3.0
_COUNTS = {
    "headrace_received_messages_total": "feed",
    "headrace_messages_total": "fate",
    "headrace_raw_frames_total": "outcome",
}
"""Counters, and the label by which each is counted here."""


@dataclass(frozen=True, slots=True)
class Figures:
    """One scrape.

    Attributes:
        latency: Upper bound in seconds -> how many records were confirmed by then (cumulative).
        fates: Messages by fate.
        feeds: Messages received, by feed.
        frames: Raw LoRaWAN frames, by outcome.
    """

    in_flight: int = 0
    conserved: bool = True
    gateways: int = 0
    fates: Mapping[str, int] = field(default_factory=dict)
    feeds: Mapping[str, int] = field(default_factory=dict)
    frames: Mapping[str, int] = field(default_factory=dict)
    latency: Mapping[float, int] = field(default_factory=dict)

    @property
    def received(self) -> int:
        """Messages received."""
        return sum(self.feeds.values())

    def fate(self, fate: Fate) -> int:
        """Return how many messages met a fate."""
        return self.fates.get(fate.name.lower(), 0)

    @property
    def settled(self) -> int:
        """Messages that have met theirs."""
        return sum(self.fates.values())


async def get(port: int, path: str) -> tuple[int, str] | None:
    """Return status and body of a page of the admin server, or None if there is none."""
    with suppress(OSError, TimeoutError, ValueError, IndexError):
        async with asyncio.timeout(_TIMEOUT):
            reader, writer = await asyncio.open_connection(LOOPBACK, port)
            writer.write(f"GET {path} HTTP/1.0\r\nHost: {LOOPBACK}\r\nConnection: close\r\n\r\n".encode())
            answer = (await reader.read()).decode()
            writer.close()
        head, _, body = answer.partition("\r\n\r\n")
        return int(head.split()[1]), body
    return None


async def scrape(port: int) -> Figures | None:
    """Return the worker's figures, or None if it does not answer."""
    page = await get(port, "/metrics")
    return None if page is None else parse(page[1])


def parse(text: str) -> Figures:
    """Read the figures from the text that Prometheus reads."""
    counts: dict[str, Counter[str]] = {name: Counter() for name in _COUNTS}
    latency: Counter[float] = Counter()
    plain: Counter[str] = Counter()
    conserved = True
    for name, labels, value in _samples(text):
        if name in _COUNTS:
            counts[name][labels[_COUNTS[name]]] += int(value)
        elif name == "headrace_ingest_latency_seconds_bucket":
            latency[float(labels["le"])] += int(value)
        elif name == "headrace_conserved":
            conserved = conserved and value == 1
        elif name in {"headrace_in_flight_messages", "headrace_gateways_heard"}:
            plain[name] += int(value)
    feeds, fates, frames = counts.values()
    in_flight, gateways = plain["headrace_in_flight_messages"], plain["headrace_gateways_heard"]
    return Figures(in_flight, conserved, gateways, fates, feeds, frames, latency)


def quantile(later: Figures, earlier: Figures | None, share: float) -> float | None:
    """Return the seconds within which a share of the records was confirmed between two scrapes.

    Between two bounds of the histogram it is interpolated, as Prometheus does; None without a record.
    """
    before = {} if earlier is None else earlier.latency
    counts = [(bound, n - before.get(bound, 0)) for bound, n in sorted(later.latency.items())]
    if not counts or not counts[-1][1]:
        return None
    wanted = counts[-1][1] * share
    for (low, below), (high, upto) in pairwise([(0.0, 0), *counts]):
        if upto >= wanted:
            return low if high == float("inf") else low + (high - low) * (wanted - below) / max(1, upto - below)
    return None


def _samples(text: str) -> Iterator[tuple[str, dict[str, str], float]]:
    for line in text.splitlines():
        if match := _SAMPLE.match(line):
            yield match[1], dict(_LABEL.findall(match[2] or "")), float(match[3])
