"""One message through the stages that a worker has: which feed brings it, the way it takes there, and its end."""

from __future__ import annotations

from typing import Any

from pipeline.build import options as wiring
from pipeline.config.feeds import RouteConfig
from pipeline.config.root import Config
from pipeline.core import times
from pipeline.core.delivery import Message, Stage
from pipeline.core.errors import ConfigError, PayloadError
from pipeline.core.field_path import Fields, lack
from pipeline.core.mqtt_topics import TopicPattern, covers_some
from pipeline.core.record import Record
from pipeline.encode.dead_letter import DeadLetters
from pipeline.normalise.binding import FromField, FromTopic
from pipeline.tools.dry_run import NullEvents
from pipeline.tools.explain.explanation import Explanation, judge, say_when_and_where
from pipeline.tools.explain.fields import of_route, shown
from pipeline.tools.explain.network import Networks


class Routes:
    """The routes of one feed."""

    def __init__(self, config: Config, feed: str) -> None:
        self._config = config
        self._feed = feed

    def stages(self, publisher: Stage[Record], letters: DeadLetters) -> Stage[Message]:
        """Return the first stage, with all behind it up to the publisher."""
        return wiring.router(self._config, self._feed, publisher=publisher, letters=letters, events=NullEvents())

    def describe(self, message: Message, said: Explanation) -> None:
        """Say how the message came to its records."""
        route = self._route(said)
        if route is None or route.connector is None:
            return
        taken = of_route(self._config, self._feed, route, message)
        fields = taken.describe(said)
        if fields is None:
            return
        plan = taken.plans[0]
        source = plan.binding.device
        name: Any = None
        if isinstance(source, FromTopic):
            name, whence = TopicPattern(route.topic).level(source.name, message.topic), f"topic level {{{source.name}}}"
        else:
            name, whence = source.path.find(fields), f"field {source.path.text}"
        try:
            said.device = f"{shown(name)} from {whence} -> {plan.entity(name).id}"
        except PayloadError:
            said.device = f"{_unusable(plan.binding.device, name, fields)}: no usable name"
        say_when_and_where(plan, fields, said)

    def _route(self, said: Explanation) -> RouteConfig | None:
        routes = self._config.feeds[self._feed].routes
        for number, route in enumerate(routes, start=1):
            if TopicPattern(route.topic).matches(said.topic):
                said.route, said.position = route.topic, f"{number} of {len(routes)}"
                said.connector = route.connector
                return route
        return None


def _unusable(source: FromField | FromTopic, name: object, fields: Fields) -> str:
    if isinstance(source, FromTopic):
        return f"topic level {{{source.name}}} is {shown(name)}"
    return lack(source.path, fields) if name is None else f"field {source.path.text} is {shown(name)}"


def explain(config: Config, message: Message, *, feed: str | None = None, partitions: int | None = None) -> Explanation:
    """Say what becomes of one message.

    Args:
        feed: The feed that brings the message; None: the first feed whose subscription matches.
        partitions: Number of partitions of topics that the configuration does not create.

    Raises:
        ConfigError: The configuration has no such feed.
    """
    name = feed or _feed_of(config, message.topic)
    if name not in config.feeds:
        raise ConfigError(f"The configuration has no feed {name}; it has {', '.join(config.feeds)}.")
    brings = next((each for each in config.feeds[name].subscribe if covers_some(each, message.topic)), None)
    arrival = times.text(message.arrival).decode()
    said = Explanation(message.topic, len(message.payload), arrival, name, brings)
    if brings is None:
        said.notes.append("No subscription of the feed takes this topic: the broker would not send the message.")
    said.notes += config.feeds[name].refusals(message.topic)
    if partitions is None and config.kafka.create_topics is not None:
        partitions = config.kafka.create_topics.partitions
    way = Routes(config, name) if config.feeds[name].dialect is None else Networks(config, name)
    judge(config, way.stages, message, said, partitions)
    way.describe(message, said)
    return said


def _feed_of(config: Config, topic: str) -> str:
    for name, feed in config.feeds.items():
        if any(covers_some(each, topic) for each in feed.subscribe):
            return name
    return next(iter(config.feeds))
