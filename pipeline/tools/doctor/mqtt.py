"""What an MQTT broker tells a visitor: how fast it answers, and what stands below `$SYS`, where it has that tree."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil

from pipeline.build.feed_kinds import VERSION, BrokerFacts
from pipeline.config.root import Config
from pipeline.tools.doctor.finding import Judgement, Severity

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

    Args:
        worker: Mean seconds from receipt to confirmation, by its own /metrics.
        kafka: Seconds of a round trip to Kafka.
        broker: Seconds of a round trip to the MQTT broker.
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


def judge_window(
    config: Config, feed: str, waits: Delay | None, rate: float | None, broker: str
) -> Iterator[Judgement]:
    """Say what one feed's window allows.

    Args:
        rate: Messages a second that are wanted.
        broker: Its name, or empty.
    """
    place = ("feeds", feed, "max_in_flight")
    window = config.feeds[feed].max_in_flight
    if waits is None:
        said = f"feed {feed}: neither broker nor Kafka could be timed, so what {window} in flight allow is unknown."
        yield Judgement("mqtt.window", "info", said, place)
        return
    most = window / waits.seconds
    said = f"feed {feed}: {window} in flight / {_ms(waits.seconds)} = {most:,.0f} messages/s ({waits.how})."
    if rate is None:
        yield Judgement("mqtt.window", "ok", f"{said} Say with --rate what is wanted.", place)
        return
    if most < rate * _HEADROOM and waits.mostly_linger:
        yield _linger(said, rate, waits, critical=most < rate)
        return
    needed = min(_LARGEST, ceil(rate * waits.seconds * _HEADROOM))
    change = f"max_in_flight: {needed}"
    if most < rate:
        yield Judgement("mqtt.window", "critical", f"{said} Wanted: {rate:,g}/s.", place, change)
    elif most < rate * _HEADROOM:
        yield Judgement("mqtt.window", "warning", f"{said} Wanted: {rate:,g}/s, with room for a burst.", place, change)
    else:
        yield Judgement("mqtt.window", "ok", f"{said} Wanted: {rate:,g}/s.", place)
    yield from _of_the_broker(feed, needed, broker)


def _linger(said: str, rate: float, waits: Delay, *, critical: bool) -> Judgement:
    """Say that the window is large enough, but for the time that records wait for others."""
    share = min(1.0, waits.linger / waits.seconds)
    said = f"{said} Wanted: {rate:,g}/s. `linger` is the cause: {_ms(waits.linger)}, {share:.0%} of that time."
    severity: Severity = "critical" if critical else "warning"
    return Judgement("kafka.linger", severity, said, ("kafka", "linger"), f"linger: {USUAL_LINGER * 1000:.0f}ms")


def _of_the_broker(feed: str, needed: int, broker: str) -> Iterator[Judgement]:
    """Judge the broker's own window, which it never tells."""
    if broker.startswith("mosquitto") and needed > _MOSQUITTO:
        said = (
            f"feed {feed}: {needed} messages must be under way at once. Mosquitto sends {_MOSQUITTO} unacknowledged "
            "ones to a client unless its own setting says otherwise, which it does not tell."
        )
        change = f"max_inflight_messages {needed}"
        yield Judgement("mqtt.broker_window", "warning", said, ("feeds", feed, "url"), change, file="mosquitto.conf")


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms"


# Mosquitto tells a figure when it changes and lets it expire after a minute; the rate goes on changing for a while.
_DROPPED = "$SYS/broker/publish/messages/dropped"
_DROPPING = "$SYS/broker/load/publish/dropped/15min"


def judge_broker(name: str, facts: BrokerFacts | None) -> Iterator[Judgement]:
    """Say what the broker's own figures tell of its queues and of what outlives it."""
    place = ("feeds", name, "url")
    if facts is None:
        return  # that it cannot be reached is said by the trial of the feed
    if not facts.tree:
        said = (
            f"feed {name}: the broker shows no `$SYS/broker/` to this user: queue limits and persistence are unknown."
        )
        yield Judgement(
            "mqtt.queues", "info", said, place, "Look at the limits of queues, and what outlives a restart."
        )
        return
    yield _dropped(name, facts)
    said = (
        f"feed {name}: {facts.tree.get(VERSION) or 'the broker'} tells neither its queue limits nor its persistence: "
        "without it a restart of the broker loses what waits, beyond 1,000 messages a session it drops."
    )
    lines = "persistence true, autosave_interval 10, max_queued_messages 0, max_queued_bytes 268435456"
    yield Judgement("mqtt.persistence", "info", said, place, lines, file="mosquitto.conf")


def _dropped(name: str, facts: BrokerFacts) -> Judgement:
    place = ("feeds", name, "url")
    count, rate = (_number(facts.tree.get(topic)) for topic in (_DROPPED, _DROPPING))
    if count or rate:
        how = f"{count:,.0f} messages ({_DROPPED})" if count else f"{rate:.2f} messages a minute lately ({_DROPPING})"
        said = f"feed {name}: queues were full, and the broker has dropped {how}."
        return Judgement("mqtt.queues", "critical", said, place, "max_queued_messages 0", file="mosquitto.conf")
    if count == 0:
        return Judgement(
            "mqtt.queues", "ok", f"feed {name}: the broker has dropped no message since it started.", place
        )
    said = f"feed {name}: the broker does not say how many messages it has dropped."
    if facts.name.startswith("mosquitto"):
        said = (
            f"feed {name}: the broker has dropped no message in the last minute; what was before that it does not say."
        )
    return Judgement("mqtt.queues", "info", said, place)


def _number(told: str | None) -> float | None:
    text = (told or "").strip()
    return float(text) if re.fullmatch(r"[0-9]{1,18}(\.[0-9]{1,9})?", text, re.ASCII) else None
