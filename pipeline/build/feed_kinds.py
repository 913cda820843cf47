"""The kinds of feeds: how each is made, tried by `check --connect` and visited by `doctor`. A new one is a line here.

What a kind's section of the configuration answers by itself stands in config/feeds.py (`FeedConfig`): its source for a
person, its own rules, its session. Nothing else asks of which kind a feed is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from errno import EADDRINUSE
from pathlib import Path
from secrets import token_hex
from time import monotonic
from typing import Any, Generic, NamedTuple, TypeVar

from pipeline.build import options as wiring
from pipeline.config import loading
from pipeline.config.feeds import FeedConfig, MqttFeedConfig, SemtechUdpFeedConfig
from pipeline.config.findings import Finding
from pipeline.core.addresses import Tls
from pipeline.core.budgets import LEAVE_SECONDS
from pipeline.core.delivery import Batch, Fate, Feed, Ledger, Message, PassThrough, Stage
from pipeline.core.errors import StartError
from pipeline.core.mqtt_topics import without_share
from pipeline.feeds.mqtt.causes import ConnectionFailedError
from pipeline.feeds.mqtt.connection import FIRST_FAILURE
from pipeline.feeds.mqtt.feed import MqttFeed
from pipeline.feeds.mqtt.options import MqttOptions, Trouble
from pipeline.feeds.semtech_udp import SemtechUdpFeed, open_socket
from pipeline.observe.metrics import FeedMetrics, Metrics

Section = TypeVar("Section", bound=FeedConfig)
_TREE = "$SYS/broker/#"
_LISTEN_SECONDS = 0.5  # the tree is retained: it comes at once
_MOST_TOPICS = 500
_LONGEST = 200
VERSION = "$SYS/broker/version"
"""Mosquitto's and others' topic of their name and version."""


@dataclass(frozen=True, slots=True)
class FeedParts:
    """What a worker hands to a feed that is made.

    Attributes:
        ledger: Counts its messages.
        metrics: Exports its figures.
        state: The folder that outlives the process, or None.
        failpoint: Kills the process at a named place, for the fault tests.
    """

    ledger: Ledger
    metrics: Metrics
    state: Path | None
    failpoint: Callable[[str], None]


@dataclass(frozen=True, slots=True)
class BrokerFacts:
    """What a visit to a feed's broker showed.

    Attributes:
        round_trip: Seconds until it answered SUBSCRIBE.
        tree: What `$SYS/broker/` says, by topic.
    """

    round_trip: float
    tree: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Name and version as the broker says them, in lower case; empty if it does not."""
        return self.tree.get(VERSION, "").lower()


@dataclass(frozen=True, slots=True)
class Peer:
    """A server that a feed speaks TLS with."""

    host: str
    port: int
    tls: Tls


class Probe(NamedTuple):
    """What came of trying a feed's way in: what is wrong outside, and whether messages could arrive meanwhile."""

    findings: Sequence[Finding]
    listened: bool


class FeedKind(Generic[Section]):
    """One kind of feeds."""

    def make(self, name: str, feed: Section, parts: FeedParts) -> tuple[Feed[Message], FeedMetrics]:
        """Return a feed, not started, and what counts its connections."""
        raise NotImplementedError

    async def probe(self, name: str, feed: Section, arrivals: Stage[Message], seconds: float) -> Probe:
        """Try the way in as a worker would, and let what comes within `seconds` arrive."""
        raise NotImplementedError

    async def visit(self, name: str, feed: Section) -> BrokerFacts | None:  # noqa: ARG002 - of kinds without a broker
        """Ask the feed's broker how it is; None if there is none, or it could not be visited."""
        return None

    def peer(self, name: str, feed: Section) -> Peer | None:  # noqa: ARG002 - of kinds without TLS
        """Return the server that it speaks TLS with, if any."""
        return None


