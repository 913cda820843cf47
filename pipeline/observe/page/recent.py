"""What a worker published and refused last, for its page, and what its figures were."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any

import orjson

from pipeline.core.delivery import Fate
from pipeline.core.errors import Reason
from pipeline.core.logs import printable
from pipeline.core.record import Record, decode_headers
from pipeline.encode import EntityView, read
from pipeline.encode.device_event import TYPE as EVENT_TYPE
from pipeline.encode.headers import CONTENT_TYPE, QUALITY
from pipeline.models.units import UNITS
from pipeline.observe.metrics import LATENCY_BUCKETS, Metrics

POINTS = 300
Point = tuple[int, float, float, float, "float | None", "float | None"]
"""Time (ms since 1970); received, published and dead-lettered messages/s; latency's median and 99th percentile (s)."""
Told = dict[str, Any]
MOST = 200
"""How many entities the page shows."""
_LETTERS_A_SECOND = 256  # dead letters that are looked at in one second
_LONGEST = 200
_SHOWN = {"feed": "ce_feed", "connector": "ce_connector", "topic": "ce_sourcetopic", "detail": "ce_detail"}
_FOREIGN = {each.value for each in (Reason.PAYLOAD_ERROR, Reason.CONNECTOR_FAILED, Reason.INTERNAL_ERROR)}
_SOURCES = 1000  # topics; more of them, and those that were quiet for longest are forgotten
_WRONG = 8
_ENTITIES_A_SECOND = 64  # records that are looked at in one second
_DOUBTFUL = 8
_TOLD = 4  # attributes of an entity that the page shows


