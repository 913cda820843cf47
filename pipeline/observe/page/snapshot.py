"""The snapshot: one document of all that the page shows, made once a second for all browsers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from time import time
from typing import Any
from urllib.parse import unquote

from pipeline.config.feeds import DeduplicateConfig
from pipeline.config.root import AnyConnector, Config
from pipeline.config.used_connectors import UsedConnectorConfig
from pipeline.core.clock import CLOCK
from pipeline.core.errors import Reason
from pipeline.devices.registry import Device
from pipeline.devices.silence import SilentDevice
from pipeline.lorawan.statistics import Histogram
from pipeline.observe.metrics import Metrics
from pipeline.observe.page.recent import FigureHistory, LatestEntities, Point, RecentDeadLetters

_PATIENCE = 0.75  # seconds; with one until the next look, what is stuck shows within two


@dataclass(frozen=True, slots=True)
class ConfigSummary:
    """What is told of one configuration.

    Attributes:
        feeds: Kind and source by name.
        connectors: Models by name.
        called: A vendor's, by the operator's name for it.
        patience: Seconds by feed, after which a message that has no fate is late.
        samples: Whether payloads may be shown.
    """

    tenant: str = ""
    feeds: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    connectors: Mapping[str, Sequence[str]] = field(default_factory=dict)
    called: Mapping[str, str] = field(default_factory=dict)
    patience: Mapping[str, float] = field(default_factory=dict)
    samples: bool = False


def about(config: Config) -> ConfigSummary:
    """Read a configuration."""
    return ConfigSummary(
        config.tenant,
        {name: (feed.kind, feed.source) for name, feed in config.feeds.items()},
        {_called(name, connector): connector.models for name, connector in config.connectors.items()},
        {name: each.use for name, each in config.connectors.items() if isinstance(each, UsedConnectorConfig)},
        {name: _patience(config, name) for name in config.feeds},
        config.admin.payload_samples,
    )


def _patience(config: Config, feed: str) -> float:
    """Return how long a message of a feed may wait: as it is told to, and most of a second for Kafka."""
    of = config.feeds[feed]
    window = 0.0 if of.dialect is None else (of.deduplicate or DeduplicateConfig()).window
    return round(_PATIENCE + config.kafka.linger + window, 3)


def _called(name: str, connector: AnyConnector) -> str:
    """Return what records and dead letters call a connector: a vendor's by its own name."""
    return connector.use if isinstance(connector, UsedConnectorConfig) else name


Sample = tuple[str, Mapping[str, str], float]


class Samples:
    """Samples by name, and by name and feed. A counter's name ends in `_total` here."""

    def __init__(self, samples: Iterable[Sample]) -> None:
        self._found: dict[tuple[str, str | None], list[tuple[Mapping[str, str], float]]] = {}
        for name, labels, value in samples:
            self._found.setdefault((name, None), []).append((labels, value))
            if "feed" in labels:
                self._found.setdefault((name, labels["feed"]), []).append((labels, value))

    def by(self, label: str, name: str, feed: str | None = None, **having: str) -> dict[str, float]:
        """Return the sums of the samples that have these labels, by the value of one label."""
        sums: dict[str, float] = {}
        for labels, value in self._found.get((name, feed), ()):
            if label in labels and having.items() <= labels.items():
                sums[labels[label]] = sums.get(labels[label], 0) + value
        return sums

    def sum(self, name: str, feed: str | None = None, **having: str) -> float:
        """Return the sum of the samples that have these labels; 0 if none has."""
        found = self._found.get((name, feed), ())
        return sum(value for labels, value in found if having.items() <= labels.items())


FULL = 0.9  # of a lane
_MANY_SILENT = 0.05  # of the devices
_STEPS = (0.5, 1, 2, 5, 10, 30, 60, 300, 900, 3600)
GOOD = "All is well: every feed is connected, and Kafka takes what comes"


def verdict(told: Mapping[str, Any], points: Sequence[Point]) -> dict[str, Any]:
    """Judge a snapshot.

    Args:
        told: The snapshot so far.
        points: The last five minutes, a point a second.

    Returns:
        `kind` (`good`, `look` or `bad`), `words` (the headline) and `reasons` (sentences).
    """
    bad = list(told["not_ready"])
    if not told["conserved"]:
        bad.append("A message is unaccounted for. Please report it: it is a bug of Headrace.")
    looks = list(_looks(told))
    dead = round(sum(dead_letters for _, _, _, dead_letters, _, _ in points))
    if dead:
        looks.append(f"{dead:,} dead {'letter' if dead == 1 else 'letters'} in the last five minutes: see the reasons.")
    if bad:
        return {"kind": "bad", "words": "Messages do not all flow", "reasons": [*bad, *looks]}
    if looks:
        return {"kind": "look", "words": "Messages flow; something wants a look", "reasons": looks}
    return {"kind": "good", "words": GOOD, "reasons": []}


