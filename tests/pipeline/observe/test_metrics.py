"""The catalogue of metrics: its names are promised, its text is valid, and it counts what it says."""

from enum import Enum
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from pipeline.core.delivery import Fate, Lane, Ledger
from pipeline.core.errors import Reason
from pipeline.core.recent import Room
from pipeline.lorawan.statistics import FrameStatistics, Histogram
from pipeline.observe.metrics import LATENCY_BUCKETS, Metrics

GOLDEN = Path(__file__).parents[1] / "golden" / "metrics.catalogue"


class Trouble(Enum):
    CLOSED = "closed"
    SILENT = "silent"


class Seen(Enum):
    PUSH_DATA = "push_data"
    MALFORMED = "malformed"


def made() -> tuple[Metrics, Ledger]:
    metrics = Metrics("1.2.3", [trouble.value for trouble in Trouble], [seen.value for seen in Seen])
    ledger = Ledger()
    metrics.feed("city", ledger, 5000)
    return metrics, ledger


def samples(metrics: Metrics) -> dict[str, float]:
    kind, text = metrics.exposition()
    assert kind.startswith("text/plain; version=")
    return {
        sample.name + "".join(f",{name}={value}" for name, value in sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def catalogue(metrics: Metrics) -> list[str]:
    """Return one line for each family: its name, type, labels and help."""
    families = text_string_to_metric_families(metrics.exposition()[1].decode())
    lines = []
    for family in families:
        labels = sorted({name for sample in family.samples for name in sample.labels})
        lines.append(f"{family.name} {family.type} ({', '.join(labels)}): {family.documentation}")
    return sorted(line for line in lines if not line.split(" ")[0].endswith("_created"))


def busy() -> tuple[Metrics, Ledger]:
    """Make metrics in which everything that has labels has happened once."""
    metrics, ledger = made()
    feed = metrics.feed("port", Ledger(), 1)
    feed.connected(up=True)
    feed.reconnecting(Trouble.CLOSED)
    feed.session_lost()
    feed.batch(3)
    metrics.dead_lettered("city", Reason.MALFORMED)
    gates = metrics.datagram_feed("gates", Ledger(), 1)
    gates.connected(up=True)
    gates.datagrams(Seen.PUSH_DATA, 3)
    gates.dropped(2)
    metrics.remembered = [Room("topics", 1)]
    metrics.raw["gates"] = FrameStatistics()
    publish = metrics.publish
    publish.confirmed("t.v1", 10, 1234, [(0.004, 7), (0.2, 3)], 3.0)
    metrics.costs = {"city-aq": 0.5}
    publish.partitions("t.v1", 6)
    publish.failed("t.v1", "REQUEST_TIMED_OUT")
    publish.refused("t.v1", "MESSAGE_TOO_LARGE")
    publish.rebuilt("t.v1", "OUT_OF_ORDER_SEQUENCE_NUMBER")
    publish.bisected("t.v1")
    return metrics, ledger


def test_the_catalogue_is_promised() -> None:
    """A name, label or meaning that changes here breaks an operator's dashboard: add, do not rename."""
    assert catalogue(busy()[0]) == GOLDEN.read_text(encoding="utf-8").splitlines()


def test_every_message_is_accounted_for() -> None:
    metrics, ledger = made()
    lane: Lane[None] = Lane(None, 100, ledger=ledger)
    delivery = lane.receive(10, None)
    delivery.seal(Fate.PUBLISHED, 4)
    delivery.seal(Fate.DEAD_LETTERED, 2)

    seen = samples(metrics)
    assert seen["headrace_received_messages_total,feed=city"] == 10
    assert seen["headrace_messages_total,fate=published,feed=city"] == 4
    assert seen["headrace_messages_total,fate=dead_lettered,feed=city"] == 2
    assert seen["headrace_in_flight_messages,feed=city"] == 4
    assert seen["headrace_unacknowledged_messages,feed=city"] == 10
    assert seen["headrace_acknowledged_messages_total,feed=city"] == 0
    assert seen["headrace_oldest_unsettled_seconds,feed=city"] > 0
    assert seen["headrace_conserved,feed=city"] == 1

    delivery.seal(Fate.FILTERED, 4)
    seen = samples(metrics)
    assert seen["headrace_acknowledged_messages_total,feed=city"] == 10
    assert seen["headrace_oldest_unsettled_seconds,feed=city"] == 0


def test_a_message_that_nobody_accounts_for_shows() -> None:
    metrics, ledger = made()
    ledger.received += 1
    assert samples(metrics)["headrace_conserved,feed=city"] == 0


def test_a_lost_connection_makes_messages_stale() -> None:
    metrics, ledger = made()
    lane: Lane[None] = Lane(None, 100, ledger=ledger)
    delivery = lane.receive(3, None)
    lane.close()
    assert samples(metrics)["headrace_unacknowledged_messages,feed=city"] == 0
    delivery.seal(Fate.PUBLISHED, 3)
    seen = samples(metrics)
    assert seen["headrace_stale_messages_total,feed=city"] == 3
    assert seen["headrace_acknowledged_messages_total,feed=city"] == 0
    assert seen["headrace_conserved,feed=city"] == 1


def test_feeds_are_apart_and_their_reasons_are_there_before_they_happen() -> None:
    metrics, _ = busy()
    seen = samples(metrics)
    assert seen["headrace_feed_connected,feed=city"] == 0
    assert seen["headrace_feed_connected,feed=port"] == 1
    assert seen["headrace_reconnects_total,feed=city,reason=closed"] == 0
    assert seen["headrace_reconnects_total,feed=port,reason=closed"] == 1
    assert seen["headrace_reconnects_total,feed=port,reason=silent"] == 0
    assert seen["headrace_in_flight_limit,feed=port"] == 1
    assert seen["headrace_dead_letters_total,feed=city,reason=malformed"] == 1
    assert seen["headrace_feed_connected,feed=gates"] == 1
    assert seen["headrace_datagrams_total,feed=gates,kind=push_data"] == 3
    assert seen["headrace_datagrams_total,feed=gates,kind=malformed"] == 0
    assert seen["headrace_datagrams_dropped_total,feed=gates"] == 2
    assert "headrace_datagrams_dropped_total,feed=city" not in seen


def test_a_feed_that_is_gone_leaves_nothing_behind() -> None:
    metrics, _ = made()
    before = samples(metrics)
    for turn in range(3):
        feed = metrics.datagram_feed("port", Ledger(), 1)
        feed.connected(up=True)
        feed.reconnecting(Trouble.CLOSED)
        feed.session_lost()
        feed.batch(3)
        feed.datagrams(Seen.PUSH_DATA, 1)
        feed.dropped(1)
        metrics.dead_lettered("port", Reason.MALFORMED)
        assert samples(metrics)["headrace_dead_letters_total,feed=port,reason=malformed"] == 1, turn
        metrics.forget("port")
        assert samples(metrics) == before


def test_what_was_published_and_how_long_it_took() -> None:
    metrics, _ = made()
    metrics.publish.confirmed("t.v1", 10, 1234, [(0.004, 7), (0.2, 3)])
    metrics.publish.confirmed("t.v1", 1, 100, [(100.0, 1)])
    seen = samples(metrics)
    assert seen["headrace_published_records_total,topic=t.v1"] == 11
    assert seen["headrace_published_bytes_total,topic=t.v1"] == 1334
    assert seen["headrace_chunk_records_count,topic=t.v1"] == 2
    assert seen["headrace_ingest_latency_seconds_count,topic=t.v1"] == 11
    assert seen["headrace_ingest_latency_seconds_sum,topic=t.v1"] == 7 * 0.004 + 3 * 0.2 + 100
    assert seen["headrace_ingest_latency_seconds_bucket,le=0.0025,topic=t.v1"] == 0
    assert seen["headrace_ingest_latency_seconds_bucket,le=0.005,topic=t.v1"] == 7
    assert seen["headrace_ingest_latency_seconds_bucket,le=0.25,topic=t.v1"] == 10
    assert seen["headrace_ingest_latency_seconds_bucket,le=60.0,topic=t.v1"] == 10
    assert seen["headrace_ingest_latency_seconds_bucket,le=+Inf,topic=t.v1"] == 11


def test_the_publishers_gauges_are_read_at_the_scrape() -> None:
    metrics, _ = made()
    now = [(1, 2, 3.5)]
    metrics.gauges = lambda: now[0]
    assert samples(metrics)["headrace_publisher_oldest_seconds"] == 3.5
    now[0] = (0, 0, 0.0)
    seen = samples(metrics)
    assert seen["headrace_publisher_waiting_records"] == seen["headrace_publisher_sent_records"] == 0
    assert seen["headrace_build_info,version=1.2.3"] == 1


def test_a_value_on_a_bound_counts_below_it() -> None:
    buckets = Histogram([1.0, 3.0])
    for value in (1.0, 1.1, 3.0, 3.1):
        buckets.observe(value)
    assert buckets.cumulative() == [("1.0", 1), ("3.0", 3), ("+Inf", 4)]
    assert list(LATENCY_BUCKETS) == sorted(set(LATENCY_BUCKETS))
