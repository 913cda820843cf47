"""`headrace check --connect`: tries every broker and Kafka as a worker would, and takes, writes and makes nothing.

What arrives in a few seconds (retained messages come at once) goes through route, decode and normalise in memory; the
findings say what would become of it.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from pipeline.build import options as wiring
from pipeline.build.context import WorkerContext
from pipeline.build.feed_kinds import kind_of
from pipeline.config import device_text
from pipeline.config.connectors import InlineConnectorConfig, LocationSourceConfig, TimeSourceConfig
from pipeline.config.document import yaml_text
from pipeline.config.findings import Finding, Place
from pipeline.config.root import Config
from pipeline.config.used_connectors import UsedConnectorConfig
from pipeline.config.values import field_path
from pipeline.core import event_loop
from pipeline.core.delivery import Batch, Message, Stage
from pipeline.core.errors import Reason, StartError
from pipeline.core.field_path import Steps, spelled
from pipeline.core.logs import printable
from pipeline.core.record import Record, decode_headers
from pipeline.core.strict_json import parse
from pipeline.devices.registry import CurrentRegistry
from pipeline.lorawan.statistics import FrameOutcome, FrameStatistics
from pipeline.publish.accumulator import MAX_VALUE
from pipeline.publish.options import BY_KAFKA, STAMPED, KafkaOptions
from pipeline.publish.topics import TopicState, probe
from pipeline.sdk.uplink import Names
from pipeline.tools.dry_run import DryRunPublisher, NullEvents
from pipeline.tools.enrol import Newcomer, described, stranger

UNKNOWN = {Reason.DEVICE_UNKNOWN, Reason.CONNECTOR_UNKNOWN}
"""Reasons of dead letters that are told by device here."""

_KEPT = 1000
_SHOWN = 20
_LONGEST = 40
_OURS = (FrameOutcome.UPLINK, FrameOutcome.MAC, FrameOutcome.JOIN)


class UnregisteredDevices:
    """Notes devices by DevEUI, with what the server calls them."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._called: dict[str, str] = {}
        self._first: Newcomer | None = None
        self._uncounted = 0

    def note(self, eui: str, names: Names, arrival: int) -> None:  # noqa: ARG002 - the worker's list has it
        """Take note of one refused uplink of a device."""
        if eui in self._called:
            return
        if len(self._called) < _KEPT:
            self._called[eui] = _called(names)
            self._first = self._first or stranger(eui, names)
        else:
            self._uncounted += 1

    def findings(self, place: Place) -> Iterator[Finding]:
        """Say which devices were refused."""
        if not self._called:
            return
        shown = [f"`{eui}`{called}" for eui, called in sorted(self._called.items())[:_SHOWN]]
        more = len(self._called) - len(shown)
        others = f" and {more}{' or more' if self._uncounted else ''} others" if more else ""
        count = "1 device has" if len(self._called) == 1 else f"{len(self._called)} devices have"
        said = f"{count} no row in the registry, or no connector: {', '.join(shown)}{others}; dead letters."
        yield Finding(place, said, self._fix(), severity="warning")

    def _fix(self) -> str:
        if self._first is None or self._config.devices is None:
            return "Name a registry, `devices: devices.csv`, and add them: `headrace devices add CONFIG --key ...`."
        told = described(self._first, self._config)
        registry = device_text.of(self._config.devices)
        row = printable(registry.advice(told))
        many = "or `headrace devices import CONFIG --from unknown`, once a worker has noted them"
        return f"Add each to {registry.name}, with its location and connector, such as `{row}`; {many}."


def raw_frames(place: Place, ledger: FrameStatistics | None) -> Iterator[Finding]:
    """Say that gateways brought frames, and none of them was of a device of ours."""
    heard = 0 if ledger is None else sum(ledger.outcomes.values())
    if ledger is None or not heard or any(ledger.outcomes[each] for each in _OURS):
        return
    told = ", ".join(f"{each.value} {count}" for each, count in ledger.outcomes.items() if count)
    said = f"raw frames came ({told}), none of a device whose session keys are in the registry."
    yield Finding(place, said, "Add the `sessions` of your devices, or wait until one sends.", severity="warning")


