"""`headrace tail`: follows a topic, and writes each record as it arrives, for a person or a program."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass
from typing import Any

from pipeline.core import times
from pipeline.core.errors import Reason
from pipeline.core.logs import printable
from pipeline.core.record import KEPT, SIZE
from pipeline.encode import read
from pipeline.encode.dead_letter import TYPE
from pipeline.encode.device_event import TYPE as EVENT_TYPE
from pipeline.encode.headers import CONTENT_TYPE, QUALITY
from pipeline.publish.consumer import StoredRecord, TopicReader
from pipeline.publish.options import KafkaOptions

_LONGEST = 2000  # characters of a value that are shown


@dataclass(frozen=True, slots=True)
class Follow:
    """What to follow, and when it is enough.

    Attributes:
        topic: The topic.
        key: Only this key, or keys that end in it after a colon (the device's name).
        beginning: Also what the topic holds already.
        since: Also what the topic holds from this time on, in milliseconds since 1970 UTC.
        until_end: End after what the topic held at the start.
        reasons: Only dead letters of these reasons; empty for every record.
        count: End after so many records.
    """

    topic: str
    key: str | None = None
    beginning: bool = False
    since: int | None = None
    until_end: bool = False
    reasons: frozenset[str] = frozenset()
    count: int | None = None

    def takes(self, record: StoredRecord) -> bool:
        """Say whether a record is asked for."""
        if self.reasons and dict(record.headers).get("ce_reason", b"").decode(errors="replace") not in self.reasons:
            return False
        if self.key is None:
            return True
        key = (record.key or b"").decode(errors="replace")
        return key == self.key or key.endswith(f":{self.key}")


async def follow(options: KafkaOptions, wanted: Follow) -> AsyncGenerator[StoredRecord, None]:
    """Yield records, those of one partition in order, until there are enough or the caller stops.

    Raises:
        StartError: Kafka or the topic is not there, or may not be read.
    """
    reader = TopicReader(options, wanted.topic)
    left = wanted.count
    try:
        beginning = wanted.beginning or (wanted.until_end and wanted.since is None)
        await reader.open(beginning=beginning, since=wanted.since)
        while (left is None or left > 0) and not (wanted.until_end and await reader.at_end()):
            for record in await reader.fetch():
                late = wanted.until_end and record.offset >= reader.ends[record.partition]
                if wanted.takes(record) and not late and (left is None or left > 0):
                    left = None if left is None else left - 1
                    yield record
    finally:
        await reader.close()


def readable(record: StoredRecord) -> str:
    """Write a record in a few lines; nothing in it can send a terminal control characters."""
    return "\n".join(_lines(record, _headers(record)))


def plain(record: StoredRecord) -> dict[str, Any]:
    """Return a record as JSON takes it; a value that is neither JSON nor text stands there as hexadecimal digits."""
    value = record.value or b""
    shown: Any
    try:
        shown = _json(value)
    except ValueError:
        shown = value.decode() if _is_text(value) else {"hex": value.hex()}
    return {
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "timestamp": _time(record.timestamp),
        "key": (record.key or b"").decode(errors="replace"),
        "headers": _headers(record),
        "value": shown,
    }


def _lines(record: StoredRecord, headers: dict[str, str]) -> Iterator[str]:
    key = (record.key or b"").decode(errors="replace")
    yield f"{_time(record.timestamp)}  {record.topic} {record.partition}@{record.offset}  {printable(key)}"
    if headers.get("ce_type") == TYPE:
        yield from _letter(record.value or b"", headers)
        return
    try:
        entity = _json(record.value or b"")
    except ValueError:
        yield f"    {_text(record.value or b'')}"
        return
    if headers.get("ce_type", "").startswith(EVENT_TYPE):
        yield from (f"    {line}" for line in _event(entity))
    else:
        yield from (f"    {line}" for line in _entity(entity, headers.get(CONTENT_TYPE, "")))
    if QUALITY in headers:
        yield f"    quality: {printable(headers[QUALITY])}"


def _letter(payload: bytes, headers: dict[str, str]) -> Iterator[str]:
    name = headers.get("ce_reason", "")
    reason = Reason.__members__.get(name.upper())
    where = f"stage {headers.get('ce_stage', '')}, feed {headers.get('ce_feed', '')}"
    connector = headers.get("ce_connector", "")
    yield printable(f"    {name} ({where}{f', connector {connector}' if connector else ''})")
    yield printable(f"    why      {headers.get('ce_detail', '')}")
    if reason is not None:
        yield f"    mend     {reason.explanation}"
    if "ce_payloadhash" in headers:
        yield printable(f"    payload  not kept; its SHA-256 is {headers['ce_payloadhash']}")
    elif headers.get(KEPT) == "0":
        yield printable(f"    payload  not kept; it had {headers.get(SIZE, '')} bytes")
    elif KEPT in headers:
        cut = f"cut: the first {len(payload)} of {headers.get(SIZE, '')} bytes, never replayed"
        yield printable(f"    payload  {cut}: {_text(payload)}")
    else:
        yield f"    payload  {len(payload)} bytes: {_text(payload)}"


def _entity(entity: Any, content_type: str) -> Iterator[str]:  # noqa: ANN401 - JSON holds anything
    if not isinstance(entity, dict):
        yield printable(json.dumps(entity, ensure_ascii=False))
        return
    for member in read(content_type, entity).members:
        shown = member.value if isinstance(member.value, str) else json.dumps(member.value, ensure_ascii=False)
        yield printable(f"{member.name}: {shown} {member.unit}".rstrip(" "))


def _event(event: Any) -> Iterator[str]:  # noqa: ANN401 - as above
    """Yield what a network told of a device or gateway, in its own words."""
    if not isinstance(event, dict):
        yield printable(json.dumps(event, ensure_ascii=False))
        return
    for name, value in event.items():
        if name not in {"subject", "time"}:
            text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            line = printable(f"{name}: {text}")
            yield line if len(line) <= _LONGEST else line[:_LONGEST] + "..."


def _headers(record: StoredRecord) -> dict[str, str]:
    return {name: value.decode(errors="replace") for name, value in record.headers}


def _time(ms: int) -> str:
    return times.text(ms).decode() if times.EARLIEST <= ms <= times.LATEST else str(ms)


def _json(value: bytes) -> Any:  # noqa: ANN401 - JSON holds anything
    """Return what JSON holds.

    Raises:
        ValueError: it is none, or nested too deep to be written again.
    """
    try:
        held = json.loads(value, parse_constant=_refused)
        json.dumps(held)
    except RecursionError as deep:
        raise ValueError("nested too deep") from deep
    return held


def _refused(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


def _is_text(value: bytes) -> bool:
    try:
        return value.decode().isprintable()
    except UnicodeDecodeError:
        return False


def _text(value: bytes) -> str:
    """Write bytes as text where they are one, else as hexadecimal digits, and cut them where they are long."""
    try:
        text = printable(value.decode())
    except UnicodeDecodeError:
        text = f"hex {value[:_LONGEST].hex()}"
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "..."


__all__ = ["Follow", "follow", "plain", "readable"]
