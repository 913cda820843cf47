"""The route stage: by its topic, a message goes to the decode stage of its route."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.delivery import Batch, Fate, Stage
from pipeline.errors import PayloadError, Reason
from pipeline.message import INVALID_TOPIC, Message
from pipeline.refusals import Refusals, invalid_topic
from pipeline.topics import TopicPattern

_KEPT_TOPICS = 131_072
_LONGEST_KEPT = 200  # characters; a longer topic is resolved each time, so that nobody can fill the memory


@dataclass(frozen=True, slots=True)
class Route:
    """A topic pattern and the stage that takes its messages; None: they are filtered, as the config says."""

    pattern: TopicPattern
    stage: Stage[Message] | None


class Router(Stage[Message]):
    """Sorts a feed's messages by route; the first route that matches takes the message."""

    def __init__(self, routes: Sequence[Route], refusals: Refusals) -> None:
        self._routes = routes
        self._refusals = refusals
        self._ignore: Stage[Message] = _Ignore()
        self._unrouted: Stage[Message] = _Unrouted(self)
        self._known: dict[str, Stage[Message]] = {}

    def put(self, batch: Batch[Message]) -> None:
        """Pass the messages on, those of one route together and in order."""
        known = self._known
        groups: dict[Stage[Message], list[Message]] = {}
        last: Stage[Message] | None = None
        group: list[Message] = []
        for message in batch.items:
            stage = known.get(message[0]) or self._resolve(message.topic)  # by place: a third of the time
            if stage is not last:
                last, group = stage, groups.setdefault(stage, [])
            group.append(message)
        for stage, messages in groups.items():
            stage.put(Batch(batch.delivery, messages))

    def kept(self) -> int:
        """Nothing stays here."""
        return 0

    async def drain(self, deadline: float) -> None:
        """Nothing stays here."""

    def _resolve(self, topic: str) -> Stage[Message]:
        route = None
        if not topic.startswith(INVALID_TOPIC):
            route = next((route for route in self._routes if route.pattern.matches(topic)), None)
        stage = self._unrouted if route is None else route.stage or self._ignore
        if len(topic) <= _LONGEST_KEPT:
            if len(self._known) >= _KEPT_TOPICS:
                self._known.clear()
            self._known[topic] = stage
        return stage

    def refuse(self, batch: Batch[Message]) -> None:
        """Make dead letters of messages that no route takes."""
        for message in batch.items:
            self._refusals.refuse(batch.delivery, message, _why(self._refusals.feed, message), "route")


class _Ignore(Stage[Message]):
    def put(self, batch: Batch[Message]) -> None:
        batch.delivery.seal(Fate.FILTERED, len(batch.items))

    def kept(self) -> int:
        return 0

    async def drain(self, deadline: float) -> None:
        pass


class _Unrouted(_Ignore):
    def __init__(self, router: Router) -> None:
        self._router = router

    def put(self, batch: Batch[Message]) -> None:
        self._router.refuse(batch)


def _why(feed: str, message: Message) -> PayloadError:
    if not message.topic.isprintable() or INVALID_TOPIC in message.topic:
        return invalid_topic(message)
    return PayloadError(f"No route of the feed {feed} matches the topic.", Reason.NO_ROUTE)
