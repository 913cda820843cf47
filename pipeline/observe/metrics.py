"""The catalogue of metrics: every one is made here, and nothing else imports prometheus_client.

Counted per batch or chunk, never per message; children of labels are looked up once. Labels are the names of the
configuration and closed lists: never a device, a topic of MQTT, or a text of an error.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from enum import Enum

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from pipeline.core import logs
from pipeline.core.clock import Clock
from pipeline.core.delivery import Fate, Ledger
from pipeline.core.errors import Reason
from pipeline.lorawan.statistics import DeviceFrameStatistics, FrameStatistics, Histogram, RadioStatistics
from pipeline.observe import metrics_devices
from pipeline.observe.health import ConfigStatus

LATENCY_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.015, 0.02, 0.03, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
AGE_BUCKETS = (0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0, 3600.0, 21_600.0, 86_400.0, 604_800.0)
CHUNK_BUCKETS = (1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0, 3000.0)


class TopicMetrics:
    """What happens to the records of one Kafka topic."""

    def __init__(self) -> None:
        self.records = 0
        self.size = 0
        self.latency = Histogram(LATENCY_BUCKETS)
        self.chunks = Histogram(CHUNK_BUCKETS)
        self.age = Histogram(AGE_BUCKETS)


class PublishMetrics:
    """Implements the publisher's events."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.topics: dict[str, TopicMetrics] = {}
        self._failed = Counter(
            "headrace_publish_failures", "Tries to send that failed; another follows.", ["error"], registry=registry
        )
        self._refused = Counter(
            "headrace_refused_records", "Records that Kafka refused for good.", ["error"], registry=registry
        )
        self._rebuilt = Counter(
            "headrace_producer_rebuilds", "Sequences given up for a new producer id.", ["error"], registry=registry
        )
        said = "Partitions of each topic that is written to; when it changes, devices move to others."
        self._partitions = Gauge("headrace_topic_partitions", said, ["topic"], registry=registry)
        self._bisected = Counter("headrace_bisections", "Refused batches cut in halves.", registry=registry)

    def confirmed(
        self, topic: str, records: int, size: int, waits: Iterable[tuple[float, int]], age: float | None = None
    ) -> None:
        """Count a chunk that Kafka holds.

        Args:
            topic: Where it is.
            records: How many it holds.
            size: Its bytes.
            waits: Seconds since receipt, and how many records waited so long.
            age: Seconds since one of them was observed.
        """
        metrics = self.topics.get(topic)
        if metrics is None:
            metrics = self.topics[topic] = TopicMetrics()
        metrics.records += records
        metrics.size += size
        metrics.chunks.observe(float(records))
        for seconds, n in waits:
            metrics.latency.observe(seconds, n)
        if age is not None:
            metrics.age.observe(age)

    def failed(self, topic: str, error: str) -> None:  # noqa: ARG002 - the event's shape
        """Count a try that failed."""
        self._failed.labels(error).inc()

    def refused(self, topic: str, error: str) -> None:  # noqa: ARG002 - the event's shape
        """Count a record that Kafka refused."""
        self._refused.labels(error).inc()

    def rebuilt(self, topic: str, error: str) -> None:  # noqa: ARG002 - the event's shape
        """Count a new producer id."""
        self._rebuilt.labels(error).inc()

    def bisected(self, topic: str) -> None:  # noqa: ARG002 - the event's shape
        """Count a batch cut in halves."""
        self._bisected.inc()

    def partitions(self, topic: str, count: int) -> None:
        """Note how many partitions a topic has."""
        self._partitions.labels(topic).set(count)


class FeedMetrics:
    """Implements the events of one feed."""

    def __init__(self, name: str, families: _FeedFamilies) -> None:
        self._up = families.connected.labels(name)
        self._reconnects = {reason: families.reconnects.labels(name, reason) for reason in families.reasons}
        self._lost = families.sessions_lost.labels(name)
        self._reads = families.reads.labels(name)
        self.is_up = False
        self._up.set(0)

    def connected(self, up: bool) -> None:  # noqa: FBT001 - the event's shape
        """Note that the feed reads, or does not any more."""
        self.is_up = up
        self._up.set(up)

    def reconnecting(self, trouble: Enum) -> None:
        """Count a connection that was lost or did not come about."""
        self._reconnects[trouble.value].inc()

    def session_lost(self) -> None:
        """Count a session that the broker has forgotten."""
        self._lost.inc()

    def batch(self, size: int) -> None:  # noqa: ARG002 - the event's shape
        """Count one read."""
        self._reads.inc()


