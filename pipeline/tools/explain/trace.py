"""One message through the stages that a worker has: which feed brings it, the way it takes there, and its end."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.config.feeds import MqttFeed
from pipeline.config.feeds_udp import SemtechUdpFeed
from pipeline.config.root import Config
from pipeline.config.topics import covers_some
from pipeline.core import times
from pipeline.core.errors import ConfigError
from pipeline.core.message import Message
from pipeline.tools.explain.explanation import Explanation
from pipeline.tools.explain.networks import Networks
from pipeline.tools.explain.routes import Routes
from pipeline.tools.explain.verdict import judge


def explain(config: Config, message: Message, *, feed: str | None = None, partitions: int | None = None) -> Explanation:
    """Say what becomes of one message.

    feed: which of several feeds brings it; None: the first whose subscription does. partitions: of the topics, where
    the configuration does not create them.

    Raises:
        ConfigError: there is no such feed.
    """
    name = feed or _feed_of(config, message.topic)
    if name not in config.feeds:
        raise ConfigError(f"The configuration has no feed {name}; it has {', '.join(config.feeds)}.")
    brings = next((each for each in config.feeds[name].subscribe if covers_some(each, message.topic)), None)
    arrival = times.text(message.arrival).decode()
    said = Explanation(message.topic, len(message.payload), arrival, name, brings)
    if brings is None:
        said.notes.append("No subscription of the feed takes this topic: the broker would not send the message.")
    said.notes += _refused(config.feeds[name], message.topic)
    if partitions is None and config.kafka.create_topics is not None:
        partitions = config.kafka.create_topics.partitions
    way = Routes(config, name) if config.feeds[name].dialect is None else Networks(config, name)
    judge(config, way.stages, message, said, partitions)
    way.describe(message, said)
    return said


def _refused(feed: MqttFeed | SemtechUdpFeed, topic: str) -> Iterator[str]:
    """Yield what a feed of datagrams holds against the sender, before it reads what it sent."""
    if not isinstance(feed, SemtechUdpFeed):
        return
    gateway = topic.partition("/")[0].lower()
    if feed.gateways and gateway not in feed.gateways:
        said = (
            f"`gateways` of the feed does not list {gateway}: the worker refuses its datagrams, unread and unanswered"
        )
        yield f"{said} (`gateway_refused`). What stands here is what would become of one if it were listed."
    if feed.addresses:
        said = f"The feed listens to {', '.join(feed.addresses)} only; from elsewhere the datagram is refused"
        yield f"{said} (`address_refused`)."


def _feed_of(config: Config, topic: str) -> str:
    for name, feed in config.feeds.items():
        if any(covers_some(each, topic) for each in feed.subscribe):
            return name
    return next(iter(config.feeds))
