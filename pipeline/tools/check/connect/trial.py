"""`headrace check --connect`: tries every broker and Kafka as a worker would, and takes, writes and makes nothing.

What arrives in a few seconds (retained messages come at once) goes through route, decode and normalise in memory; the
findings say what would become of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import replace
from errno import EADDRINUSE
from secrets import token_hex
from time import monotonic

from pipeline.build import options as wiring
from pipeline.config.feeds import MqttFeed
from pipeline.config.feeds_udp import SemtechUdpFeed
from pipeline.config.findings import Finding, Place
from pipeline.config.root import Config
from pipeline.core import event_loop
from pipeline.core.delivery import Ledger
from pipeline.core.errors import StartError
from pipeline.feeds.mqtt.options import MqttOptions
from pipeline.feeds.semtech_udp import UdpOptions, open_socket
from pipeline.publish.intake import MAX_VALUE
from pipeline.publish.options import BY_KAFKA, STAMPED, KafkaOptions
from pipeline.publish.probe import TopicState, probe
from pipeline.tools.check.connect.arrivals import Arrivals
from pipeline.tools.check.connect.feed import Trial

LISTEN_SECONDS = 3.0
_LEAVE_SECONDS = 2.0
_SHARED = "$share/"


def check(config: Config, *, listen: float = LISTEN_SECONDS) -> list[Finding]:
    """Return what is wrong outside (errors) and what would become of the messages that came (warnings)."""
    return event_loop.run(_check(config, listen))


async def _check(config: Config, seconds: float) -> list[Finding]:
    parts = await asyncio.gather(_kafka(config), *(_any(config, name, seconds) for name in config.feeds))
    return [finding for part in parts for finding in part]


async def _any(config: Config, name: str, seconds: float) -> list[Finding]:
    feed = config.feeds[name]
    if isinstance(feed, SemtechUdpFeed):
        return await _address(name, wiring.udp_options(feed))
    return await _feed(config, name, feed, seconds)


async def _address(name: str, options: UdpOptions) -> list[Finding]:
    """Take the address for a moment; a worker that runs has it, so that one in use may be as it should."""
    place = ("feeds", name, "listen")
    try:
        (await open_socket(options.host, options.port)).close()
    except OSError as problem:
        said = f"{options.host}:{options.port} (UDP) cannot be listened on: {problem.strerror or problem}."
        if problem.errno == EADDRINUSE:
            return [_warning(place, said, "Nothing to do, if the worker runs already.")]
        return [Finding(place, said)]
    return []


async def _feed(config: Config, name: str, feed: MqttFeed, seconds: float) -> list[Finding]:
    arrivals = Arrivals(config, name)
    trial = Trial(name, as_a_visitor(wiring.mqtt_options(name, feed, None), "check"), Ledger())
    running = asyncio.create_task(trial.run(arrivals), name=f"trial of {name}")
    connected = asyncio.create_task(trial.subscribed.wait())
    try:
        await asyncio.wait([running, connected], return_when=asyncio.FIRST_COMPLETED)
        if connected.done():
            await asyncio.wait([running], timeout=seconds)
            await trial.disconnect(_LEAVE_SECONDS)
            await arrivals.drain(monotonic())
    finally:
        connected.cancel()
        running.cancel()
        _, ended = await asyncio.gather(connected, running, return_exceptions=True)
    if isinstance(ended, StartError):
        return [*trial.findings, Finding(("feeds", name, "url"), str(ended))]
    if isinstance(ended, Exception):
        raise ended
    return [*trial.findings, *arrivals.findings(seconds)]


def as_a_visitor(options: MqttOptions, errand: str) -> MqttOptions:
    """Return the feed's own way in, without its session. errand: a word for the client id.

    A broker closes the older of two connections with one client id, and what it then sends to the newer it takes for
    delivered: a trial under the feed's own id would stop the running worker and take its messages. So the id is a
    temporary one (it begins like the real one, for brokers with rules about that), and the session ends with it. For
    the same reason `$share/group/filter` is tried as `filter`: the group would give some of its messages to the trial.
    """
    filters = tuple((_alone(topic), qos) for topic, qos in options.subscriptions)
    client_id = f"{options.client_id}-{errand}-{token_hex(4)}"
    return replace(options, client_id=client_id, subscriptions=filters, session_expiry=0, clean=True)


def _alone(topic_filter: str) -> str:
    return topic_filter.split("/", 2)[2] if topic_filter.startswith(_SHARED) else topic_filter


async def _kafka(config: Config) -> list[Finding]:
    options = wiring.kafka_options(config)
    topics = sorted(wiring.all_topics(config))
    try:
        states = await probe(options, topics)
    except StartError as problem:
        return [Finding(("kafka", "bootstrap_servers"), str(problem))]
    return [*(finding for state in states for finding in _topic(state, options)), *_stamps(states, options)]


def _topic(state: TopicState, options: KafkaOptions) -> Iterator[Finding]:
    create = options.create_topics
    if state.problem:
        yield Finding(("kafka", "topics") if create is None else ("kafka", "create_topics"), state.problem)
    if not state.partitions:
        return
    if create is not None and create.partitions != state.partitions:
        said = f"topic {state.name} is there with {state.partitions} partitions; {create.partitions} is for new topics."
        yield _warning(
            ("kafka", "create_topics", "partitions"), said, f"Write {state.partitions}, if that is as meant."
        )
    if state.limit < options.chunk_bytes:
        said = f"topic {state.name} takes batches of {state.limit} bytes (max.message.bytes), less than a chunk."
        fix = f"Write `chunk_bytes: {state.limit}`, or raise the topic's max.message.bytes to {options.chunk_bytes}."
        yield _warning(("kafka", "chunk_bytes"), said, fix)
    if state.limit < MAX_VALUE:
        said = f"topic {state.name} takes records of {state.limit} bytes; larger ones become dead letters."
        yield _warning(("kafka", "topics"), said, f"Raise its max.message.bytes to {MAX_VALUE} or more.")


def _stamps(states: Sequence[TopicState], options: KafkaOptions) -> Iterator[Finding]:
    names = [state.name for state in states if not state.stamped]
    if names:
        said = f"{', '.join(names)}: {STAMPED}=CreateTime. Kafka goes by the worker's clock, then."
        tool = f"kafka-configs.sh --bootstrap-server {','.join(options.bootstrap_servers)} --alter --entity-type topics"
        fix = f"Let Kafka stamp them: {tool} --entity-name {names[0]} --add-config {STAMPED}={BY_KAFKA}"
        yield _warning(("kafka", "topics"), said, f"{fix}, and so for the others." if names[1:] else f"{fix}.")


def _warning(place: Place, message: str, fix: str) -> Finding:
    return Finding(place, message, fix, severity="warning")