class DatagramMetrics(FeedMetrics):
    """Implements the events of one feed of datagrams."""

    def __init__(self, name: str, families: _FeedFamilies) -> None:
        super().__init__(name, families)
        self._datagrams = {kind: families.datagrams.labels(name, kind) for kind in families.datagram_kinds}
        self._dropped = families.dropped.labels(name)

    def datagrams(self, seen: Enum, n: int) -> None:
        """Count datagrams of one kind."""
        self._datagrams[seen.value].inc(n)

    def dropped(self, n: int) -> None:
        """Count what never reached us."""
        self._dropped.inc(n)


class _FeedFamilies:
    def __init__(self, registry: CollectorRegistry, reasons: Sequence[str], datagram_kinds: Sequence[str]) -> None:
        self.reasons = reasons
        self.datagram_kinds = datagram_kinds
        self.connected = Gauge("headrace_feed_connected", "1 while the feed reads.", ["feed"], registry=registry)
        self.reconnects = Counter(
            "headrace_reconnects", "Connections lost or not made, by reason.", ["feed", "reason"], registry=registry
        )
        self.sessions_lost = Counter(
            "headrace_sessions_lost", "Sessions that the broker has forgotten.", ["feed"], registry=registry
        )
        self.reads = Counter(
            "headrace_reads", "Reads from the feed that brought messages.", ["feed"], registry=registry
        )
        self.datagrams = Counter(
            "headrace_datagrams", "Datagrams from gateways, by what they are.", ["feed", "kind"], registry=registry
        )
        self.dropped = Counter(
            "headrace_datagrams_dropped", "Datagrams that the kernel had no room for.", ["feed"], registry=registry
        )
        counters = (self.reconnects, self.sessions_lost, self.reads, self.datagrams, self.dropped)
        self.every: tuple[Gauge | Counter, ...] = (self.connected, *counters)


class Metrics:
    """All metrics of one worker.

    Attributes:
        gauges: The publisher's records waiting and sent, and the seconds since the oldest was received.
        lag: Seconds that the event loop is late.
    """

    def __init__(self, version: str, trouble_reasons: Sequence[str], datagram_kinds: Sequence[str] = ()) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        self.ledgers: dict[str, Ledger] = {}
        self.limits: dict[str, int] = {}
        self.raw: dict[str, FrameStatistics] = {}
        self.radio: dict[str, RadioStatistics] = {}
        self.frames = DeviceFrameStatistics()
        self.silent: metrics_devices.Watched = metrics_devices.NoSilenceWatch()
        self.remembered: Sequence[metrics_devices.Places] = ()
        self.store: metrics_devices.Keeps = metrics_devices.NoStore()
        self.publish = PublishMetrics(self.registry)
        self.costs: Mapping[str, float] = {}
        self.slow: Mapping[str, int] = {}
        self.in_force = ConfigStatus()
        self.clock = Clock()
        self.lag: Callable[[], float] = lambda: 0.0
        self.gauges: Callable[[], tuple[int, int, float]] = lambda: (0, 0, 0.0)
        self._families = _FeedFamilies(self.registry, trouble_reasons, datagram_kinds)
        self._dead = Counter(
            "headrace_dead_letters",
            "Dead letters: one a message, or one a record that Kafka refused.",
            ["feed", "reason"],
            registry=self.registry,
        )
        self._dead_by: dict[tuple[str, Reason], Callable[[], None]] = {}
        self.registry.register(_Live(self, version))

    def feed(self, name: str, ledger: Ledger, limit: int) -> FeedMetrics:
        """Return the events of a feed, whose ledger is exported from now on."""
        self._export(name, ledger, limit)
        return FeedMetrics(name, self._families)

    def datagram_feed(self, name: str, ledger: Ledger, limit: int) -> DatagramMetrics:
        """Return the events of a feed of datagrams."""
        self._export(name, ledger, limit)
        return DatagramMetrics(name, self._families)

    def disconnected_for_good(self, name: str) -> None:
        """Stop exporting `feed_connected` for a removed feed, so that it raises no alert."""
        self._families.connected.remove_by_labels({"feed": name})

    def forget(self, name: str) -> None:
        """Export a feed no more that has been removed, and all of whose messages have their fate."""
        self.ledgers.pop(name, None)
        self.limits.pop(name, None)
        self.raw.pop(name, None)
        self.radio.pop(name, None)
        for family in (*self._families.every, self._dead):
            family.remove_by_labels({"feed": name})
        for reason in Reason:
            del self._dead_by[name, reason]

    def _export(self, name: str, ledger: Ledger, limit: int) -> None:
        self.ledgers[name] = ledger
        self.limits[name] = limit
        for reason in Reason:  # a counter that begins with its first event hides that event from `increase`
            self._dead_by[name, reason] = self._dead.labels(name, reason.value).inc

    def dead_lettered(self, feed: str, reason: Reason) -> None:
        """Count a message that became a dead letter, or a record that did."""
        self._dead_by[feed, reason]()

    def samples(self) -> Iterator[tuple[str, Mapping[str, str], float]]:
        """Yield name, labels and value of all that `exposition` tells."""
        for family in self.registry.collect():
            yield from ((sample.name, sample.labels, sample.value) for sample in family.samples)

    def exposition(self) -> tuple[str, bytes]:
        """Return the content type and the text that Prometheus reads."""
        return CONTENT_TYPE_LATEST, generate_latest(self.registry)


