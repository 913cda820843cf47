"""Metrics of devices and of what is kept of them: frames, silence, state."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Protocol

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from pipeline.devices.silence import SilenceCounts
from pipeline.lorawan.statistics import DeviceFrameStatistics, FrameStatistics, RadioStatistics

_RSSI = "How strongly gateways heard raw frames, and of what network servers tell a sample."
_SNR = "Signal to noise at gateways of raw frames, and of what network servers tell a sample."

_LIMITED = "What gateways told of themselves by datagram and made no record: too often, or too many new names."


def collect_frames(
    raw: Mapping[str, FrameStatistics], radio: Mapping[str, RadioStatistics], frames: DeviceFrameStatistics
) -> Iterator[Metric]:
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
        heard = [ledgers[feed] for ledgers in (raw, radio) if feed in ledgers]  # from gateways, and as a server tells
        for family, counts in ((rssi, [each.rssi for each in heard]), (snr, [each.snr for each in heard])):
            both = sum(counts[1:], counts[0])
            family.add_metric([feed], both.cumulative(), both.total)
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
    missing = "LoRaWAN frames that devices have counted and no feed has received; a late frame is subtracted."
    yield GaugeMetricFamily("headrace_device_frames_missing", missing, value=total.missing)


class _Group(Protocol):
    @property
    def counts(self) -> SilenceCounts: ...


class Watched(Protocol):
    """What was found at the last look."""

    @property
    def devices(self) -> _Group:
        """The devices."""

    @property
    def gateways(self) -> _Group:
        """The gateways."""


class _None:
    counts = SilenceCounts()


class NoSilenceWatch:
    """The watch of a worker that watches no device."""

    devices = gateways = _None()


def collect_silence(watched: Watched) -> Iterator[Metric]:
    """Yield the families."""
    seen = "Devices that have been heard of, and not been silent for a week where no registry has them."
    yield GaugeMetricFamily("headrace_devices_seen", seen, value=watched.devices.counts.seen)
    for what, each in (("devices", watched.devices), ("gateways", watched.gateways)):
        said = f"Overdue {what}, by how long they have been silent: at most so long, longer, or never heard."
        family = GaugeMetricFamily(f"headrace_{what}_silent", said, labels=["age"])
        for age, count in each.counts.silent.items():
            family.add_metric([age], count)
        yield family


_KNOWN = "Names that are remembered and were looked up recently."
_FORGOTTEN = "Names forgotten because there were too many; of `seen`, also devices whose silence is noticed no more."


class Keeps(Protocol):
    """What outlives the process: pipeline/state/store.py."""

    @property
    def trouble(self) -> str:
        """Why it does not now; empty while it does."""

    @property
    def failures(self) -> int:
        """How many writes have failed."""


class NoStore:
    """Keeps nothing, and is meant to."""

    trouble = ""
    failures = 0


class Places(Protocol):
    """What is remembered by name: a `Room` (core/recent.py), or the devices expected to speak (devices/silence.py)."""

    kind: str
    places: int
    forgotten: int

    @property
    def young(self) -> int:
        """The number of remembered names that were looked up recently."""


def collect_state(store: Keeps, remembered: Iterable[Places]) -> Iterator[Metric]:
    """Yield the families."""
    known = GaugeMetricFamily("headrace_remembered_names", _KNOWN, labels=["what"])
    places = GaugeMetricFamily("headrace_remembered_limit", "How many are always remembered.", labels=["what"])
    forgotten = CounterMetricFamily("headrace_forgotten_names", _FORGOTTEN, labels=["what"])
    for each in remembered:
        known.add_metric([each.kind], each.young)
        places.add_metric([each.kind], each.places)
        forgotten.add_metric([each.kind], each.forgotten)
    yield from (known, places, forgotten)
    failing = "1 while the state folder cannot be written: what is learned does not outlive the process."
    yield GaugeMetricFamily("headrace_state_failing", failing, value=float(bool(store.trouble)))
    yield CounterMetricFamily("headrace_state_write_failures", "Writes of state that failed.", value=store.failures)
