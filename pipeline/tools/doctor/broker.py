"""What an MQTT broker tells a visitor: how fast it answers, and what stands below `$SYS`, where it has that tree."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from time import monotonic

from pipeline.build import options as wiring
from pipeline.config.feeds import MqttFeed
from pipeline.core.delivery import Batch, Fate, Ledger, Stage
from pipeline.core.errors import StartError
from pipeline.core.message import Message
from pipeline.feeds.mqtt.connection import Connection
from pipeline.tools.check.connect.feed import Trial
from pipeline.tools.check.connect.trial import as_a_visitor
from pipeline.tools.doctor.finding import Finding

_TREE = "$SYS/broker/#"
_LISTEN_SECONDS = 0.5  # the tree is retained: it comes at once
_LEAVE_SECONDS = 2.0
_MOST_TOPICS = 500
_LONGEST = 200
# Mosquitto tells a figure when it changes and lets it expire after a minute; the rate goes on changing for a while.
_DROPPED = "$SYS/broker/publish/messages/dropped"
_DROPPING = "$SYS/broker/load/publish/dropped/15min"
_VERSION = "$SYS/broker/version"


@dataclass(frozen=True, slots=True)
class BrokerFacts:
    """One broker. round_trip: seconds until it answered SUBSCRIBE; tree: what `$SYS/broker/` says, by topic."""

    round_trip: float
    tree: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Name and version as the broker says them, in lower case; empty if it does not."""
        return self.tree.get(_VERSION, "").lower()


async def visit(name: str, feed: MqttFeed) -> BrokerFacts | None:
    """Listen to `$SYS` for a moment, as somebody else than the feed; None if the broker could not be visited."""
    options = replace(as_a_visitor(wiring.mqtt_options(name, feed, None), "doctor"), subscriptions=((_TREE, 0),))
    visitor, tree = _Visitor(name, options, Ledger()), _Tree()
    running = asyncio.create_task(visitor.run(tree), name=f"visit of {name}")
    connected = asyncio.create_task(visitor.subscribed.wait())
    try:
        await asyncio.wait([running, connected], return_when=asyncio.FIRST_COMPLETED)
        if not connected.done():
            return None
        await asyncio.wait([running], timeout=_LISTEN_SECONDS)
        await visitor.disconnect(_LEAVE_SECONDS)
    finally:
        connected.cancel()
        running.cancel()
        with suppress(StartError):
            await asyncio.gather(connected, running, return_exceptions=True)
    return BrokerFacts(visitor.round_trip, tree.topics)


class _Visitor(Trial):
    """A trial that looks at the clock."""

    round_trip = 0.0

    async def _subscribe(self, connection: Connection) -> Sequence[tuple[str, int]]:
        began = monotonic()
        refused = await super()._subscribe(connection)
        self.round_trip = monotonic() - began
        return refused


class _Tree(Stage[Message]):
    """The end of all stages: it notes what each topic says."""

    def __init__(self) -> None:
        self.topics: dict[str, str] = {}

    def put(self, batch: Batch[Message]) -> None:
        """Note them, in bounds."""
        for message in batch.items:
            if len(self.topics) < _MOST_TOPICS:
                self.topics[message.topic] = message.payload[:_LONGEST].decode("utf-8", "replace")
        batch.delivery.seal(Fate.FILTERED, len(batch.items))

    def kept(self) -> int:
        """Nothing stays here."""
        return 0

    async def drain(self, deadline: float) -> None:
        """Nothing stays here."""


def judge(name: str, facts: BrokerFacts | None) -> Iterator[Finding]:
    """Say what the broker's own figures tell of its queues and of what outlives it."""
    place = ("feeds", name, "url")
    if facts is None:
        return  # that it cannot be reached is said by the trial of the feed
    if not facts.tree:
        said = (
            f"feed {name}: the broker shows no `$SYS/broker/` to this user: queue limits and persistence are unknown."
        )
        yield Finding("mqtt.queues", "info", said, place, "Look at the limits of queues, and what outlives a restart.")
        return
    yield _dropped(name, facts)
    said = (
        f"feed {name}: {facts.tree.get(_VERSION) or 'the broker'} tells neither its queue limits nor its persistence: "
        "without it a restart of the broker loses what waits, beyond 1,000 messages a session it drops."
    )
    lines = "persistence true, autosave_interval 10, max_queued_messages 0, max_queued_bytes 268435456"
    yield Finding("mqtt.persistence", "info", said, place, lines, file="mosquitto.conf")


def _dropped(name: str, facts: BrokerFacts) -> Finding:
    place = ("feeds", name, "url")
    count, rate = (_number(facts.tree.get(topic)) for topic in (_DROPPED, _DROPPING))
    if count or rate:
        how = f"{count:,.0f} messages ({_DROPPED})" if count else f"{rate:.2f} messages a minute of late ({_DROPPING})"
        said = f"feed {name}: queues were full, and the broker has dropped {how}."
        return Finding("mqtt.queues", "critical", said, place, "max_queued_messages 0", file="mosquitto.conf")
    if count == 0:
        return Finding("mqtt.queues", "ok", f"feed {name}: the broker has dropped no message since it started.", place)
    said = f"feed {name}: the broker does not say how many messages it has dropped."
    if facts.name.startswith("mosquitto"):
        said = (
            f"feed {name}: the broker has dropped no message in the last minute; what was before that it does not say."
        )
    return Finding("mqtt.queues", "info", said, place)


def _number(told: str | None) -> float | None:
    text = (told or "").strip()
    return float(text) if re.fullmatch(r"[0-9]{1,18}(\.[0-9]{1,9})?", text, re.ASCII) else None
