"""How the topics of routes and subscriptions meet: what is fed twice, by nothing, or never reached."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from pipeline.config.feeds import MqttFeed
from pipeline.config.findings import Finding, one_of
from pipeline.config.root import Config
from pipeline.config.topics import plain
from pipeline.core.mqtt_topics import TopicPattern, TopicTree

_STEPS: Final = 1_000_000
"""After so many a rule looks no further. A topic takes a few, unless wildcards meet thousands of names."""


def errors(name: str, feed: MqttFeed) -> Iterator[Finding]:
    """Yield the routes that repeat an earlier one."""
    seen: dict[Sequence[str], int] = {}
    for at, route in enumerate(feed.routes):
        first = seen.setdefault(tuple(TopicPattern(route.topic).levels), at)
        if first != at:
            place = ("feeds", name, "routes", at, "topic")
            yield Finding(place, f"matches what routes[{first}] matches, which comes first.", "Remove one.")


def warnings(config: Config) -> Iterator[Finding]:
    """Yield what works, but most likely not as meant."""
    for name, feed in config.mqtt_feeds.items():
        yield from _hidden(name, feed)
        yield from _subscriptions(name, feed)
        yield from _unfed(name, feed)
    yield from _shared_subscriptions(config)


def _hidden(name: str, feed: MqttFeed) -> Iterator[Finding]:
    """Find routes that never get a message: an earlier one takes whatever they match."""
    tree = TopicTree()
    for at, route in enumerate(feed.routes):
        levels = TopicPattern(route.topic).levels
        first = tree.covering(levels)
        tree.add(levels)
        if first is not None:
            said = f"`{route.topic}` never gets a message: routes[{first}], `{feed.routes[first].topic}`, takes all."
            yield _warning(("feeds", name, "routes", at, "topic"), said, "Put it before that one, or remove it.")


def _subscriptions(name: str, feed: MqttFeed) -> Iterator[Finding]:
    tree = TopicTree()
    for at, each in enumerate(feed.subscribe):
        levels = plain(each).split("/")
        first = tree.meeting(levels) if tree.steps < _STEPS else None
        tree.add(levels)
        if first is not None:
            said = f"`{each}` overlaps with `{feed.subscribe[first]}`: some brokers send what both match twice."
            yield _warning(("feeds", name, "subscribe", at), said, "Make them disjoint, or keep the wider one.")


def _shared_subscriptions(config: Config) -> Iterator[Finding]:
    """Compare each feed with the earlier ones at its broker."""
    brokers: dict[tuple[object, ...], tuple[TopicTree, list[str]]] = {}
    for name, feed in config.mqtt_feeds.items():
        tree, owners = brokers.setdefault(feed.broker[1:3], (TopicTree(), []))
        filters = [plain(each).split("/") for each in feed.subscribe]
        for each, levels in zip(feed.subscribe, filters, strict=True):
            first = tree.meeting(levels) if tree.steps < _STEPS else None
            if first is not None:
                other = owners[first]
                said = f"`{each}` overlaps with a subscription of `feeds.{other}`: both publish what both receive."
                yield _warning(("feeds", name, "subscribe"), said, "Make them disjoint.")
                break
        for levels in filters:
            tree.add(levels)
            owners.append(name)


def _unfed(name: str, feed: MqttFeed) -> Iterator[Finding]:
    tree = TopicTree(plain(each).split("/") for each in feed.subscribe)
    subscribed = one_of(feed.subscribe)
    for at, route in enumerate(feed.routes):
        if tree.steps < _STEPS and tree.meeting(TopicPattern(route.topic).levels) is None:
            said = f"`{route.topic}` matches nothing that is subscribed to ({subscribed})."
            yield _warning(("feeds", name, "routes", at, "topic"), said, "Subscribe to it, or remove the route.")


def _warning(place: tuple[str | int, ...], message: str, fix: str) -> Finding:
    return Finding(place, message, fix, severity="warning")
