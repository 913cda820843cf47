"""One document of all that the page shows; who watches gets the same bytes, made once a second."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from time import time
from typing import Any
from urllib.parse import unquote

from pipeline.core.clock import CLOCK
from pipeline.core.errors import Reason
from pipeline.devices.registry import Device
from pipeline.devices.silent_device import SilentDevice
from pipeline.lorawan.statistics import Spread
from pipeline.observe.metrics import Metrics
from pipeline.observe.page.about import About
from pipeline.observe.page.history import History
from pipeline.observe.page.letters import Letters
from pipeline.observe.page.newest import Newest
from pipeline.observe.page.samples import Samples
from pipeline.observe.page.verdict import verdict

_GATEWAYS = 12
_EXPLAINED = {reason.value: reason.explanation for reason in Reason}


def _nobody(_: str) -> None:
    """Find no device: there is no registry."""


@dataclass(frozen=True, slots=True)
class Sources:
    """Where the page looks. about: the configuration in force. not_ready: why messages do not flow.

    silent: some of those that are overdue, of late last. remarks: what wants mending though messages flow.
    find: a device of the registry, by any name of it.
    """

    about: Callable[[], About]
    metrics: Metrics
    not_ready: Callable[[], Sequence[str]]
    letters: Letters
    newest: Newest
    silent: Callable[[], Sequence[SilentDevice]]
    remarks: Callable[[], Sequence[str]] = tuple
    find: Callable[[str], Device | None] = _nobody


def snapshot(sources: Sources, history: History, started: float) -> dict[str, Any]:
    """Return what the page shows now, as JSON has it.

    Times are milliseconds since 1970, durations seconds, counts those of the process's life; `point` is the newest of
    the history. started: seconds since 1970.
    """
    about, samples = sources.about(), Samples(sources.metrics.samples())
    told = {
        "time": CLOCK.now(),
        "uptime": round(time() - started),
        "version": next(iter(samples.by("version", "headrace_build_info")), ""),
        "tenant": about.tenant,
        "not_ready": list(sources.not_ready()),
        "remarks": list(sources.remarks()),
        "config_refused": list(sources.metrics.in_force.refused),
        "point": history.points[-1] if history.points else None,
        "received": samples.sum("headrace_received_messages_total"),
        "in_flight": samples.sum("headrace_in_flight_messages"),
        "fates": samples.by("fate", "headrace_messages_total"),
        "conserved": all(samples.by("feed", "headrace_conserved").values()),
        "feeds": [*_feeds(about, samples)],
        "connectors": [*_connectors(about, samples, sources)],
        "dead_letters": [*_dead_letters(samples, sources.letters)],
        "samples": about.samples,
        "wrong": [{**each, "device": _named(sources, each["topic"].split("/"))} for each in sources.letters.wrong()],
        "doubtful": [
            {**each, "device": _named(sources, [each["id"].rpartition(":")[2]])}
            for each in reversed(sources.newest.doubtful.values())
        ],
        "topics": [*_topics(samples)],
        "kafka": _kafka(samples),
        "devices": {
            "seen": samples.sum("headrace_devices_seen"),
            "silent": samples.by("age", "headrace_devices_silent"),
            "silent_gateways": samples.sum("headrace_gateways_silent"),
            "latest": [asdict(each) for each in sources.silent()],
        },
        "raw": [*_raw(sources.metrics, samples)],
        "frames": {
            **samples.by("kind", "headrace_device_frames_total"),
            "missing": samples.sum("headrace_device_frames_missing"),
        },
        "entities": sources.newest.entities(),
    }
    return {**told, "verdict": verdict(told, history.points)}


def _named(sources: Sources, words: Sequence[str]) -> str | None:
    """Return what the registry calls the device that one of the words names, or None."""
    for word in words:
        device = sources.find(unquote(word))
        if device is not None:
            return device.key if device.name is None else f"{device.name} ({device.key})"
    return None


def _feeds(about: About, samples: Samples) -> Iterator[dict[str, Any]]:
    for name, (kind, source) in about.feeds.items():
        yield {
            "name": name,
            "kind": kind,
            "source": source,
            "connected": samples.sum("headrace_feed_connected", feed=name) == 1,
            "received": samples.sum("headrace_received_messages_total", feed=name),
            "fates": samples.by("fate", "headrace_messages_total", feed=name),
            "in_flight": samples.sum("headrace_in_flight_messages", feed=name),
            "limit": samples.sum("headrace_in_flight_limit", feed=name),
            "unacknowledged": samples.sum("headrace_unacknowledged_messages", feed=name),
            "oldest": round(samples.sum("headrace_oldest_unsettled_seconds", feed=name), 3),
            "patience": about.patience.get(name, 0.0),
            "stale": samples.sum("headrace_stale_messages_total", feed=name),
            "reconnects": _some(samples.by("reason", "headrace_reconnects_total", feed=name)),
            "sessions_lost": samples.sum("headrace_sessions_lost_total", feed=name),
            "dropped": samples.sum("headrace_datagrams_dropped_total", feed=name),
            "conserved": samples.sum("headrace_conserved", feed=name) == 1,
        }


def _connectors(about: About, samples: Samples, sources: Sources) -> Iterator[dict[str, Any]]:
    heard, letters = sources.newest.heard, sources.letters.by_connector
    costs: dict[str, float] = {}
    for name, seconds in samples.by("connector", "headrace_connector_cpu_seconds_total").items():
        known = about.called.get(name, name)
        costs[known] = costs.get(known, 0.0) + seconds
    for name in dict.fromkeys([*about.connectors, *heard, *letters, *costs]):
        if name:
            yield {
                "name": name,
                "models": about.connectors.get(name, ()),
                "heard": heard.get(name),
                "cpu_seconds": round(costs.get(name, 0.0), 3),
                "dead_letters": letters[name],
            }


def _dead_letters(samples: Samples, letters: Letters) -> Iterator[dict[str, Any]]:
    recent = letters.recent()
    counts = samples.by("reason", "headrace_dead_letters_total")
    for reason, count in sorted(counts.items(), key=lambda each: -each[1]):
        if count:
            feeds = _some(samples.by("feed", "headrace_dead_letters_total", reason=reason))
            explained = _EXPLAINED.get(reason, "")
            yield {
                "reason": reason,
                "explanation": explained,
                "count": count,
                "feeds": feeds,
                "recent": recent.get(reason),
            }


def _topics(samples: Samples) -> Iterator[dict[str, Any]]:
    sizes = samples.by("topic", "headrace_published_bytes_total")
    for topic, records in sorted(samples.by("topic", "headrace_published_records_total").items()):
        yield {"name": topic, "records": records, "bytes": sizes.get(topic, 0)}


def _kafka(samples: Samples) -> dict[str, Any]:
    return {
        "waiting": samples.sum("headrace_publisher_waiting_records"),
        "sent": samples.sum("headrace_publisher_sent_records"),
        "oldest": round(samples.sum("headrace_publisher_oldest_seconds"), 3),
        "failures": _some(samples.by("error", "headrace_publish_failures_total")),
        "refused": _some(samples.by("error", "headrace_refused_records_total")),
        "rebuilds": samples.sum("headrace_producer_rebuilds_total"),
        "bisections": samples.sum("headrace_bisections_total"),
    }


def _raw(metrics: Metrics, samples: Samples) -> Iterator[dict[str, Any]]:
    """Yield what is known of radio: of feeds that bring frames, and of those on which a server tells of uplinks."""
    for feed, ledger in metrics.raw.items():
        busiest = sorted(ledger.gateways, key=ledger.gateways.__getitem__, reverse=True)[:_GATEWAYS]
        yield {
            "feed": feed,
            "gateways": samples.sum("headrace_gateways_heard", feed=feed),
            "busiest": [{"gateway": each, "receptions": ledger.gateways[each]} for each in busiest],
            "rssi": _mean(ledger.rssi),
            "packets": samples.by("kind", "headrace_gateway_packets_total", feed=feed),
            "outcomes": _some(samples.by("outcome", "headrace_raw_frames_total", feed=feed)),
        }
    for feed, radio in metrics.radio.items():
        if feed not in metrics.raw and any(radio.rssi.counts):
            nothing: dict[str, Any] = {"gateways": None, "busiest": [], "packets": {}, "outcomes": {}}
            yield {"feed": feed, "rssi": _mean(radio.rssi), **nothing}


def _mean(spread: Spread) -> float | None:
    count = sum(spread.counts)  # a histogram with negative bounds has none of its own among the samples
    return round(spread.total / count, 1) if count else None


def _some(counts: dict[str, float]) -> dict[str, float]:
    return {name: count for name, count in counts.items() if count}
