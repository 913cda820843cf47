"""What the worker that runs by this configuration says of itself, by its own /metrics; nothing, if none runs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from math import isfinite
from time import monotonic

from pipeline.build import options as wiring
from pipeline.config.root import Config
from pipeline.core.threads import run_detached
from pipeline.http import client as local_http
from pipeline.http.client import NoAnswerError
from pipeline.tools.doctor.finding import Judgement
from pipeline.tools.doctor.mqtt import USUAL_LINGER, Delay

_SAMPLE = re.compile(r"^(\w+)(?:\{(.*)\})? (\S+)")
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
_TIMEOUT = 3.0
_OFTEN = 3  # closed connections since the start: one or two are restarts of the broker
_FOUND = 200

Samples = Mapping[tuple[str, str], float]
"""Metric and feed (or nothing) -> the sum over all other labels."""


@dataclass(frozen=True, slots=True)
class Scrape:
    """One look at /metrics.

    Attributes:
        at: Monotonic seconds.
        sums: The values; of reconnects only those after a broker closed the connection.
    """

    at: float
    sums: Samples

    def value(self, name: str, feed: str = "") -> float:
        """Return a sum; 0 for what is not there."""
        return self.sums.get((name, feed), 0.0)


async def scrape(config: Config) -> Scrape | None:
    """Ask the process that listens at `admin.listen`; None if it is not a worker with our feeds."""
    host, port = wiring.admin_address(config)
    text = await run_detached(partial(_get, host, port))
    made = None if text is None else parse(text)
    feeds = {feed for name, feed in (made.sums if made else {}) if name == "headrace_received_messages_total"}
    return made if feeds & config.feeds.keys() else None


def parse(text: str) -> Scrape:
    """Read the text that Prometheus reads."""
    sums: dict[tuple[str, str], float] = {}
    for name, labels, value in _samples(text):
        if name == "headrace_reconnects_total" and labels.get("reason") != "closed":
            continue
        key = (name, labels.get("feed", ""))
        sums[key] = sums.get(key, 0.0) + value
    return Scrape(monotonic(), sums)


def _samples(text: str) -> Iterator[tuple[str, dict[str, str], float]]:
    for line in text.splitlines():
        if (match := _SAMPLE.match(line)) and (value := _number(match[3])) is not None:
            yield match[1], dict(_LABEL.findall(match[2] or "")), value


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if isfinite(value) else None


def _get(host: str, port: int) -> str | None:
    try:
        status, body = local_http.get(host, port, "/metrics", patience=_TIMEOUT)
    except NoAnswerError:
        return None
    return body.decode("utf-8", "replace") if status == _FOUND else None


def latency(earlier: Scrape | None, later: Scrape | None) -> float | None:
    """Return the mean seconds from receipt to Kafka's confirmation: between two scrapes, or else since the start."""
    if later is None:
        return None
    seconds, count = (later.value(f"headrace_ingest_latency_seconds_{end}") for end in ("sum", "count"))
    if earlier is not None and count > earlier.value("headrace_ingest_latency_seconds_count"):
        seconds -= earlier.value("headrace_ingest_latency_seconds_sum")
        count -= earlier.value("headrace_ingest_latency_seconds_count")
    return seconds / count if count else None


def judge(config: Config, earlier: Scrape | None, later: Scrape | None) -> Iterator[Judgement]:
    """Say what the worker's own figures tell: sessions that are taken over, sessions lost, sums that do not agree."""
    if earlier is None or later is None:
        said = f"no worker of this configuration answers on {config.admin.listen}: what only a worker knows is unknown."
        yield Judgement("worker", "info", said, ("admin", "listen"))
        return
    for name in (name for name, feed in config.feeds.items() if feed.session is not None):
        yield _one_client(name, earlier, later)
        yield from _full(name, config.kafka.linger, earlier, later)
        lost = later.value("headrace_sessions_lost_total", name)
        if lost:
            said = f"feed {name}: the broker has forgotten the session {lost:g} times, with what it had not delivered."
            change = "persistence true"
            yield Judgement("mqtt.session", "warning", said, ("feeds", name), change, file="mosquitto.conf")
    for name in config.feeds:
        yield from _dropped(name, later)
        if later.value("headrace_conserved", name) != 1:
            said = f"feed {name}: received and accounted for do not agree (headrace_conserved 0)."
            yield Judgement("worker.conservation", "critical", said, ("feeds", name), "Report it, with /metrics.")


def _full(name: str, linger: float, earlier: Scrape, later: Scrape) -> Iterator[Judgement]:
    """Say that the window was full at both looks: then it, or what is behind it, is the bottleneck."""
    limit = later.value("headrace_in_flight_limit", name)
    if limit and all(each.value("headrace_unacknowledged_messages", name) >= limit for each in (earlier, later)):
        said = f"feed {name}: all {limit:g} that may be in flight are, at two looks: reading pauses."
        waits = Delay(latency(earlier, later) or 0.0, "by the worker's own figures", linger)
        if waits.seconds and waits.mostly_linger:
            said = f"{said} They wait for `linger`, {linger * 1000:g} ms, more than for Kafka."
            change = f"linger: {USUAL_LINGER * 1000:.0f}ms"
            yield Judgement("kafka.linger", "warning", said, ("kafka", "linger"), change)
            return
        change = f"max_in_flight: {min(65_535, round(limit) * 2)}"
        yield Judgement("mqtt.window_full", "warning", said, ("feeds", name, "max_in_flight"), change)


def _dropped(name: str, later: Scrape) -> Iterator[Judgement]:
    lost = later.value("headrace_datagrams_dropped_total", name)
    if lost:
        said = f"feed {name}: the kernel had no room for {lost:g} datagrams, and they are not sent again."
        yield Judgement("udp.dropped", "warning", said, ("feeds", name), "sysctl -w net.core.rmem_max=8388608")


def _one_client(name: str, earlier: Scrape, later: Scrape) -> Judgement:
    """Judge how often the broker closed the connection: two clients with one id end each other's, again and again."""
    closed = later.value("headrace_reconnects_total", name)
    now = closed - earlier.value("headrace_reconnects_total", name)
    how = f"{closed:g} times since the worker started, {now:g} times within these {later.at - earlier.at:.0f} s"
    said = f"feed {name}: the broker has closed the connection {how}."
    place = ("feeds", name, "client_id")
    if not now and closed < _OFTEN:
        return Judgement("mqtt.client_id", "ok", said, place)
    said += " Either it restarts so often, or another client has the same id, and each ends the other's session."
    return Judgement("mqtt.client_id", "critical" if now else "warning", said, place, "client_id: <one of its own>")
