"""The in-flight window against the wanted throughput: of one session, throughput = window / time to acknowledge."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil

from pipeline.config.root import Config
from pipeline.doctor.finding import Finding

_LARGEST = 65_535  # MQTT 5 section 3.1.2.11.3: Receive Maximum
_MOSQUITTO = 20  # its max_inflight_messages, where mosquitto.conf does not say otherwise
_HEADROOM = 2


@dataclass(frozen=True, slots=True)
class Delay:
    """Seconds from a message's way out of the broker to its acknowledgement's way in, and how that is known."""

    seconds: float
    how: str


def delay(config: Config, worker: float | None, kafka: float | None, broker: float | None) -> Delay | None:
    """Return the time to acknowledge, from what could be measured; None if nothing was.

    worker: mean seconds from receipt to confirmation, by its own /metrics. kafka, broker: seconds of a round trip.
    """
    way = broker or 0.0
    if worker is not None:
        how = f"{_ms(worker)} from receipt to confirmation by the worker's own figures, and {_ms(way)} to the broker"
        return Delay(worker + way, how)
    if kafka is None:
        return None
    linger = config.kafka.linger
    how = (
        f"at least: linger {_ms(linger)}, {_ms(kafka)} to Kafka and back, {_ms(way)} to the broker and back; "
        "replicas and disks come on top, and only a running worker can tell them"
    )
    return Delay(linger + kafka + way, how)


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
    needed = min(_LARGEST, ceil(rate * waits.seconds * _HEADROOM))
    change = f"max_in_flight: {needed}"
    if most < rate:
        yield Finding("mqtt.window", "critical", f"{said} Wanted: {rate:,g}/s.", place, change)
    elif most < rate * _HEADROOM:
        yield Finding("mqtt.window", "warning", f"{said} Wanted: {rate:,g}/s, with room for a burst.", place, change)
    else:
        yield Finding("mqtt.window", "ok", f"{said} Wanted: {rate:,g}/s.", place)
    yield from _of_the_broker(feed, needed, broker)


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