def _called(names: Names) -> str:
    told = [names.name, names.profile or names.model]
    texts = [printable(text)[:_LONGEST] for text in told if text]
    return f" ({', '.join(texts)})" if texts else ""


NOTHING_CAME = "no message came within"
"""The beginning of the finding that no message came."""
_ENOUGH = 1000  # readings whose fields are looked at, for one connector: they are all alike
_KEPT_NAMES = 200


@dataclass
class _Refused:
    """Messages of one reason: how many, and the first of them."""

    topic: str
    detail: str
    count: int = 0


@dataclass
class _Seen:
    """What came for one connector, or (without a name) for no route."""

    readings: int = 0
    unmapped: Counter[str] = field(default_factory=Counter)
    refused: dict[Reason, _Refused] = field(default_factory=dict)
    topics: Counter[str] = field(default_factory=Counter)


class Arrivals(Stage[Message]):
    """The first stage of one feed's trial; behind it stand the stages that a worker has, and a publisher of paper."""

    def __init__(self, config: Config, feed: str) -> None:
        self._feed = feed
        self._received = 0
        self._seen: dict[str, _Seen] = {}
        # What a vendor's connector leaves unpublished is its vendor's choice.
        written = {name: each for name, each in config.connectors.items() if isinstance(each, InlineConnectorConfig)}
        networked = (
            config.feeds[feed].dialect is not None
        )  # then fields stand in what the server has decoded, if at all
        self._mapped = {} if networked else {name: _mapped(connector) for name, connector in written.items()}
        self._connectors = {
            each.use: name for name, each in config.connectors.items() if isinstance(each, UsedConnectorConfig)
        }
        self._connectors |= {name: name for name in config.connectors}
        self._unread: Place = ("feeds", feed, "dialect" if networked else "routes")
        self._strangers = UnregisteredDevices(config)
        self._shared = WorkerContext(CurrentRegistry(config.registered), strangers=self._strangers)
        letters = wiring.dead_letters(config)
        self._router = wiring.router(
            config,
            feed,
            publisher=DryRunPublisher(letters, self._take),
            letters=letters,
            events=NullEvents(),
            shared=self._shared,
        )

    def put(self, batch: Batch[Message]) -> None:
        """Let the stages judge the messages; a retained one too, which a worker might filter."""
        self._received += len(batch.items)
        fresh = [message._replace(retained=False) for message in batch.items]
        self._router.put(Batch(batch.delivery, fresh))

    def pending(self) -> int:
        """How many frames wait for the copies of other gateways."""
        return self._router.pending()

    async def drain(self, deadline: float) -> None:
        """Judge what waits."""
        await self._router.drain(deadline)

    def _take(self, record: Record) -> None:
        if record.message is None:
            self._refused(record)
        else:
            self._published(record, record.message)

    def _published(self, record: Record, message: Message) -> None:
        """Look for fields that no attribute takes."""
        name = _connector(record.destination.connector)
        seen = self._seen.setdefault(name, _Seen())
        seen.readings += 1
        mapped = self._mapped.get(name)
        if mapped is None or seen.readings > _ENOUGH:
            return
        begun = {steps[:end] for steps in mapped for end in range(1, len(steps))}
        for unmapped in _unmapped(parse(message.payload), (), mapped, begun):
            if len(seen.unmapped) < _KEPT_NAMES or unmapped in seen.unmapped:
                seen.unmapped[unmapped] += 1

    def _refused(self, letter: Record) -> None:
        """Note why a message would be a dead letter."""
        headers = {name: value.decode() for name, value in decode_headers(letter.headers)}
        seen = self._seen.setdefault(_connector(headers["ce_connector"]), _Seen())
        reason, topic = Reason[headers["ce_reason"].upper()], headers["ce_sourcetopic"]
        seen.refused.setdefault(reason, _Refused(topic, headers["ce_detail"])).count += 1
        if len(seen.topics) < _KEPT_NAMES or topic in seen.topics:
            seen.topics[topic] += 1

    def findings(self, seconds: float) -> Iterator[Finding]:
        """Say what came of it, a sentence each."""
        if not self._received:
            said = f"{NOTHING_CAME} {seconds:g} s, so no route or connector could be tried."
            yield _warning(("feeds", self._feed), said, "Publish one meanwhile, or let a device retain its last one.")
        for name, seen in sorted(self._seen.items()):
            entry = self._connectors.get(name)
            place: Place = self._unread if entry is None else ("connectors", entry)
            yield from _fields(place, seen)
            for reason, refused in seen.refused.items():
                if reason not in UNKNOWN:
                    yield _letters(place, reason, refused, seen.topics, name if entry is None else "")
        yield from self._strangers.findings(self._unread)
        yield from raw_frames(("feeds", self._feed), self._shared.raw.get(self._feed))


