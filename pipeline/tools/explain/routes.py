"""The way of a message on a feed with routes: which one takes it, and what its connector finds."""

from __future__ import annotations

from typing import Any

from pipeline.build import options as wiring
from pipeline.config.feeds import Route
from pipeline.config.root import Config
from pipeline.core.delivery import Stage
from pipeline.core.errors import PayloadError
from pipeline.core.field_path import Fields
from pipeline.core.json_words import lack
from pipeline.core.message import Message
from pipeline.core.mqtt_topics import TopicPattern
from pipeline.core.record import Record
from pipeline.encode.dead_letter import DeadLetters
from pipeline.normalise.binding import FromField, FromTopic
from pipeline.tools.dry_run import Deaf
from pipeline.tools.explain import reader
from pipeline.tools.explain.explanation import Explanation
from pipeline.tools.explain.fields import shown
from pipeline.tools.explain.verdict import say_when_and_where


class Routes:
    """The routes of one feed."""

    def __init__(self, config: Config, feed: str) -> None:
        self._config = config
        self._feed = feed

    def stages(self, publisher: Stage[Record], letters: DeadLetters) -> Stage[Message]:
        """Return the first stage, with all behind it up to the publisher."""
        return wiring.router(self._config, self._feed, publisher=publisher, letters=letters, events=Deaf())

    def describe(self, message: Message, said: Explanation) -> None:
        """Say how the message came to its records."""
        route = self._route(said)
        if route is None or route.connector is None:
            return
        taken = reader.of_route(self._config, self._feed, route, message)
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

    def _route(self, said: Explanation) -> Route | None:
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
