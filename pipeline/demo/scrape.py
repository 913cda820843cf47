"""The worker's own figures, from its /metrics page."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import pairwise

from pipeline.core.delivery import Fate
from pipeline.demo.ports import LOOPBACK

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
    """One scrape. latency: upper bound in seconds -> how many records were confirmed by then (cumulative).

    fates: messages. feeds: messages received, by feed. frames: raw LoRaWAN frames, by what became of them.
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
