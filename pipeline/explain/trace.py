"""One message through the stages that a worker has, with a publisher of paper behind them."""

from __future__ import annotations

import json
from time import monotonic
from typing import Any

from pipeline import cloudevents, times, wiring
from pipeline.binding import FromTopic
from pipeline.compiler import Compiler
from pipeline.config.feeds import Route
from pipeline.config.root import Config
from pipeline.config.topics import covers_some
from pipeline.config.used import DEVICE_MODEL
from pipeline.delivery import Batch, Delivery, Fate
from pipeline.errors import ConfigError, PayloadError, Reason
from pipeline.explain.explanation import DeadLetter, Explanation, Partition, Published
from pipeline.explain.fields import fields_of, shown
from pipeline.explain.reader import Reader, reader_of
from pipeline.explain.slots import attributes_of
from pipeline.message import Message
from pipeline.paper import Deaf, Paper
from pipeline.plan import Plan
from pipeline.publish.partition import partition_of
from pipeline.record import Record, decode_headers
from pipeline.topics import TopicPattern

_OUTCOMES = {Fate.PUBLISHED: "published", Fate.DEAD_LETTERED: "dead-lettered", Fate.FILTERED: "filtered"}


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
    route = _route(config, said)
    if route is not None and route.connector is not None:
        _reading(reader_of(config, name, route), route, message, said)
    if partitions is None and config.kafka.create_topics is not None:
        partitions = config.kafka.create_topics.partitions
    _judge(config, message, said, partitions)
    return said


def _feed_of(config: Config, topic: str) -> str:
    for name, feed in config.feeds.items():
        if any(covers_some(each, topic) for each in feed.subscribe):
            return name
    return next(iter(config.feeds))


def _route(config: Config, said: Explanation) -> Route | None:
    routes = config.feeds[said.feed].routes
    for number, route in enumerate(routes, start=1):
        if TopicPattern(route.topic).matches(said.topic):
            said.route, said.position = route.topic, f"{number} of {len(routes)}"
            said.connector = route.connector
            return route
    return None


def _reading(reader: Reader, route: Route, message: Message, said: Explanation) -> None:
    plan = reader.plans[0]
    said.model = ", ".join(each.model.name for each in reader.plans)
    said.decoder = reader.decoder
    try:
        readings = reader.decode(message)
    except Exception:  # noqa: BLE001 - the real stage says why, as a dead letter
        return
    fields = readings[0] if readings else {}
    if len(readings) > 1:
        said.notes.append(f"The payload holds {len(readings)} readings; fields and attributes are those of the first.")
    said.fields = fields_of([each.binding for each in reader.plans], fields, reader.told)
    said.attributes = attributes_of(reader.plans, fields)
    source = plan.binding.device
    if isinstance(source, FromTopic):
        name: Any = TopicPattern(route.topic).level(source.name, message.topic)
        whence = f"topic level {{{source.name}}}"
    else:
        name, whence = source.path.find(fields), f"field {source.path.text}"
    try:
        said.device = f"{shown(name)} from {whence} -> {plan.entity(name).id}"
    except PayloadError:
        said.device = f"{shown(name)} from {whence}: no usable name"


def _judge(config: Config, message: Message, said: Explanation, partitions: int | None) -> None:
    """Let the real stages decide."""
    letters = wiring.dead_letters(config)
    taken: list[Record] = []
    router = wiring.router(config, said.feed, publisher=Paper(letters, taken.append), letters=letters, events=Deaf())

    def settled(delivery: Delivery) -> None:
        said.outcome = _OUTCOMES[max(fate for fate in Fate if delivery.fates[fate])]

    router.put(Batch(Delivery(1, [0] * len(Fate), settled, monotonic()), [message]))
    for record in taken:
        if record.message is None:
            said.dead_letter = _letter(record)
        else:
            said.records.append(_published(record, partitions))
    if said.records and said.route is not None and said.connector is not None:
        _say_when_and_where(Compiler(config, said.feed).plan(said.connector), said)


def _headers(record: Record) -> dict[str, str]:
    return {name: value.decode() for name, value in decode_headers(record.headers)}


def _published(record: Record, partitions: int | None) -> Published:
    key = record.destination.key
    number = None if partitions is None else partition_of(key, partitions)
    return Published(
        topic=record.destination.topic,
        key=key.decode(),
        partition=Partition(number, partitions),
        timestamp=times.text(record.timestamp).decode(),
        size=record.value_size,
        headers=_headers(record),
        value=json.loads(record.value),
    )


def _letter(record: Record) -> DeadLetter:
    headers = _headers(record)
    return DeadLetter(
        topic=record.destination.topic,
        key=record.destination.key.decode(),
        stage=headers["ce_stage"],
        reason=headers["ce_reason"],
        detail=headers["ce_detail"],
        fix=Reason[headers["ce_reason"].upper()].explanation,
        headers=headers,
    )


def _say_when_and_where(plan: Plan, said: Explanation) -> None:
    record = next(each for each in said.records if each.value["type"] != DEVICE_MODEL)  # in which nothing is observed
    source, flags = plan.binding.observed_at, record.headers.get(cloudevents.QUALITY, "").split(",")
    moment = record.headers["ce_time"]
    if source is None:
        said.time = f"{moment}, of arrival: a message sent twice cannot be recognised"
    elif "clock" in flags:
        said.time = f"{moment}, of arrival: field {source.path.text} is too old or ahead (flagged `clock`)"
    elif cloudevents.ID_CLASS in record.headers:
        counted = f"field {source.path.text}, counted from arrival"
        said.time = f"{moment} from {counted}: a message sent twice cannot be recognised"
    else:
        said.time = f"{moment} from field {source.path.text} ({source.format})"
    place = record.value.get("location")
    said.location = "none" if place is None else f"{place['value']['coordinates']} (longitude first)"
