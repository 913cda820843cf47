"""Metrics of raw LoRaWAN frames: what became of them, how well they were heard, and what frame counters tell."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import accumulate

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from pipeline.lorawan.ledger import FrameLedger, RawLedger, Spread


def collect(raw: Mapping[str, RawLedger], frames: FrameLedger) -> Iterator[Metric]:
    """Yield the families; those of feeds are empty where no feed brings frames."""
    outcomes = CounterMetricFamily(
        "headrace_raw_frames", "Raw LoRaWAN frames, by what became of them.", labels=["feed", "outcome"]
    )
    rssi = HistogramMetricFamily(
        "headrace_reception_rssi_dbm", "How strongly gateways heard raw frames.", labels=["feed"]
    )
    snr = HistogramMetricFamily(
        "headrace_reception_snr_db", "Signal to noise of raw frames at gateways.", labels=["feed"]
    )
    gateways = GaugeMetricFamily("headrace_gateways_heard", "Gateways that brought raw frames.", labels=["feed"])
    packets = CounterMetricFamily(
        "headrace_gateway_packets",
        "Packets by gateways' own account; ok: the checksum was right.",
        labels=["feed", "kind"],
    )
    for feed, ledger in raw.items():
        packets.add_metric([feed, "received"], ledger.packets)
        packets.add_metric([feed, "ok"], ledger.packets_ok)
        for outcome, count in ledger.outcomes.items():
            outcomes.add_metric([feed, outcome.value], count)
        rssi.add_metric([feed], _buckets(ledger.rssi), ledger.rssi.total)
        snr.add_metric([feed], _buckets(ledger.snr), ledger.snr.total)
        gateways.add_metric([feed], len(ledger.gateways))
    yield from (outcomes, rssi, snr, gateways, packets)
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


def _buckets(spread: Spread) -> list[tuple[str, float]]:
    bounds = [*(f"{bound:.1f}" for bound in spread.bounds), "+Inf"]
    return [(bound, float(count)) for bound, count in zip(bounds, accumulate(spread.counts), strict=True)]
