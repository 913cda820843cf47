"""What would become of the messages that come while `check --connect` listens: counted in memory, nothing written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from pipeline.build import options as wiring
from pipeline.build.context import Shared
from pipeline.config.connectors import InlineConnector, LocationSource, TimeSource
from pipeline.config.document import yaml_text
from pipeline.config.findings import Finding, Place
from pipeline.config.root import Config
from pipeline.config.used import UsedConnector
from pipeline.config.values import field_path
from pipeline.core.delivery import Batch, Stage
from pipeline.core.errors import Reason
from pipeline.core.json_words import Steps, spelled
from pipeline.core.message import Message
from pipeline.core.record import Record, decode_headers
from pipeline.core.strict_json import parse
from pipeline.devices.current import Directory
from pipeline.tools.check.connect.strangers import UNKNOWN, Strangers, raw_frames
from pipeline.tools.dry_run import Deaf, Paper

NOTHING_CAME = "no message came within"
"""How the finding begins that nobody sent anything."""
_ENOUGH = 1000  # readings whose fields are looked at, for one connector: they are all alike
_KEPT_NAMES = 200
_SHOWN = 20


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
        written = {name: each for name, each in config.connectors.items() if isinstance(each, InlineConnector)}
        networked = (
            config.feeds[feed].dialect is not None
        )  # then fields stand in what the server has decoded, if at all
        self._mapped = {} if networked else {name: _mapped(connector) for name, connector in written.items()}
        self._connectors = {
            each.use: name for name, each in config.connectors.items() if isinstance(each, UsedConnector)
        }
        self._connectors |= {name: name for name in config.connectors}
        self._unread: Place = ("feeds", feed, "dialect" if networked else "routes")
        self._strangers = Strangers(config)
        self._shared = Shared(Directory(config.registered), strangers=self._strangers)
        letters = wiring.dead_letters(config)
        self._router = wiring.router(
            config, feed, publisher=Paper(letters, self._take), letters=letters, events=Deaf(), shared=self._shared
        )

    def put(self, batch: Batch[Message]) -> None:
        """Let the stages judge the messages; a retained one too, which a worker might filter."""
        self._received += len(batch.items)
        fresh = [message._replace(retained=False) for message in batch.items]
        self._router.put(Batch(batch.delivery, fresh))

    def kept(self) -> int:
        """How many frames wait for the copies of other gateways."""
        return self._router.kept()

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


def _mapped(connector: InlineConnector) -> frozenset[Steps]:
    """Return where the values stand that the connector takes."""
    texts = [source.field for source in connector.attributes.values()]
    if connector.device.field is not None:
        texts.append(connector.device.field)
    if isinstance(connector.observed_at, TimeSource):
        texts.append(connector.observed_at.field)
    place = connector.location
    if isinstance(place, LocationSource):
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
