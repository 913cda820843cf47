"""Rules of feeds on which a LoRaWAN network server or gateways speak."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.config.dialects import AUTO, Deduplicate, dialects
from pipeline.config.feeds import MqttFeed
from pipeline.config.feeds_udp import SemtechUdpFeed
from pipeline.config.findings import Finding
from pipeline.config.root import Config
from pipeline.config.values import spell_seconds

_ACKNOWLEDGED = 0.1  # seconds that Kafka takes to confirm a record, beyond the linger, on an ordinary day


def errors(config: Config) -> Iterator[Finding]:
    """Yield what cannot work."""
    for name, feed in config.feeds.items():
        place = ("feeds", name)
        if feed.dialect is None:
            yield from _without_dialect(name, feed)
        elif not raw(feed):
            for key, value in (("deduplicate", feed.deduplicate), ("frames", feed.frames)):
                if value is not None:
                    said = f"means nothing: `{feed.dialect}` has made uplinks of the frames already."
                    yield Finding((*place, key), said, "Remove it.")
        else:
            yield from _window(config, name, feed)


def warnings(config: Config) -> Iterator[Finding]:
    """Yield what works, but most likely not as meant."""
    for name, feed in config.feeds.items():
        if raw(feed) and not any(device.sessions for device in config.registered):
            said = (
                "brings encrypted frames, and no device of the registry has session keys: each is filtered as unknown."
            )
            fix = "Add `devices: devices.yaml` with the `sessions` of your devices, or listen to the network server."
            yield Finding(("feeds", name), said, fix, severity="warning")


def raw(feed: MqttFeed | SemtechUdpFeed) -> bool:
    """Say whether a feed brings frames straight from gateways."""
    if isinstance(feed, SemtechUdpFeed):
        return True
    return feed.dialect not in {None, AUTO} and dialects()[str(feed.dialect)].raw


def holds_frames(config: Config) -> bool:
    """Say whether any feed holds raw frames back while their counters cannot be kept."""
    return any(each.frames is not None and each.frames.unkept == "hold" for each in config.feeds.values())


def _without_dialect(name: str, feed: MqttFeed | SemtechUdpFeed) -> Iterator[Finding]:
    for key, value in (("deduplicate", feed.deduplicate), ("frames", feed.frames), ("prefer", feed.prefer)):
        if value is not None:
            fix = "Remove it, or write the `dialect` of the gateways."
            yield Finding(("feeds", name, key), "means nothing without a `dialect`.", fix)


def _window(config: Config, name: str, feed: MqttFeed | SemtechUdpFeed) -> Iterator[Finding]:
    """While copies wait for others they have no fate yet: a full lane would stop the feed before a window ends."""
    deduplicate = feed.deduplicate or Deduplicate()
    seconds = deduplicate.window + config.kafka.linger + _ACKNOWLEDGED
    needed = round(deduplicate.rate * seconds)
    if feed.max_in_flight >= needed:
        return
    said = (
        f"{feed.max_in_flight} cannot hold {deduplicate.rate:g} copies a second for {spell_seconds(deduplicate.window)}"
        f" (deduplicate) and until Kafka has confirmed them: that is {needed}."
    )
    fix = f"Write `max_in_flight: {needed}`, a shorter `window`, or the `rate` that you really expect."
    yield Finding(("feeds", name, "max_in_flight"), said, fix, rests_on=(("feeds", name, "deduplicate"),))
