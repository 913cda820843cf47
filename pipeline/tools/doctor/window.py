"""The in-flight window against the wanted throughput: of one session, throughput = window / time to acknowledge."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil

from pipeline.config.root import Config
from pipeline.tools.doctor.finding import Finding, Severity

_LARGEST = 65_535  # MQTT 5 section 3.1.2.11.3: Receive Maximum
_MOSQUITTO = 20  # its max_inflight_messages, where mosquitto.conf does not say otherwise
_HEADROOM = 2
USUAL_LINGER = 0.01  # seconds; the default


@dataclass(frozen=True, slots=True)
class Delay:
    """Seconds from a message's way out of the broker to its acknowledgement's way in, and how that is known.

    Attributes:
        seconds: All of it.
        how: What it was made of, a phrase.
        linger: Seconds of it that a record may wait for others, by the configuration.
    """

    seconds: float
    how: str
    linger: float = 0.0

    @property
    def mostly_linger(self) -> bool:
        """Whether waiting for more records, longer than is usual, makes up half of it or more."""
        return self.linger > USUAL_LINGER and self.linger >= self.seconds / 2


def delay(config: Config, worker: float | None, kafka: float | None, broker: float | None) -> Delay | None:
    """Return the time to acknowledge, from what could be measured; None if nothing was.

    worker: mean seconds from receipt to confirmation, by its own /metrics. kafka, broker: seconds of a round trip.
    """
    way, linger = broker or 0.0, config.kafka.linger
    if worker is not None:
        how = f"{_ms(worker)} from receipt to confirmation by the worker's own figures, and {_ms(way)} to the broker"
        return Delay(worker + way, how, linger)
    if kafka is None:
        return None
    how = (
        f"at least: linger {_ms(linger)}, {_ms(kafka)} to Kafka and back, {_ms(way)} to the broker and back; "
        "replicas and disks come on top, and only a running worker can tell them"
    )
    return Delay(linger + kafka + way, how, linger)


def judge(config: Config, feed: str, waits: Delay | None, rate: float | None, broker: str) -> Iterator[Finding]:
    """Say what one feed's window allows. rate: messages a second that are wanted; broker: its name, or empty."""
    place = ("feeds", feed, "max_in_flight")
    window = config.feeds[feed].max_in_flight
    if waits is None:
        said = f"feed {feed}: neither broker nor Kafka could be timed, so what {window} in flight allow is unknown."
        yield Finding("mqtt.window", "info", said, place)
        return
    most = window / waits.seconds
    said = f"feed {feed}: {window} in flight / {_ms(waits.seconds)} = {most:,.0f} messages/s ({waits.how})."
    if rate is None:
        yield Finding("mqtt.window", "ok", f"{said} Say with --rate what is wanted.", place)
        return
    if most < rate * _HEADROOM and waits.mostly_linger:
        yield _linger(said, rate, waits, critical=most < rate)
        return
    needed = min(_LARGEST, ceil(rate * waits.seconds * _HEADROOM))
    change = f"max_in_flight: {needed}"
    if most < rate:
        yield Finding("mqtt.window", "critical", f"{said} Wanted: {rate:,g}/s.", place, change)
    elif most < rate * _HEADROOM:
        yield Finding("mqtt.window", "warning", f"{said} Wanted: {rate:,g}/s, with room for a burst.", place, change)
    else:
        yield Finding("mqtt.window", "ok", f"{said} Wanted: {rate:,g}/s.", place)
    yield from _of_the_broker(feed, needed, broker)


def _linger(said: str, rate: float, waits: Delay, *, critical: bool) -> Finding:
    """Say that the window is large enough, but for the time that records wait for others."""
    share = min(1.0, waits.linger / waits.seconds)
    said = f"{said} Wanted: {rate:,g}/s. `linger` is the cause: {_ms(waits.linger)}, {share:.0%} of that time."
    severity: Severity = "critical" if critical else "warning"
    return Finding("kafka.linger", severity, said, ("kafka", "linger"), f"linger: {USUAL_LINGER * 1000:.0f}ms")


def _of_the_broker(feed: str, needed: int, broker: str) -> Iterator[Finding]:
    """Judge the broker's own window, which it never tells."""
    if broker.startswith("mosquitto") and needed > _MOSQUITTO:
        said = (
            f"feed {feed}: {needed} messages must be under way at once. Mosquitto sends {_MOSQUITTO} unacknowledged "
            "ones to a client unless its own setting says otherwise, which it does not tell."
        )
        change = f"max_inflight_messages {needed}"
        yield Finding("mqtt.broker_window", "warning", said, ("feeds", feed, "url"), change, file="mosquitto.conf")


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms"
