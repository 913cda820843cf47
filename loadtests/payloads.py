"""How long the worst payloads of 256 KiB take to parse, beside json.loads of plain JSON of that size."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass
from time import process_time
from typing import Any

from connectors.formats import senml, ultralight
from connectors.formats.senml import MOST_RECORDS
from pipeline.core import strict_json as json_guard
from pipeline.core.delivery import Message
from pipeline.core.errors import PayloadError
from pipeline.core.field_path import Path
from pipeline.core.strict_json import MOST_CONTAINERS
from pipeline.normalise.decode import Envelope
from pipeline.plugins.discovery import dialects
from pipeline.sdk.connector import MOST_VALUES
from pipeline.sdk.dialect import Dialect, Event
from pipeline.sdk.uplink import Uplink

SIZE = 256 * 1024
_ROUNDS = 5
Json = Any
Samples = dict[str, list[tuple[str, Json]]]
"""By dialect: topics and messages, as JSON values."""


@dataclass(frozen=True)
class Payload:
    """A payload that is as costly as its size allows, and what reads it."""

    name: str
    read: Callable[[bytes], object]
    payload: bytes

    def measured(self) -> tuple[float, float]:
        """Return the seconds of processor time that it takes, and that json.loads takes for 256 KiB of plain JSON."""
        plain = _fill(SIZE, b"[", b'{"n":"temperature","v":21.5}', b"]")
        return _best(lambda: self.read(self.payload)), _best(lambda: json.loads(plain))

    def loaded(self) -> float:
        """Return the seconds that json.loads takes for the same bytes, also where it refuses them."""
        return _best(lambda: json.loads(self.payload))


def table(samples: Samples) -> str:
    """Return the figures as Markdown. samples: messages of network servers, which are made large."""
    rows = ["| payload | bytes | ms | json.loads of plain JSON, ms | ratio | json.loads of the same, ms | ratio |"]
    rows.append("|---|---|---|---|---|---|---|")
    for each in [*worst(), *inflated(samples)]:
        took, plain = each.measured()
        same = each.loaded()
        ms = [f"{seconds * 1000:.1f}" for seconds in (took, plain, same)]
        cells = (each.name, len(each.payload), ms[0], ms[1], f"{took / plain:.1f}", ms[2], f"{took / same:.1f}")
        rows.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(rows)


def worst(size: int = SIZE) -> list[Payload]:
    """Return the worst payloads known of each format, of about `size` bytes."""
    return [*_senml(size), *_ultralight(size), *_json(size), *_envelopes(size)]


def inflated(samples: Samples, size: int = SIZE) -> Iterator[Payload]:
    """Yield messages of network servers, each made large in four ways."""
    found = {each.name: each for each in dialects() if isinstance(each, Dialect)}
    for name, messages in samples.items():
        for number, (topic, message) in enumerate(messages):
            for way, grow in _WAYS.items():
                large = json.dumps(grow(deepcopy(message), size), separators=(",", ":")).encode()
                yield Payload(f"{name} {number} {way}", _said(found[name], topic), large)


def _said(dialect: Dialect, topic: str) -> Callable[[bytes], object]:
    def read(payload: bytes) -> list[object]:
        said = dialect.reader(topic)(payload, 1)
        return [_all(each) for each in said]

    def _all(each: object) -> object:
        if isinstance(each, Uplink):
            return each.fields, each.receptions(), each.names()
        return (each.details, each.names()) if isinstance(each, Event) else each

    return read


def _fill(size: int, start: bytes, unit: bytes, end: bytes, between: bytes = b",") -> bytes:
    many = max(1, (size - len(start) - len(end)) // (len(unit) + len(between)))
    return start + between.join([unit] * many) + end


def _numbered(size: int, start: bytes, unit: bytes, end: bytes, between: bytes = b",") -> bytes:
    many = max(1, size // (len(unit % 0) + len(between)))
    return start + between.join(unit % number for number in range(many)) + end


def _senml(size: int) -> list[Payload]:
    long = b"x" * (size // 2)
    packs = {
        "one name": _fill(size, b"[", b'{"n":"a","v":1}', b"]"),
        "names": _numbered(size, b"[", b'{"n":"a%05d","v":1}', b"]"),
        "times": _numbered(size, b"[", b'{"n":"a","v":1,"t":1%05d}', b"]"),
        "a series": _numbered(size, b'[{"bn":"a:"},', b'{"n":"temp","u":"Cel","t":1%05d,"v":21.5}', b"]"),
        "2,000 of one name": _fill(15 * MOST_RECORDS, b"[", b'{"n":"a","v":1}', b"]"),
        "2,000 names": _numbered(20 * MOST_RECORDS, b"[", b'{"n":"a%05d","v":1}', b"]"),
        "a thousand readings": _numbered(43 * 1000, b"[", b'{"n":"temp","u":"Cel","t":1%05d,"v":21.5}', b"]"),
        "a long base name": _fill(size, b'[{"bn":"' + long + b'"},', b'{"n":"a","v":1}', b"]"),
        "a long base unit": _fill(size, b'[{"bn":"a","bu":"' + long + b'"},', b'{"n":"a","v":1}', b"]"),
        "names of 250 characters": _numbered(size, b'[{"bn":"' + b"x" * 245 + b'"},', b'{"n":"%05d","v":1}', b"]"),
        "no values": _fill(size, b"[", b"{}", b"]"),
        "one large record": _numbered(size, b'[{"bn":"a","v":1,', b'"%05d":1', b"}]"),
    }
    return [Payload(f"senml {name}", _senml_read, pack) for name, pack in packs.items()]


def _senml_read(payload: bytes) -> object:
    return senml.FORMAT.decode(Uplink(payload))


def _ultralight(size: int) -> list[Payload]:
    texts = {
        "1,000 readings": _fill(8 * 1000, b"", b"t|1.5e5", b"", b"#"),
        "5,000 values": _numbered(8 * MOST_VALUES, b"", b"%05d|1", b"", b"|"),
        "readings": _fill(size, b"", b"t|1", b"", b"#"),
        "numbers": _fill(size, b"", b"t|1.5e5", b"", b"#"),
        "names": _numbered(size, b"", b"%05d|1", b"", b"|"),
        "bars": b"|" * size,
        "one number": b"t|" + b"1" * size,
    }
    return [
        Payload(f"ultralight {name}", lambda payload: ultralight.FORMAT.decode(Uplink(payload)), text)
        for name, text in texts.items()
    ]


def _json(size: int) -> list[Payload]:
    quarter = size // 4
    texts = {
        "members": _numbered(size, b"{", b'"%05d":1', b"}"),
        "one key often": _fill(size, b"{", b'"a":1', b"}"),
        "a key twice at the end": _numbered(size, b"{", b'"%05d":1', b',"00000":1}'),
        "escapes": _numbered(size, b'{"a":{"b":1},', b'"%05d":"\\u003a"', b"}"),
        "objects, an escape": _fill(min(size, 8 * MOST_CONTAINERS - 100), b'{"x":"\\u003a","a":[', b'{"a":1}', b"]}"),
        "empty objects": _fill(min(size, 3 * MOST_CONTAINERS - 100), b'{"a":[', b"{}", b"]}"),
        "too many empty objects": _fill(size, b'{"a":[', b"{}", b"]}"),
        "30 levels": _fill(min(size, 19_900), b'{"a":[', b"[" * 30 + b"]" * 30, b"]}"),
        "30 levels too often": _fill(size, b'{"a":[', b"[" * 30 + b"]" * 30, b"]}"),
        "too deep": b'{"a":' + b"[" * 2 * quarter + b"]" * 2 * quarter + b"}",
        "too deep, apart": b'{"a":' + b"[[]," * quarter + b"}",
        "a long number": b'{"a":{"b":1},"c":0.' + b"1" * size + b"}",
        "quotes": b'{"a":' + b"[" * 70 + b'"' + b'\\"' * 2 * quarter + b"}",
    }
    guarded = [Payload(f"json {name}", json_guard.parse, text) for name, text in texts.items()]
    return [*guarded, *(Payload(f"server's json {name}", json_guard.document, text) for name, text in texts.items())]


def _envelopes(size: int) -> list[Payload]:
    data = Path("data", ("data",))
    texts = {
        "hex": (Envelope("hex"), b"0a" * (size // 2)),
        "base64": (Envelope("base64"), b"QUJD" * (size // 4)),
        "base64 in lines": (Envelope("base64"), b"QUJD\n" * (size // 5)),
        "hex in json": (Envelope("hex", data), b'{"data":"' + b"0a" * (size // 2) + b'"}'),
        "base64 in json": (Envelope("base64", data), b'{"data":"' + b"QUJD" * (size // 4) + b'"}'),
    }
    return [Payload(f"envelope {name}", _opened(envelope), text) for name, (envelope, text) in texts.items()]


def _opened(envelope: Envelope) -> Callable[[bytes], object]:
    return lambda payload: envelope.open(Message("a", payload, 1))


def _lists(value: Json, size: int) -> Json:
    """Make each list of a message as long as fits."""
    many = max(1, size // (2 * len(json.dumps(value))))

    def grown(each: Json) -> Json:
        if isinstance(each, dict):
            return {name: grown(inner) for name, inner in each.items()}
        return each * many if isinstance(each, list) else each

    return grown(value)


def _members(value: Json, size: int) -> Json:
    """Add members to each object."""
    many = size // (12 * max(1, json.dumps(value).count("{")))
    more = {f"k{number:05d}": 1 for number in range(many)}

    def grown(each: Json) -> Json:
        if isinstance(each, dict):
            return {**{name: grown(inner) for name, inner in each.items()}, **more}
        return [grown(inner) for inner in each] if isinstance(each, list) else each

    return grown(value)


def _objects(value: Json, size: int) -> Json:
    """Add a list of objects."""
    return {**value, "more": [{f"a{number}": 1} for number in range(min(size // 12, 9_900))]}


def _numbers(value: Json, size: int) -> Json:
    """Add a list of numbers."""
    return {**value, "more": [1] * (size // 2)}


_WAYS: dict[str, Callable[[Json, int], Json]] = {
    "long lists": _lists,
    "many members": _members,
    "many objects": _objects,
    "many numbers": _numbers,
}


def _best(work: Callable[[], object]) -> float:
    best = float("inf")
    for _ in range(_ROUNDS):
        began = process_time()
        with suppress(PayloadError, ValueError, RecursionError):
            work()
        best = min(best, process_time() - began)
    return best