def _in_force(config: ConfigStatus) -> Iterator[Metric]:
    yield InfoMetricFamily("headrace_config", "The configuration in force.", {"hash": config.hash})
    reloads = CounterMetricFamily("headrace_config_reloads", "Reloads by outcome.", labels=["outcome"])
    reloads.add_metric(["applied"], config.reloads)
    reloads.add_metric(["refused"], config.refusals)
    yield reloads
    stale = "1 while the file is refused and the configuration before it is in force."
    yield GaugeMetricFamily("headrace_config_stale", stale, value=float(bool(config.refused)))


def _clock(clock: Clock) -> Iterator[Metric]:
    said = "By how much this machine's clock is ahead of Kafka's; no sample while Kafka's time is unknown."
    ahead = GaugeMetricFamily("headrace_clock_ahead_seconds", said)
    if clock.ahead is not None:
        ahead.add_metric([], clock.ahead)
    yield ahead
    said = "1 while this machine's clock is wrong, so that arrival is told by Kafka's, or records have no timestamp."
    yield GaugeMetricFamily("headrace_clock_wrong", said, value=float(bool(clock.problem)))


class _Live(Collector):
    """Metrics that are read where they live, at each scrape, instead of being copied on the hot path."""

    def __init__(self, metrics: Metrics, version: str) -> None:
        self._metrics = metrics
        self._version = version

    def collect(self) -> Iterator[Metric]:
        yield InfoMetricFamily("headrace_build", "What runs.", {"version": self._version})
        yield from _in_force(self._metrics.in_force)
        said = "How late the event loop was at its worst, in the last 15 to 30 s."
        yield GaugeMetricFamily("headrace_event_loop_lag_seconds", said, value=self._metrics.lag())
        yield from _clock(self._metrics.clock)
        said = "Lines of the log that were not written: the reader did not keep up, and the queue was full."
        yield CounterMetricFamily("headrace_log_dropped_lines", said, value=logs.dropped())
        yield from self._conservation()
        yield from self._lanes()
        yield from self._published()
        said = (
            "Processor time of connectors' messages, from decoding to the publisher's queue; extrapolated from samples."
        )
        costs = CounterMetricFamily("headrace_connector_cpu_seconds", said, labels=["connector"])
        for connector, seconds in self._metrics.costs.items():
            costs.add_metric([connector], seconds)
        yield costs
        said = "Messages that held up the event loop for more than 0.25 s in a connector, of those measured."
        slow = CounterMetricFamily("headrace_connector_slow_messages", said, labels=["connector"])
        for connector in self._metrics.costs:
            slow.add_metric([connector], self._metrics.slow.get(connector, 0))
        yield slow
        yield from metrics_devices.collect_frames(self._metrics.raw, self._metrics.radio, self._metrics.frames)
        yield from metrics_devices.collect_silence(self._metrics.silent)
        yield from metrics_devices.collect_state(self._metrics.store, self._metrics.remembered)

    def _conservation(self) -> Iterator[Metric]:
        received = CounterMetricFamily("headrace_received_messages", "Messages received.", labels=["feed"])
        fates = CounterMetricFamily("headrace_messages", "Messages by their fate.", labels=["feed", "fate"])
        flying = GaugeMetricFamily("headrace_in_flight_messages", "Received, no fate yet.", labels=["feed"])
        conserved = GaugeMetricFamily("headrace_conserved", "1 while every message is accounted for.", labels=["feed"])
        for feed, ledger in self._metrics.ledgers.items():
            received.add_metric([feed], ledger.received)
            for fate in Fate:
                fates.add_metric([feed, fate.name.lower()], ledger.fates[fate])
            flying.add_metric([feed], ledger.in_flight())
            conserved.add_metric([feed], float(ledger.conserved()))
        yield from (received, fates, flying, conserved)

    def _lanes(self) -> Iterator[Metric]:
        acked = CounterMetricFamily("headrace_acknowledged_messages", "Acknowledged to the source.", labels=["feed"])
        stale = CounterMetricFamily("headrace_stale_messages", "Settled after their connection.", labels=["feed"])
        waiting = GaugeMetricFamily("headrace_unacknowledged_messages", "A crash would repeat them.", labels=["feed"])
        limit = GaugeMetricFamily("headrace_in_flight_limit", "The feed's max_in_flight.", labels=["feed"])
        oldest = GaugeMetricFamily("headrace_oldest_unsettled_seconds", "Age of the oldest in flight.", labels=["feed"])
        for feed, ledger in self._metrics.ledgers.items():
            acked.add_metric([feed], ledger.acknowledged)
            stale.add_metric([feed], ledger.stale)
            waiting.add_metric([feed], ledger.unacknowledged())
            limit.add_metric([feed], self._metrics.limits[feed])
            oldest.add_metric([feed], ledger.oldest())
        yield from (acked, stale, waiting, limit, oldest)

    def _published(self) -> Iterator[Metric]:
        records = CounterMetricFamily("headrace_published_records", "Records that Kafka confirmed.", labels=["topic"])
        size = CounterMetricFamily("headrace_published_bytes", "Bytes of confirmed batches.", labels=["topic"])
        latency = HistogramMetricFamily(
            "headrace_ingest_latency_seconds", "From receipt to Kafka's confirmation.", labels=["topic"]
        )
        chunks = HistogramMetricFamily("headrace_chunk_records", "Records of a confirmed chunk.", labels=["topic"])
        said = "From observation to Kafka's confirmation, of one record a chunk."
        age = HistogramMetricFamily("headrace_event_age_seconds", said, labels=["topic"])
        for topic, metrics in self._metrics.publish.topics.items():
            records.add_metric([topic], metrics.records)
            size.add_metric([topic], metrics.size)
            latency.add_metric([topic], metrics.latency.cumulative(), metrics.latency.total)
            chunks.add_metric([topic], metrics.chunks.cumulative(), metrics.chunks.total)
            age.add_metric([topic], metrics.age.cumulative(), metrics.age.total)
        waiting, sent, oldest = self._metrics.gauges()
        yield from (records, size, latency, chunks, age)
        yield GaugeMetricFamily("headrace_publisher_waiting_records", "Records that wait to be sent.", value=waiting)
        yield GaugeMetricFamily("headrace_publisher_sent_records", "Records sent, not confirmed.", value=sent)
        yield GaugeMetricFamily("headrace_publisher_oldest_seconds", "Age of the publisher's oldest.", value=oldest)
