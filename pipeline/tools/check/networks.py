"""What `headrace check` says of feeds with a dialect: what is heard there, whose it is, and who decodes it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from pipeline.config import vendors
from pipeline.config.dialects import AUTO, Deduplicate, FramePolicy, chosen
from pipeline.config.feeds import MqttFeed
from pipeline.config.feeds_udp import SemtechUdpFeed
from pipeline.config.network_rules import raw
from pipeline.config.root import Config
from pipeline.config.used import UsedConnector
from pipeline.config.values import spell_seconds

DEVICE_OF = "the DevEUI that the network tells, or its key in the registry"
_SHOWN = 12


@dataclass(frozen=True, slots=True)
class Listening:
    """One feed. source: where it listens. frames: what becomes of raw frames; empty where a server sends uplinks.

    connectors: how many devices of the registry have each. others: what becomes of devices that have none, or are not
    in the registry.
    """

    feed: str
    dialect: str
    source: str
    frames: tuple[str, ...]
    connectors: Mapping[str, int]
    others: str
    prefer: str | None
    events: str


def listenings(config: Config) -> list[Listening]:
    """Return what each feed with a dialect will do."""
    counted = Counter(device.connector for device in config.registered if device.connector is not None)
    return [
        Listening(
            feed=name,
            dialect=str(feed.dialect),
            source=_source(feed),
            frames=tuple(_frames(config, feed)) if raw(feed) else (),
            connectors=dict(sorted(counted.items())),
            others=_others(config),
            prefer=feed.prefer,
            events=config.device_events_topic,
        )
        for name, feed in config.feeds.items()
        if feed.dialect is not None
    ]


def lines(said: Listening) -> Iterator[str]:
    """Yield the same for a person."""
    yield f"{said.feed}: dialect {said.dialect}{f' ({_auto()})' if said.dialect == AUTO else ''}"
    yield f"    from      {said.source}"
    yield from (f"    frames    {each}" for each in said.frames)
    named = list(said.connectors.items())
    for name, count in named[:_SHOWN]:
        yield f"    devices   {count:,} with {name}"
    if len(named) > _SHOWN:
        yield f"    devices   and {len(named) - _SHOWN} connectors more"
    yield f"    others    {said.others}"
    if said.prefer is not None:
        yield f"    prefer    {said.prefer}, where a device is heard through a server and raw"
    yield f"    events    joins, status and their equals -> {said.events}"


def registered(config: Config) -> dict[str, UsedConnector]:
    """Return the vendors' connectors that devices of the registry name, and that have no entry under `connectors`."""
    if not config.networked:
        return {}
    named = dict.fromkeys(device.connector for device in config.registered if device.connector is not None)
    found = {name: vendors.alone(name, config.found) for name in named if name not in config.connectors}
    return {name: used for name, used in found.items() if used is not None}


def heard(config: Config, names: Iterable[str]) -> set[str]:
    """Return which of the connectors decode what networks bring: no route leads to them."""
    routed = {route.connector for feed in config.feeds.values() for route in feed.routes}
    return set(names) - routed if config.networked else set()


def _source(feed: MqttFeed | SemtechUdpFeed) -> str:
    if isinstance(feed, SemtechUdpFeed):
        gateways = f"listed gateways only: {len(feed.gateways)}" if feed.gateways else "any gateway"
        return f"{feed.listen} (UDP), {gateways}"
    return f"{feed.url}, {', '.join(feed.subscribe)}"


def _frames(config: Config, feed: MqttFeed | SemtechUdpFeed) -> Iterator[str]:
    with_sessions = sum(bool(device.sessions) for device in config.registered)
    yield f"those of {with_sessions:,} with session keys are decrypted; Headrace sends no downlink"
    yield f"copies of other gateways are waited for {spell_seconds((feed.deduplicate or Deduplicate()).window)}"
    policy = feed.frames or FramePolicy()
    for what, fate in (("of unknown DevAddr", policy.unknown), ("with a wrong MIC", policy.wrong_mic)):
        yield f"those {what}: {_FATES[fate]}"
    replays = "taken for a device that was reset" if policy.reset == "accept" else _FATES[policy.replay]
    yield f"those whose counter went back: {replays}"


def _others(config: Config) -> str:
    if not config.accepts_unknown:
        return "become dead letters (device_unknown, connector_unknown)"
    there = len(config.connectors) + len(config.found.names)
    return f"are accepted, if the server's tag, brand and model, or device profile names one of {there} connectors"


def _auto() -> str:
    return f"one of {len(chosen(AUTO))}, recognised by shape"


_FATES = {"filter": "filtered, counted", "dead_letter": "dead letters"}