def _looks(told: Mapping[str, Any]) -> Iterator[str]:
    if told["config_refused"]:
        yield "The configuration file was refused at the last reload; the one before it is in force."
    yield from told["remarks"]
    for feed in told["feeds"]:
        if feed["in_flight"] > FULL * feed["limit"]:
            yield f"The lane of feed {feed['name']} is nearly full: Kafka confirms more slowly than messages come."
        if feed["oldest"] > feed["patience"]:
            waited = _step(feed["oldest"])
            yield f"A message of feed {feed['name']} has waited for more than {waited}: Kafka has not confirmed it."
    gateways, silent = told["devices"]["silent_gateways"], sum(told["devices"]["silent"].values())
    if gateways:
        yield f"{gateways:,.0f} {'gateway is' if gateways == 1 else 'gateways are'} silent."
    known = told["devices"]["seen"] + told["devices"]["silent"].get("never", 0)
    if silent > _MANY_SILENT * known:
        yield f"{silent:,.0f} of {known:,.0f} devices {'is' if silent == 1 else 'are'} silent."


def _step(seconds: float) -> str:
    """Write a duration by steps: a text that changed each second would be read aloud each second."""
    step = max((each for each in _STEPS if each <= seconds), default=0.0)
    return f"{step * 1000:.0f} ms" if step < 1 else f"{step:g} s"


_GATEWAYS = 12
_EXPLAINED = {reason.value: reason.explanation for reason in Reason}


def _no_device(_: str) -> None:
    """Find no device: there is no registry."""


@dataclass(frozen=True, slots=True)
class Sources:
    """Where the page looks.

    Attributes:
        about: The configuration in force.
        not_ready: Why messages do not flow.
        silent: Some of the overdue devices, newest last.
        remarks: Faults to mend although messages flow.
        find: A device of the registry, by any name of it.
    """

    about: Callable[[], ConfigSummary]
    metrics: Metrics
    not_ready: Callable[[], Sequence[str]]
    letters: RecentDeadLetters
    newest: LatestEntities
    silent: Callable[[], Sequence[SilentDevice]]
    remarks: Callable[[], Sequence[str]] = tuple
    find: Callable[[str], Device | None] = _no_device


def snapshot(sources: Sources, history: FigureHistory, started: float) -> dict[str, Any]:
    """Return what the page shows now, as JSON has it.

    Times are milliseconds since 1970, durations seconds, counts those of the process's life; `point` is the newest of
    the history.

    Args:
        started: Seconds since 1970.
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


def _feeds(about: ConfigSummary, samples: Samples) -> Iterator[dict[str, Any]]:
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


def _connectors(about: ConfigSummary, samples: Samples, sources: Sources) -> Iterator[dict[str, Any]]:
    heard, letters = sources.newest.heard, sources.letters.by_connector
    costs, slow = (
        _by_operators_name(about, samples.by("connector", name))
        for name in ("headrace_connector_cpu_seconds_total", "headrace_connector_slow_messages_total")
    )
    for name in dict.fromkeys([*about.connectors, *heard, *letters, *costs]):
        if name:
            yield {
                "name": name,
                "models": about.connectors.get(name, ()),
                "heard": heard.get(name),
                "cpu_seconds": round(costs.get(name, 0.0), 3),
                "slow": slow.get(name, 0.0),
                "dead_letters": letters[name],
            }


def _by_operators_name(about: ConfigSummary, figures: Mapping[str, float]) -> dict[str, float]:
    """Return figures by the name under `connectors` instead of the vendor's."""
    found: dict[str, float] = {}
    for name, figure in figures.items():
        known = about.called.get(name, name)
        found[known] = found.get(known, 0.0) + figure
    return found


def _dead_letters(samples: Samples, letters: RecentDeadLetters) -> Iterator[dict[str, Any]]:
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


def _mean(spread: Histogram) -> float | None:
    count = sum(spread.counts)  # a histogram with negative bounds has none of its own among the samples
    return round(spread.total / count, 1) if count else None


def _some(counts: dict[str, float]) -> dict[str, float]:
    return {name: count for name, count in counts.items() if count}