class MqttKind(FeedKind[MqttFeedConfig]):
    """`kind: mqtt`."""

    def make(self, name: str, feed: MqttFeedConfig, parts: FeedParts) -> tuple[Feed[Message], FeedMetrics]:
        """Return one session."""
        events = parts.metrics.feed(name, parts.ledger, feed.max_in_flight)
        options = wiring.mqtt_options(name, feed, parts.state)
        return MqttFeed(name, options, parts.ledger, events, parts.failpoint), events

    async def probe(self, name: str, feed: MqttFeedConfig, arrivals: Stage[Message], seconds: float) -> Probe:
        """Subscribe under a temporary client id, and listen."""
        trial = Trial(name, as_visitor(wiring.mqtt_options(name, feed, None), "check"), Ledger())
        ended = await _listened(trial, arrivals, seconds)
        if isinstance(ended, StartError):
            return Probe([*trial.findings, Finding(("feeds", name, "url"), str(ended))], listened=False)
        if isinstance(ended, Exception):
            raise ended
        return Probe(trial.findings, listened=True)

    async def visit(self, name: str, feed: MqttFeedConfig) -> BrokerFacts | None:
        """Listen to `$SYS` for a moment, under a temporary client id."""
        options = replace(as_visitor(wiring.mqtt_options(name, feed, None), "doctor"), subscriptions=((_TREE, 0),))
        visitor, tree = Trial(name, options, Ledger()), _Tree()
        ended = await _listened(visitor, tree, _LISTEN_SECONDS)
        if isinstance(ended, Exception):
            return None
        return BrokerFacts(visitor.round_trip, tree.topics)

    def peer(self, name: str, feed: MqttFeedConfig) -> Peer | None:
        """Return the broker, if its URL says TLS."""
        tls, broker = wiring.mqtt_options(name, feed, None).tls, feed.broker
        return None if tls is None else Peer(broker.host, broker.port, tls)


class SemtechUdpKind(FeedKind[SemtechUdpFeedConfig]):
    """`kind: semtech_udp`."""

    def make(self, name: str, feed: SemtechUdpFeedConfig, parts: FeedParts) -> tuple[Feed[Message], FeedMetrics]:
        """Return one listener."""
        events = parts.metrics.datagram_feed(name, parts.ledger, feed.max_in_flight)
        return SemtechUdpFeed(name, wiring.udp_options(feed), parts.ledger, events), events

    async def probe(
        self,
        name: str,
        feed: SemtechUdpFeedConfig,
        arrivals: Stage[Message],  # noqa: ARG002 - datagrams of gateways are the worker's
        seconds: float,  # noqa: ARG002
    ) -> Probe:
        """Take the address for a moment; a worker that runs has it, so that one in use may be as it should."""
        options, place = wiring.udp_options(feed), ("feeds", name, "listen")
        try:
            (await open_socket(options.host, options.port)).close()
        except OSError as problem:
            said = f"{options.host}:{options.port} (UDP) cannot be listened on: {problem.strerror or problem}."
            if problem.errno == EADDRINUSE:
                found = Finding(place, said, "Nothing to do, if the worker runs already.", severity="warning")
                return Probe([found], listened=False)
            return Probe([Finding(place, said)], listened=False)
        return Probe([], listened=False)


FEED_KINDS: dict[type[FeedConfig], FeedKind[Any]] = {
    MqttFeedConfig: MqttKind(),
    SemtechUdpFeedConfig: SemtechUdpKind(),
}
"""Each kind by its section of the configuration."""


def kind_of(feed: FeedConfig) -> FeedKind[Any]:
    """Return the kind of a feed."""
    return FEED_KINDS[type(feed)]


def register(section: type[FeedConfig], kind: FeedKind[Any]) -> None:
    """Add a kind from outside, before a configuration is read."""
    FEED_KINDS[section] = kind
    loading.know_kinds()