class FigureHistory:
    """Compares the counters with those of the last look."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._counts = [0, 0, 0]
        self._latency = [0] * (len(LATENCY_BUCKETS) + 1)
        self._at: float | None = None
        self.points: deque[Point] = deque(maxlen=POINTS)

    def look(self, now: float, milliseconds: int) -> None:
        """Add a point. now: monotonic seconds; milliseconds: since 1970."""
        counts, latency = self._now()
        if self._at is not None and now > self._at:
            received, published, dead = (
                round((new - old) / (now - self._at), 1) for new, old in zip(counts, self._counts, strict=True)
            )
            fresh = [new - old for new, old in zip(latency, self._latency, strict=True)]
            self.points.append((milliseconds, received, published, dead, quantile(fresh, 0.5), quantile(fresh, 0.99)))
        self._at, self._counts, self._latency = now, counts, latency

    def _now(self) -> tuple[list[int], list[int]]:
        ledgers = self._metrics.ledgers.values()
        fates = (Fate.PUBLISHED, Fate.DEAD_LETTERED)
        counts = [
            sum(each.received for each in ledgers),
            *(sum(each.fates[fate] for each in ledgers) for fate in fates),
        ]
        topics = [each.latency.counts for each in self._metrics.publish.topics.values()]
        return counts, [sum(column) for column in zip(*topics, strict=True)] or [0] * len(self._latency)


def quantile(counts: Sequence[int], share: float) -> float | None:
    """Return the seconds within which a share of records was confirmed; counts: by LATENCY_BUCKETS, not cumulative.

    Between two bounds it is interpolated, as Prometheus does; beyond the last it is the last. None without a record.
    """
    wanted, running = sum(counts) * share, 0
    if not wanted:
        return None
    for count, (low, high) in zip(counts, pairwise([0.0, *LATENCY_BUCKETS]), strict=False):
        if count and running + count >= wanted:
            return round(low + (high - low) * (wanted - running) / count, 6)
        running += count
    return LATENCY_BUCKETS[-1]


class RecentDeadLetters:
    """Counts all of them by connector and by source topic, and keeps a recent one of each reason.

    Payloads stay in Kafka, and so does what quotes them, unless the operator allows that it is shown
    (`admin.payload_samples`).
    """

    def __init__(self) -> None:
        self.by_connector: Counter[str] = Counter()
        self._fresh: deque[Record] = deque(maxlen=_LETTERS_A_SECOND)
        self._recent: dict[str, Told] = {}
        self._sources: dict[tuple[str, bytes], int] = {}
        self._wrong: dict[tuple[str, bytes], Told] = {}
        self._showed = False

    def note(self, letter: Record) -> None:
        """Take note of a dead letter."""
        self.by_connector[letter.destination.connector.rpartition("@")[0]] += 1
        source = letter.destination.feed, letter.destination.key
        self._sources[source] = self._sources.pop(source, 0) + 1
        if len(self._sources) > _SOURCES:
            del self._sources[next(iter(self._sources))]
        self._fresh.append(letter)

    def look(self, *, samples: bool) -> None:
        """Read what came since the last look. samples: whether payloads may be shown."""
        if self._showed and not samples:  # what was allowed once is not for ever
            self._recent.clear()
            self._wrong.clear()
        self._showed = samples
        fresh = list(self._fresh)
        self._fresh.clear()
        for letter in fresh:
            self._learn(letter, samples=samples)
        for source in list(self._wrong)[:-_WRONG]:
            del self._wrong[source]

    def _learn(self, letter: Record, *, samples: bool) -> None:
        headers = {name: value.decode()[:_LONGEST] for name, value in decode_headers(letter.headers)}
        shown: Told = {name: headers.get(header, "") for name, header in _SHOWN.items()}
        shown |= {"at": letter.timestamp, "reason": headers["ce_reason"]}
        if not samples:
            shown["detail"] = _unquoted(shown["detail"], shown["reason"])
        self._recent[shown["reason"]] = {**shown, "sample": _sample(letter.value) if samples else ""}
        source = letter.destination.feed, letter.destination.key
        self._wrong.pop(source, None)
        self._wrong[source] = shown

    def recent(self) -> dict[str, Told]:
        """Return a recent one of each reason."""
        return dict(self._recent)

    def wrong(self) -> list[Told]:
        """Return a few sources of unusable messages, newest first, each with its count."""
        return [{**told, "count": self._sources.get(source, 1)} for source, told in reversed(self._wrong.items())]


def _unquoted(detail: str, reason: str) -> str:
    """Return what a sentence says without what the payload held; nothing of one that is not ours."""
    if reason in _FOREIGN:
        return ""
    said, got, _ = detail.partition(", got ")
    return f"{said}." if got else said


def _sample(payload: bytes) -> str:
    """Return the beginning of a payload: as text where it is some, else as hexadecimal digits."""
    beginning = payload[:_LONGEST]
    try:
        text = beginning.decode()
    except UnicodeDecodeError:
        return beginning[: _LONGEST // 2].hex()
    return printable(text)


class LatestEntities:
    """Keeps references to the last records, and reads them when asked to look.

    Attributes:
        heard: Arrival in ms since 1970 of the newest record that was read, by the connector's name.
        doubtful: Entities whose newest record has a fault in `ce_quality`, newest last.
    """

    def __init__(self) -> None:
        self._last: deque[Record] = deque(maxlen=_ENTITIES_A_SECOND)
        self._entities: dict[str, dict[str, Any]] = {}
        self.heard: dict[str, int] = {}
        self.doubtful: dict[str, dict[str, Any]] = {}
        self.note: Callable[[Record], None] = self._last.append

    def look(self) -> None:
        """Read what came since the last look."""
        fresh = list(self._last)
        self._last.clear()
        for record in fresh:
            if record.message is not None:  # a dead letter has none
                self.heard[record.destination.connector.rpartition("@")[0]] = record.timestamp
                self._doubt(record)
                self._learn(record)

    def entities(self) -> list[dict[str, Any]]:
        """Return the entities that have a place, the newest first."""
        return [*reversed(self._entities.values())]

    def _doubt(self, record: Record) -> None:
        identity = record.destination.key.decode()
        self.doubtful.pop(identity, None)
        told = dict(decode_headers(record.headers)).get(QUALITY) if QUALITY.encode() in record.headers else None
        if told is not None:
            self.doubtful[identity] = {"id": identity, "quality": told.decode(), "at": record.timestamp}
            if len(self.doubtful) > _DOUBTFUL:
                del self.doubtful[next(iter(self.doubtful))]

    def _learn(self, record: Record) -> None:
        headers = dict(decode_headers(record.headers))
        if headers.get("ce_type", b"").startswith(EVENT_TYPE.encode()):
            return
        entity = read(headers.get(CONTENT_TYPE, b"").decode(), orjson.loads(record.value))
        place = entity.place
        if place is None:
            return
        self._entities.pop(entity.id, None)
        self._entities[entity.id] = {
            "id": entity.id,
            "type": entity.type,
            "at": record.timestamp,
            "place": place[:2],
            "values": dict(_values(entity)),
        }
        if len(self._entities) > MOST:
            del self._entities[next(iter(self._entities))]


def _values(entity: EntityView) -> Iterator[tuple[str, str]]:
    """Yield the first few numbers, which are what a sensor has measured, with their units as people write them."""
    found = 0
    for member in entity.members:
        value = member.value
        if isinstance(value, int | float) and not isinstance(value, bool) and found < _TOLD:
            found += 1
            unit = UNITS.get(member.unit)
            yield member.name, f"{value:g} {unit.symbol}" if unit is not None and unit.symbol != "1" else f"{value:g}"
