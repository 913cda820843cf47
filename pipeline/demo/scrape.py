"""The worker's own figures, from its /metrics page."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise

from pipeline.demo.ports import LOOPBACK

_SAMPLE = re.compile(r"^(\w+)(?:\{(.*)\})? (\S+)$")
_LABEL = re.compile(r'(\w+)="([^"]*)"')
_TIMEOUT = 3.0


@dataclass(frozen=True, slots=True)
class Figures:
    """One scrape. latency: upper bound in seconds -> how many records were confirmed by then (cumulative)."""

    received: int = 0
    published: int = 0
    dead_lettered: int = 0
    in_flight: int = 0
    conserved: bool = True
    fates: Mapping[str, int] | None = None
    latency: Mapping[float, int] | None = None


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
    plain: Counter[str] = Counter()
    fates: Counter[str] = Counter()
    latency: Counter[float] = Counter()
    conserved = True
    for name, labels, value in _samples(text):
        if name == "headrace_messages_total":
            fates[labels["fate"]] += int(value)
        elif name == "headrace_ingest_latency_seconds_bucket":
            latency[float(labels["le"])] += int(value)
        elif name == "headrace_conserved":
            conserved = conserved and value == 1
        elif name in {"headrace_received_messages_total", "headrace_in_flight_messages"}:
            plain[name] += int(value)
    return Figures(
        received=plain["headrace_received_messages_total"],
        published=fates["published"],
        dead_lettered=fates["dead_lettered"],
        in_flight=plain["headrace_in_flight_messages"],
        conserved=conserved,
        fates=fates,
        latency=latency,
    )


def quantile(later: Figures, earlier: Figures | None, share: float) -> float | None:
    """Return the seconds within which a share of the records was confirmed between two scrapes.

    Between two bounds of the histogram it is interpolated, as Prometheus does; None without a record.
    """
    before = {} if earlier is None else earlier.latency or {}
    counts = [(bound, n - before.get(bound, 0)) for bound, n in sorted((later.latency or {}).items())]
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
