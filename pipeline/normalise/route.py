"""The route stage: by its topic, a message goes to the decode stage of its route.

Messages of one route go on together. Those of routes that lead to one model may be of one entity, whose records must
stay in order: they go on together only as far as no message of the other route is between them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.core.delivery import INVALID_TOPIC, Batch, Fate, Message, PassThrough, Stage
from pipeline.core.errors import PayloadError, Reason
from pipeline.core.mqtt_topics import TopicPattern, TopicTree
from pipeline.core.recent import MOST_NAMES, Recent, Room
from pipeline.encode.dead_letter import Refusals, invalid_topic

TOPICS = MOST_NAMES
"""How many topics are always known, of all feeds together."""
LONGEST_KEPT = 200
"""Characters; a longer topic is resolved each time, so that no sender can fill the memory."""


@dataclass(frozen=True, slots=True)
class Route:
    """A topic pattern and the stage that takes its messages; None: they are filtered, as the config says.

    Attributes:
        models: Of the entities that become of them, Device among them where messages tell something of the device.
    """

    pattern: TopicPattern
    stage: Stage[Message] | None
    models: frozenset[str] = frozenset()


class Router(PassThrough[Message]):
    """Sorts a feed's messages by route; the first route that matches takes the message."""

    def __init__(self, routes: Sequence[Route], refusals: Refusals, room: Room | None = None) -> None:
        self._routes = routes
        self._tree = TopicTree(route.pattern.levels for route in routes)
        self._refusals = refusals
        self._ignore: Stage[Message] = _Ignore()
        self._unrouted: Stage[Message] = _Unrouted(self)
        self._known: Recent[str, Stage[Message]] = Recent(room or Room("topics", TOPICS))
        self._meeting = _meeting(routes)

    def put(self, batch: Batch[Message]) -> None:
        """Pass the messages on in runs of one route each, so that no entity's messages overtake each other."""
        known, meeting = self._known.young, self._meeting
        runs: list[tuple[Stage[Message], list[Message]]] = []
        latest: dict[object, tuple[Stage[Message], list[Message]]] = {}  # by stage, or by what it has in common
        last: Stage[Message] | None = None
        group: list[Message] = []
        for message in batch.items:
            stage = known.get(message[0]) or self._resolve(message.topic)  # by place: a third of the time
            if stage is not last:
                last, place = stage, meeting.get(stage, stage)
                run = latest.get(place)
                if run is None or run[0] is not stage:
                    run = latest[place] = stage, []
                    runs.append(run)
                group = run[1]
            group.append(message)
        for stage, messages in runs:
            stage.put(Batch(batch.delivery, messages))

    def _resolve(self, topic: str) -> Stage[Message]:
        if (known := self._known.get(topic)) is not None:
            return known
        number = None if topic.startswith(INVALID_TOPIC) else self._tree.first(topic)
        stage = self._unrouted if number is None else self._routes[number].stage or self._ignore
        if len(topic) <= LONGEST_KEPT:
            self._known.put(topic, stage)
        return stage

    def refuse(self, batch: Batch[Message]) -> None:
        """Make dead letters of messages that no route takes."""
        for message in batch.items:
            self._refusals.refuse(batch.delivery, message, _why(self._refusals.feed, message), "route")


def _meeting(routes: Sequence[Route]) -> dict[Stage[Message], object]:
    """Return what stages have in common that may make records of one entity; those that share nothing are left out.

    An entity's id begins with its model, so that routes meet by models: directly, or over a third one's.
    """
    heads: dict[str, str] = {}  # of each model: another that is reached from it, or itself

    def head(model: str) -> str:
        while heads.setdefault(model, model) != model:
            model = heads[model]
        return model

    for route in routes:
        for model in route.models:
            heads[head(model)] = head(min(route.models))
    common = {route.stage: head(min(route.models)) for route in routes if route.stage is not None and route.models}
    shared = Counter(common.values())
    return {stage: model for stage, model in common.items() if shared[model] > 1}


class _Ignore(PassThrough[Message]):
    def put(self, batch: Batch[Message]) -> None:
        batch.delivery.seal(Fate.FILTERED, len(batch.items))


class _Unrouted(_Ignore):
    def __init__(self, router: Router) -> None:
        self._router = router

    def put(self, batch: Batch[Message]) -> None:
        self._router.refuse(batch)


def _why(feed: str, message: Message) -> PayloadError:
    if not message.topic.isprintable() or INVALID_TOPIC in message.topic:
        return invalid_topic(message)
    return PayloadError(f"No route of the feed {feed} matches the topic.", Reason.NO_ROUTE)
