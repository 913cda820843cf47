"""What the parts of a configuration must be to each other: rules that no single key can hold."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Final

from pydantic import SecretStr

from pipeline.config.feeds import DeduplicateConfig, FeedConfig, RouteConfig
from pipeline.config.findings import Finding, Place, did_you_mean, one_of
from pipeline.config.kafka import check_topic
from pipeline.config.root import Config
from pipeline.config.used_connectors import UsedConnectorConfig
from pipeline.config.values import Section, spell_seconds
from pipeline.core.addresses import host_port, loopback
from pipeline.core.mqtt_topics import TopicPattern, TopicTree, without_share
from pipeline.models.base import Area, Model

_ACKNOWLEDGED = 0.1  # seconds that Kafka takes to confirm a record, beyond the linger, on an ordinary day


def network_errors(config: Config) -> Iterator[Finding]:
    """Yield what cannot work."""
    for name, feed in config.feeds.items():
        place = ("feeds", name)
        if feed.dialect is None:
            yield from _without_dialect(name, feed)
        elif not feed.brings_frames:
            for key, value in (("deduplicate", feed.deduplicate), ("frames", feed.frames)):
                if value is not None:
                    said = f"means nothing: `{feed.dialect}` has made uplinks of the frames already."
                    yield Finding((*place, key), said, "Remove it.")
        else:
            yield from _window(config, name, feed)


def network_warnings(config: Config) -> Iterator[Finding]:
    """Yield what works, but most likely not as meant."""
    for name, feed in config.feeds.items():
        if feed.brings_frames and not any(device.sessions for device in config.registered):
            said = (
                "brings encrypted frames, and no device of the registry has session keys: each is filtered as unknown."
            )
            fix = "Add `devices: devices.yaml` with the `sessions` of your devices, or listen to the network server."
            yield Finding(("feeds", name), said, fix, severity="warning")


def holds_frames(config: Config) -> bool:
    """Say whether any feed holds raw frames back while their counters cannot be kept."""
    return any(each.frames is not None and each.frames.unkept == "hold" for each in config.feeds.values())


def _without_dialect(name: str, feed: FeedConfig) -> Iterator[Finding]:
    for key, value in (("deduplicate", feed.deduplicate), ("frames", feed.frames), ("prefer", feed.prefer)):
        if value is not None:
            fix = "Remove it, or write the `dialect` of the gateways."
            yield Finding(("feeds", name, key), "means nothing without a `dialect`.", fix)


def _window(config: Config, name: str, feed: FeedConfig) -> Iterator[Finding]:
    """While copies wait for others they have no fate yet: a full lane would stop the feed before a window ends."""
    deduplicate = feed.deduplicate or DeduplicateConfig()
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


_STEPS: Final = 1_000_000
"""After so many a rule looks no further. A topic takes a few, unless wildcards meet thousands of names."""


def topic_errors(name: str, feed: FeedConfig) -> Iterator[Finding]:
    """Yield the routes that repeat an earlier one."""
    seen: dict[Sequence[str], int] = {}
    for at, route in enumerate(feed.routes):
        first = seen.setdefault(tuple(TopicPattern(route.topic).levels), at)
        if first != at:
            place = ("feeds", name, "routes", at, "topic")
            yield Finding(place, f"matches what routes[{first}] matches, which comes first.", "Remove one.")


def topic_warnings(config: Config) -> Iterator[Finding]:
    """Yield what works, but most likely not as meant."""
    for name, feed in config.feeds.items():
        yield from _hidden(name, feed)
        yield from _subscriptions(name, feed)
        yield from _unfed(name, feed)
    yield from _shared_subscriptions(config)


def _hidden(name: str, feed: FeedConfig) -> Iterator[Finding]:
    """Find routes that never get a message: an earlier one takes whatever they match."""
    tree = TopicTree()
    for at, route in enumerate(feed.routes):
        levels = TopicPattern(route.topic).levels
        first = tree.covering(levels)
        tree.add(levels)
        if first is not None:
            said = f"`{route.topic}` never gets a message: routes[{first}], `{feed.routes[first].topic}`, takes all."
            yield _warn_topic(("feeds", name, "routes", at, "topic"), said, "Put it before that one, or remove it.")


def _subscriptions(name: str, feed: FeedConfig) -> Iterator[Finding]:
    tree = TopicTree()
    for at, each in enumerate(feed.subscribe):
        levels = without_share(each).split("/")
        first = tree.meeting(levels) if tree.steps < _STEPS else None
        tree.add(levels)
        if first is not None:
            said = f"`{each}` overlaps with `{feed.subscribe[first]}`: some brokers send what both match twice."
            yield _warn_topic(("feeds", name, "subscribe", at), said, "Make them disjoint, or keep the wider one.")


def _shared_subscriptions(config: Config) -> Iterator[Finding]:
    """Compare each feed with the earlier ones at its broker."""
    brokers: dict[tuple[str, int], tuple[TopicTree, list[str]]] = {}
    for name, feed in config.feeds.items():
        if feed.session is None:
            continue
        tree, owners = brokers.setdefault(feed.session[:2], (TopicTree(), []))
        filters = [without_share(each).split("/") for each in feed.subscribe]
        for each, levels in zip(feed.subscribe, filters, strict=True):
            first = tree.meeting(levels) if tree.steps < _STEPS else None
            if first is not None:
                other = owners[first]
                said = f"`{each}` overlaps with a subscription of `feeds.{other}`: both publish what both receive."
                yield _warn_topic(("feeds", name, "subscribe"), said, "Make them disjoint.")
                break
        for levels in filters:
            tree.add(levels)
            owners.append(name)


def _unfed(name: str, feed: FeedConfig) -> Iterator[Finding]:
    tree = TopicTree(without_share(each).split("/") for each in feed.subscribe)
    subscribed = one_of(feed.subscribe)
    for at, route in enumerate(feed.routes):
        if tree.steps < _STEPS and tree.meeting(TopicPattern(route.topic).levels) is None:
            said = f"`{route.topic}` matches nothing that is subscribed to ({subscribed})."
            yield _warn_topic(("feeds", name, "routes", at, "topic"), said, "Subscribe to it, or remove the route.")


def _warn_topic(place: tuple[str | int, ...], message: str, fix: str) -> Finding:
    return Finding(place, message, fix, severity="warning")


_PLACEHOLDERS = {"change-me", "changeme", "change_me"}
_CLOSED = {"restricted", "confidential"}
_OPEN_LICENCE = re.compile(
    r"https?://(?:www\.)?(?:creativecommons\.org/(?:licenses/by(?:-sa)?|publicdomain)/"
    r"|opendatacommons\.org/licenses/|opensource\.org/licen[cs]es?/|nationalarchives\.gov\.uk/doc/open-government-licence"
    r"|etalab\.gouv\.fr/|govdata\.de/dl-de/|data\.norge\.no/nlod"
    r"|publications\.europa\.eu/resource/authority/licence/(?:CC0|CC_BY(?:SA)?_|ODC_))",
    re.IGNORECASE,
)
"""Licences that allow anyone to use the data, for any purpose; those with NC or ND do not."""


def errors(config: Config, models: Mapping[str, Model], names: frozenset[str]) -> Iterator[Finding]:
    """Yield what makes the configuration unusable.

    names: every connector that the file names, also those that could not be read.
    """
    yield from _kafka(config)
    yield from _admin(config)
    yield from _topics(config)
    yield from _sessions(config)
    yield from _unknown_devices(config)
    yield from _silent_devices(config, models, names)
    for name, feed in config.feeds.items():
        yield from feed.errors(name)
        yield from _routes(config, name, feed, names)
    yield from network_errors(config)
    yield from _streams(config, models)
    yield from _terms(config)
    yield from _one_topic(config)
    yield from _area(config)


def warnings(config: Config) -> Iterator[Finding]:
    """Yield what works, but most likely not as meant."""
    for name, feed in config.feeds.items():
        yield from feed.warnings(name)
    yield from topic_warnings(config)
    yield from network_warnings(config)
    yield from _arrival(config)
    yield from _unused(config)
    yield from _no_terms(config)
    yield from _placeholders(config, ())


def _warning(place: tuple[str | int, ...], message: str, fix: str = "") -> Finding:
    return Finding(place, message, fix, severity="warning")


def _kafka(config: Config) -> Iterator[Finding]:
    kafka = config.kafka
    if kafka.sasl and not kafka.encrypted and not kafka.local and not kafka.allow_plaintext:
        fix = "Write `security_protocol: SASL_SSL`; or `allow_plaintext: true`, if the network may read it."
        rests_on = (("kafka", "bootstrap_servers"), ("kafka", "sasl"))
        said = "would send credentials to another machine without TLS."
        yield Finding(("kafka", "security_protocol"), said, fix, rests_on=rests_on)


def _admin(config: Config) -> Iterator[Finding]:
    host, _ = host_port(config.admin.listen, lowest=0)
    if not loopback(host) and config.admin.token_file is None:
        said = f"`{config.admin.listen}` shows the configuration and the status to every client that reaches it."
        fix = "Write `token_file: FILE` below it, with a token of 16 characters or more; or listen on 127.0.0.1."
        yield Finding(("admin", "listen"), said, fix, rests_on=(("admin", "token_file"),))


def _silent_devices(config: Config, models: Mapping[str, Model], names: frozenset[str]) -> Iterator[Finding]:
    known = [*sorted(names), *config.found.names, *sorted(models)]
    for name in config.silent_devices.intervals:
        if name not in known and config.found.fault(name) is None:
            meant = did_you_mean(name, known)
            fix = f"Did you mean `{meant}`?" if meant else "`headrace connectors list` shows all vendors'."
            yield Finding(("silent_devices", "intervals", name), "is neither a connector nor a model.", fix)


def _topics(config: Config) -> Iterator[Finding]:
    place = ("kafka", "topics", "model")
    dead = config.dead_letter_topic
    for model in config.models:
        name = config.topic(model)
        try:
            check_topic(name)
        except ValueError as problem:
            yield Finding(place, f"gives {name!r} for {model}, which {problem}.")
        if name == dead:
            yield Finding(place, f"gives {name!r}, which is the dead-letter topic.", "Give the two different names.")


def _sessions(config: Config) -> Iterator[Finding]:
    seen: dict[tuple[str, int, str], str] = {}
    for name, feed in config.feeds.items():
        session = feed.session
        if session is None:
            continue
        if session in seen:
            said = f"`{session[2]}` is also the client of `feeds.{seen[session]}` at this broker: each would end the "
            fix = "Give each feed a `client_id` of its own."
            other = seen[session]
            rests_on = (("feeds", name, "url"), ("feeds", other, "url"), ("feeds", other, "client_id"))
            yield Finding(("feeds", name, "client_id"), f"{said}other's session.", fix, rests_on=rests_on)
        seen.setdefault(session, name)


def _unknown_devices(config: Config) -> Iterator[Finding]:
    if config.devices is None and not config.accepts_unknown:
        fix = "Name the registry: `devices: devices.yaml`; or remove this."
        said = "would refuse every device: there is no registry, so all are unknown."
        yield Finding(("unknown_devices",), said, fix, rests_on=(("devices",),))


def _routes(config: Config, name: str, feed: FeedConfig, names: frozenset[str]) -> Iterator[Finding]:
    yield from topic_errors(name, feed)
    for at, route in enumerate(feed.routes):
        place = ("feeds", name, "routes", at)
        if route.connector is None:
            continue
        if route.connector not in names:
            yield Finding(
                (*place, "connector"), f"`{route.connector}` is not under `connectors`.", _meant(route, names)
            )
        elif route.connector in config.connectors:
            yield from _nameless(config, route.connector)
            yield from _level(config, place, route)
            yield from _format(config, place, route)


def _nameless(config: Config, name: str) -> Iterator[Finding]:
    if config.connectors[name].device is None:
        fix = "Add `device: {topic: device}`, a level of the route's topic, or `device: {field: id}`."
        said = "is missing: a route leads here, and nothing says whose its messages are."
        yield Finding(("connectors", name, "device"), said, fix)


def _format(config: Config, place: Place, route: RouteConfig) -> Iterator[Finding]:
    used = config.connectors[str(route.connector)]
    if route.format is not None and isinstance(used, UsedConnectorConfig):
        said = f"means nothing here: `{used.use}` has a decoder of its own."
        yield Finding((*place, "format"), said, "Remove it, or lead the route to a connector of this file.")


def _meant(route: RouteConfig, names: frozenset[str]) -> str:
    meant = did_you_mean(str(route.connector), names)
    return f"Did you mean `{meant}`?" if meant else _there_is(names)


@lru_cache(maxsize=1)
def _there_is(names: frozenset[str]) -> str:
    return f"There is {one_of(sorted(names))}."


def _level(config: Config, place: tuple[str | int, ...], route: RouteConfig) -> Iterator[Finding]:
    device_of = config.connectors[str(route.connector)].device
    wanted = None if device_of is None else device_of.topic
    if wanted and f"{{{wanted}}}" not in route.topic.split("/"):
        source = f"connectors.{route.connector}.device"
        said = f"`{route.topic}` has no level {{{wanted}}}, from which `{source}` takes the name."
        device = ("connectors", str(route.connector), "device")
        fix = f"Write `{{{wanted}}}` for the level that names the device."
        yield Finding((*place, "topic"), said, fix, rests_on=(device,))


def _streams(config: Config, models: Mapping[str, Model]) -> Iterator[Finding]:
    for name in config.streams:
        if models and name not in models:
            meant = did_you_mean(name, models)
            fix = f"Did you mean `{meant}`?" if meant else f"There is {one_of(sorted(models))}."
            yield Finding(("streams", name), "is no model that Headrace knows.", fix)


def _terms(config: Config) -> Iterator[Finding]:
    """Yield terms of use that contradict each other."""
    for name, stream in config.streams.items():
        if stream.classification not in _CLOSED:
            continue
        place, rests_on = ("streams", name), (("streams", name, "classification"),)
        closed = f"contradicts `classification: {stream.classification}`, which keeps the data to a named few."
        if stream.category == "public":
            fix = "Write `category: private` or `commercial`; or `classification: public`."
            yield Finding((*place, "category"), f"`public` {closed}", fix, rests_on=rests_on)
        if stream.licence is not None and _OPEN_LICENCE.match(stream.licence):
            fix = "Name the licence that the readers get, or none; or write `classification: public`."
            said = f"`{stream.licence}` is open to anyone: it {closed}"
            yield Finding((*place, "licence"), said, fix, rests_on=rests_on)


def _one_topic(config: Config) -> Iterator[Finding]:
    """Yield models that share a topic in unlike forms or under unlike terms: a reader of the topic gets both."""
    first: dict[str, str] = {}
    for model in config.models:
        other = first.setdefault(config.topic(model), model)
        if config.stream(other) != config.stream(model):
            said = f"leads {other} and {model} into {config.topic(model)}, and what `streams` says of them differs."
            fix = "Keep `{model}` in the name, or give both models the same form and terms."
            yield Finding(("kafka", "topics", "model"), said, fix, rests_on=(("streams",),))


def _area(config: Config) -> Iterator[Finding]:
    for name, connector in config.connectors.items():
        if config.area is not None and isinstance(connector.location, tuple):
            area, (longitude, latitude) = Area(*config.area), connector.location[:2]
            if not area.holds(longitude, latitude):
                fix = "Mend the location, or widen `area`."
                place = ("connectors", name, "location")
                yield Finding(place, f"{area.refusal(longitude, latitude)}.", fix, rests_on=(("area",),))


def _placeholders(value: object, place: Place) -> Iterator[Finding]:
    """Yield passwords that still read as `headrace init` writes them."""
    if isinstance(value, SecretStr) and value.get_secret_value().lower() in _PLACEHOLDERS:
        yield _warning(place, "is still the placeholder.", "Set the variable that it names, or name a file with it.")
    elif isinstance(value, Section):
        for key in type(value).model_fields:
            yield from _placeholders(getattr(value, key), (*place, key))
    elif isinstance(value, dict):
        for key, each in value.items():
            yield from _placeholders(each, (*place, key))


def _arrival(config: Config) -> Iterator[Finding]:
    for name, feed in config.feeds.items():
        for at, route in enumerate(feed.routes):
            connector = config.connectors.get(route.connector or "")
            if connector and not connector.own_time:
                said = (
                    f"leads to `{route.connector}`, whose readings carry no time: their ids are made from arrival,"
                    " so that a message sent twice cannot be recognised."
                )
                fix = "If the payload has a time, name it: `observed_at: {field: ts, unit: ms}`. Else leave it."
                yield _warning(("feeds", name, "routes", at), said, fix)


def _no_terms(config: Config) -> Iterator[Finding]:
    if config.models and not config.streams:
        said = "is absent, so that every record says `internal` and names neither a licence nor a contact."
        terms = "{classification: public, licence: <URL>, contact: <address>}"
        yield _warning(("streams",), said, f"Write `streams: {{{config.models[0]}: {terms}}}`, and the like by model.")


def _unused(config: Config) -> Iterator[Finding]:
    used = {route.connector for feed in config.feeds.values() for route in feed.routes}
    for name in config.connectors:
        if name not in used and not config.networked:  # a device of a network names its connector itself
            yield _warning(("connectors", name), "is used by no route.", "Add a route to it, or remove it.")
    made = set(config.models)
    for name in config.streams:
        if name not in made:
            yield _warning(("streams", name), "describes a model that no connector makes.")