class Trial(MqttFeed):
    """The feed itself, but the first problem ends it: `run` raises StartError with the sentence.

    Attributes:
        subscribed: Set once the broker has answered for every filter.
        findings: The broker's answers.
    """

    def __init__(self, name: str, options: MqttOptions, ledger: Ledger) -> None:
        self.subscribed = asyncio.Event()
        self.findings: list[Finding] = []
        super().__init__(name, options, ledger, _Events(self.subscribed))

    def failed(self, problem: ConnectionFailedError, fewer: int | None) -> None:
        """End with the first problem; of too many filters, note it and go on."""
        if fewer is not None:
            fix = f"Write `max_filters_per_subscribe: {fewer}`, so that a start need not find out."
            said = f"{problem} {fewer} at once are tried instead."
            self.findings.append(Finding(("feeds", self.name, "subscribe"), said, fix, severity="warning"))
        else:
            raise StartError(f"Feed {self.name}: {problem}")

    def granted(self, filters: Sequence[tuple[str, int]], codes: Sequence[int]) -> Sequence[tuple[str, int]]:
        """Note each filter that is refused, or granted at a lower QoS."""
        for index, ((topic, qos), code) in enumerate(zip(filters, codes, strict=True)):
            place = ("feeds", self.name, "subscribe", index)
            if code >= FIRST_FAILURE:
                said = f"the broker refuses `{topic}` (SUBACK code {code})."
                self.findings.append(Finding(place, said, "Let this user read it in the broker's access rules."))
            elif code < qos:
                said = f"the broker grants `{topic}` at QoS {code} only; messages can be lost."
                fix = "Raise the broker's highest QoS, or write `qos: 0` to say that this is meant."
                self.findings.append(Finding(place, said, fix, severity="warning"))
        return ()


class _Events:
    """FeedEvents, of which a trial wants one."""

    def __init__(self, subscribed: asyncio.Event) -> None:
        self._subscribed = subscribed

    def connected(self, up: bool) -> None:  # noqa: FBT001 - the event's shape
        if up:
            self._subscribed.set()

    def reconnecting(self, trouble: Trouble) -> None:
        pass

    def session_lost(self) -> None:
        pass

    def batch(self, size: int) -> None:
        pass


async def _listened(trial: Trial, out: Stage[Message], seconds: float) -> BaseException | None:
    """Run a trial for so long once it is subscribed, and return what ended it before."""
    running = asyncio.create_task(trial.run(out), name=f"trial of {trial.name}")
    connected = asyncio.create_task(trial.subscribed.wait())
    try:
        await asyncio.wait([running, connected], return_when=asyncio.FIRST_COMPLETED)
        if connected.done():
            await asyncio.wait([running], timeout=seconds)
            await trial.disconnect(LEAVE_SECONDS)
            await out.drain(monotonic())
    finally:
        connected.cancel()
        running.cancel()
        _, ended = await asyncio.gather(connected, running, return_exceptions=True)
    return ended


def as_visitor(options: MqttOptions, errand: str) -> MqttOptions:
    """Return the feed's own way in, without its session. errand: a word for the client id.

    A broker closes the older of two connections with one client id, and what it then sends to the newer it takes for
    delivered: a trial under the feed's own id would stop the running worker and take its messages. So the id is a
    temporary one (it begins like the real one, for brokers with rules about that), and the session ends with it. For
    the same reason `$share/group/filter` is tried as `filter`: the group would give some of its messages to the trial.
    """
    filters = tuple((without_share(topic), qos) for topic, qos in options.subscriptions)
    client_id = f"{options.client_id}-{errand}-{token_hex(4)}"
    return replace(options, client_id=client_id, subscriptions=filters, session_expiry=0, clean=True)


class _Tree(PassThrough[Message]):
    """The end of all stages: it notes what each topic says."""

    def __init__(self) -> None:
        self.topics: dict[str, str] = {}

    def put(self, batch: Batch[Message]) -> None:
        """Note them, in bounds."""
        for message in batch.items:
            if len(self.topics) < _MOST_TOPICS:
                self.topics[message.topic] = message.payload[:_LONGEST].decode("utf-8", "replace")
        batch.delivery.seal(Fate.FILTERED, len(batch.items))