def _fields(place: Place, seen: _Seen) -> Iterator[Finding]:
    if not seen.unmapped:
        return
    names = sorted(seen.unmapped)
    said = f"no attribute takes {_some(names)} of the payload: not published."
    fix = "Map under `attributes` what the model has a place for; the rest may stay."
    yield _warning((*place, "attributes"), said, fix)


def _letters(place: Place, reason: Reason, refused: _Refused, topics: Mapping[str, int], connector: str) -> Finding:
    """connector: of devices in the registry, which the place does not name."""
    count = "1 message" if refused.count == 1 else f"{refused.count} messages"
    count += f" for {connector}" if connector else ""
    if reason is Reason.NO_ROUTE:
        said = f"no route matches {_some(sorted(topics))}; {count} would become dead letters ({reason.value})."
        return _warning(place, said, reason.explanation)
    said = f"{count} would become dead letters ({reason.value}), the first on {refused.topic}: {refused.detail}"
    return _warning(place, said, reason.explanation)


def _some(names: Sequence[str]) -> str:
    rest = len(names) - _SHOWN
    return ", ".join(f"`{name}`" for name in names[:_SHOWN]) + (f" and {rest} more" if rest > 0 else "")


def _connector(provenance: str) -> str:
    return provenance.rpartition("@")[0]


def _mapped(connector: InlineConnectorConfig) -> frozenset[Steps]:
    """Return where the values stand that the connector takes."""
    texts = [source.field for source in connector.attributes.values()]
    if connector.device.field is not None:
        texts.append(connector.device.field)
    if isinstance(connector.observed_at, TimeSourceConfig):
        texts.append(connector.observed_at.field)
    place = connector.location
    if isinstance(place, LocationSourceConfig):
        texts += [place.longitude, place.latitude, *([place.altitude] if place.altitude else [])]
    return frozenset(field_path(text).steps for text in texts)


def _unmapped(value: object, steps: Steps, mapped: frozenset[Steps], begun: set[Steps]) -> Iterator[str]:
    """Yield what nothing takes; of an object of which nothing is taken, its own name only."""
    if steps in mapped:
        return
    if steps and steps not in begun:
        yield yaml_text(spelled(steps))
    elif isinstance(value, dict):
        for name, each in value.items():
            yield from _unmapped(each, (*steps, name), mapped, begun)
    elif isinstance(value, list):
        for index, each in enumerate(value[:_KEPT_NAMES]):
            yield from _unmapped(each, (*steps, index), mapped, begun)


def _warning(place: Place, message: str, fix: str) -> Finding:
    return Finding(place, message, fix, severity="warning")


LISTEN_SECONDS = 3.0


def check(config: Config, *, listen: float = LISTEN_SECONDS) -> list[Finding]:
    """Return what is wrong outside (errors) and what would become of the messages that came (warnings)."""
    return event_loop.run(_check(config, listen))


async def _check(config: Config, seconds: float) -> list[Finding]:
    parts = await asyncio.gather(_kafka(config), *(_any(config, name, seconds) for name in config.feeds))
    return [finding for part in parts for finding in part]


async def _any(config: Config, name: str, seconds: float) -> list[Finding]:
    feed, arrivals = config.feeds[name], Arrivals(config, name)
    probe = await kind_of(feed).probe(name, feed, arrivals, seconds)
    return [*probe.findings, *(arrivals.findings(seconds) if probe.listened else ())]


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


__all__ = ["check"]
