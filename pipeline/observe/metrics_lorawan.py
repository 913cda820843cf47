"""Metrics of raw LoRaWAN frames: what became of them, how well they were heard, and what frame counters tell."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from pipeline.lorawan.radio import Radio
from pipeline.lorawan.statistics import FrameLedger, RawLedger, Spread

_RSSI = "How strongly gateways heard raw frames, and of what network servers tell a sample."
_SNR = "Signal to noise at gateways of raw frames, and of what network servers tell a sample."

_LIMITED = "What gateways told of themselves by datagram and made no record: too often, or too many new names."


def collect(raw: Mapping[str, RawLedger], radio: Mapping[str, Radio], frames: FrameLedger) -> Iterator[Metric]:
    """Yield the families; those of feeds are empty where no feed brings frames or uplinks."""
    outcomes = CounterMetricFamily(
        "headrace_raw_frames", "Raw LoRaWAN frames, by what became of them.", labels=["feed", "outcome"]
    )
    rssi = HistogramMetricFamily("headrace_reception_rssi_dbm", _RSSI, labels=["feed"])
    snr = HistogramMetricFamily("headrace_reception_snr_db", _SNR, labels=["feed"])
    gateways = GaugeMetricFamily("headrace_gateways_heard", "Gateways that brought raw frames.", labels=["feed"])
    packets = CounterMetricFamily(
        "headrace_gateway_packets",
        "Packets by gateways' own account; ok: the checksum was right.",
        labels=["feed", "kind"],
    )
    limited = CounterMetricFamily("headrace_gateway_events_limited", _LIMITED, labels=["feed"])
    for feed, ledger in raw.items():
        limited.add_metric([feed], ledger.gateway_events_limited)
        packets.add_metric([feed, "received"], ledger.packets)
        packets.add_metric([feed, "ok"], ledger.packets_ok)
        for outcome, count in ledger.outcomes.items():
            outcomes.add_metric([feed, outcome.value], count)
        gateways.add_metric([feed], len(ledger.gateways))
    for feed in dict.fromkeys([*raw, *radio]):
        heard = [ledgers[feed] for ledgers in (raw, radio) if feed in ledgers]
        _add(rssi, feed, [each.rssi for each in heard])
        _add(snr, feed, [each.snr for each in heard])
    yield from (outcomes, rssi, snr, gateways, packets, limited)
    counted = CounterMetricFamily(
        "headrace_device_frames",
        "LoRaWAN frames by what the devices' own counters tell; refused: received, and became dead letters.",
        labels=["kind"],
    )
    total = frames.total
    for kind in ("received", "duplicate", "reset", "refused"):
        counted.add_metric([kind], getattr(total, kind))
    yield counted
    missing = "LoRaWAN frames that devices have counted and nobody has heard; one that comes late is taken off."
    yield GaugeMetricFamily("headrace_device_frames_missing", missing, value=total.missing)


def _add(family: HistogramMetricFamily, feed: str, spreads: Sequence[Spread]) -> None:
    """Add a feed's sample: what came straight from gateways, and what a server has told, together."""
    bounds = [*(f"{bound:.1f}" for bound in spreads[0].bounds), "+Inf"]
    counts = accumulate(map(sum, zip(*(each.counts for each in spreads), strict=True)))
    buckets = [(bound, float(count)) for bound, count in zip(bounds, counts, strict=True)]
    family.add_metric([feed], buckets, sum(each.total for each in spreads))
