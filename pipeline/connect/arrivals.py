"""What would become of the messages that come while `check --connect` listens: counted in memory, nothing written."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from pipeline import wiring
from pipeline.config.connectors import InlineConnector, LocationSource, TimeSource
from pipeline.config.findings import Finding, Place
from pipeline.config.root import Config
from pipeline.config.values import field_path
from pipeline.delivery import Batch, Fate, Stage
from pipeline.errors import Reason
from pipeline.json_guard import parse
from pipeline.message import Message
from pipeline.record import Record, decode_headers

_ENOUGH = 1000  # readings whose fields are looked at, for one connector: they are all alike
_KEPT_NAMES = 200
_SHOWN = 20
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_-]{1,60}")
_LONGEST_NAME = 60

Steps = tuple[str | int, ...]


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
        self._mapped = {name: _mapped(connector) for name, connector in written.items()}
        letters = wiring.dead_letters(config)
        self._router = wiring.router(config, feed, publisher=_Paper(self), letters=letters, events=_Deaf())

    def put(self, batch: Batch[Message]) -> None:
        """Let the stages judge the messages; a retained one too, which a worker might filter."""
        self._received += len(batch.items)
        fresh = [message._replace(retained=False) for message in batch.items]
        self._router.put(Batch(batch.delivery, fresh))

    def kept(self) -> int:
        """Nothing stays here."""
        return 0

    async def drain(self, deadline: float) -> None:
        """Nothing stays here."""

    def published(self, record: Record, message: Message) -> None:
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

    def refused(self, letter: Record) -> None:
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
            said = f"no message came within {seconds:g} s, so no route or connector could be tried."
            yield _warning(("feeds", self._feed), said, "Publish one meanwhile, or let a device retain its last one.")
        for name, seen in sorted(self._seen.items()):
            place: Place = ("connectors", name) if name else ("feeds", self._feed, "routes")
            yield from _fields(place, seen)
            for reason, refused in seen.refused.items():
                yield _letters(place, reason, refused, seen.topics)


def _fields(place: Place, seen: _Seen) -> Iterator[Finding]:
    if not seen.unmapped:
        return
    names = sorted(seen.unmapped)
    said = f"no attribute takes {_some(names)} of the payload: not published."
    fix = "Map under `attributes` what the model has a place for; the rest may stay."
    yield _warning((*place, "attributes"), said, fix)


def _letters(place: Place, reason: Reason, refused: _Refused, topics: Mapping[str, int]) -> Finding:
    count = "1 message" if refused.count == 1 else f"{refused.count} messages"
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
        yield _spelled(steps)
    elif isinstance(value, dict):
        for name, each in value.items():
            yield from _unmapped(each, (*steps, name), mapped, begun)
    elif isinstance(value, list):
        for index, each in enumerate(value[:_KEPT_NAMES]):
            yield from _unmapped(each, (*steps, index), mapped, begun)


def _spelled(steps: Steps) -> str:
    """Write a path as the configuration takes it; a name from outside never brings control characters."""
    text = ""
    for step in steps:
        if isinstance(step, int):
            text += f"[{step}]"
        elif _PLAIN_NAME.fullmatch(step):
            text += f".{step}"
        else:
            text += f"[{json.dumps(step[:_LONGEST_NAME])}]"
    return text.removeprefix(".")


def _warning(place: Place, message: str, fix: str) -> Finding:
    return Finding(place, message, fix, severity="warning")


class _Paper(Stage[Record]):
    """Takes a publisher's place and confirms at once."""

    def __init__(self, arrivals: Arrivals) -> None:
        self._arrivals = arrivals

    def put(self, batch: Batch[Record]) -> None:
        for record in batch.items:
            if record.message is None:
                self._arrivals.refused(record)
                batch.delivery.seal(Fate.DEAD_LETTERED)
            else:
                self._arrivals.published(record, record.message)
                batch.delivery.seal(Fate.PUBLISHED)

    def kept(self) -> int:
        return 0

    async def drain(self, deadline: float) -> None:
        pass


class _Deaf:
    """DecodeEvents that nobody hears."""

    def dead_lettered(self, feed: str, reason: Reason) -> None:
        pass
