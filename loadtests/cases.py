"""The three kinds of run: idle (what starting costs), drain (a backlog waits), steady (messages come at a rate)."""

import asyncio
import urllib.request
from dataclasses import dataclass, replace
from typing import Protocol

from loadtests.contenders import Contender, Place
from loadtests.histogram import quantiles_of
from loadtests.measured import Measured
from loadtests.records import Seen
from loadtests.rig import Rig
from loadtests.samples import Sample

IDLE_SECONDS = 2.0


class Case(Protocol):
    @property
    def name(self) -> str: ...

    async def run(self, rig: Rig, contender: Contender, number: int) -> Sample: ...


@dataclass(frozen=True, slots=True)
class Idle:
    """Start, one message, two seconds of nothing, stop: what a run costs that does no work."""

    name: str = "idle"

    async def run(self, rig: Rig, contender: Contender, number: int) -> Sample:
        async with rig.place(contender, self.name) as place:
            running = rig.start(contender, place)
            try:
                await rig.ready(contender, running, place, 0)
                await asyncio.sleep(IDLE_SECONDS)
            finally:
                usage = running.stop()
        return Sample.of(self.name, contender.name, number, 1, usage)


@dataclass(frozen=True, slots=True)
class Drain:
    """All messages wait in the session before the contender starts; it is stopped when Kafka holds them all."""

    name: str
    messages: int

    async def run(self, rig: Rig, contender: Contender, number: int) -> Sample:
        async with rig.place(contender, self.name) as place:
            await rig.publish(contender, 0, self.messages)
            running = rig.start(contender, place)
            try:
                arrival = await rig.wait_for(running, place, self.messages, 60 + self.messages / 2000)
            finally:
                usage = running.stop()
            seen = await rig.records.read(place.topic, self.messages, contender.ts_of, rig.base_ts)
        sample = Sample.of(self.name, contender.name, number, self.messages, usage)
        sample = replace(sample, first_s=round(arrival.first_s, 3), rate=round(arrival.rate))
        return replace(sample, lost=seen.missing, duplicates=seen.duplicates)


@dataclass(frozen=True, slots=True)
class Steady:
    """Messages come at a rate; the contender is up and has passed one on before the first of them."""

    name: str
    rate: float
    seconds: float

    async def run(self, rig: Rig, contender: Contender, number: int) -> Sample:
        count = int(self.rate * self.seconds)
        async with rig.place(contender, self.name) as place:
            running = rig.start(contender, place)
            try:
                # The probe comes after the counted messages by its number, so that reading the topic leaves it out.
                await rig.ready(contender, running, place, count)
                published = await rig.publish(contender, 0, count, self.rate)
                await rig.wait_for(running, place, count + 1, 60)
                own = await asyncio.to_thread(_own_quantiles, contender, place, running)
            finally:
                usage = running.stop()
            seen = await rig.records.read(place.topic, count, contender.ts_of, rig.base_ts)
        p50, p99 = _latencies(seen, published["slices"])
        sample = Sample.of(self.name, contender.name, number, count, usage)
        sample = replace(sample, rate=round(count / published["seconds"]), p50_ms=p50, p99_ms=p99, own=own)
        return replace(sample, lost=seen.missing, duplicates=seen.duplicates)


def _latencies(seen: Seen, slices: list[tuple[int, float]]) -> tuple[float, float]:
    """Take each message's time from the send of its slice to Kafka's append; Kafka tells whole milliseconds."""
    found: list[float] = []
    ends = [first for first, _ in slices[1:]] + [len(seen.appended_ms)]
    for (first, sent), end in zip(slices, ends, strict=True):
        found += [appended - sent * 1000 for appended in seen.appended_ms[first:end] if appended]
    found.sort()
    if not found:
        return 0.0, 0.0
    return round(found[len(found) // 2], 1), round(found[int(len(found) * 0.99)], 1)


def _own_quantiles(contender: Contender, place: Place, running: Measured) -> dict[str, list[float]]:
    if contender.name != "headrace" or not running.running():
        return {}
    with urllib.request.urlopen(f"http://127.0.0.1:{place.admin_port}/metrics", timeout=5) as answer:
        return quantiles_of(answer.read().decode())


def cases(*, quick: bool) -> list[Case]:
    if quick:
        return [Idle(), Drain("drain100k", 100_000), Steady("steady5k", 5000, 5)]
    drains: list[Case] = [Drain("drain100k", 100_000), Drain("drain1m", 1_000_000)]
    return [Idle(), *drains, Steady("steady5k", 5000, 20), Steady("steady20k", 20_000, 20)]
