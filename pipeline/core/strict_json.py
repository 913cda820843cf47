"""Parses JSON from untrusted devices: orjson, and guards for what it lets through.

orjson refuses NaN, a BOM, invalid UTF-8 and what follows the value. It accepts 1,024 levels, and of a key that an
object holds twice it keeps the last. The guards count bytes first, which costs 0.2 us, and look closely only if a count
is suspicious.
"""

from __future__ import annotations

import json
import re
from typing import Any

import orjson

from pipeline.core.errors import PayloadError, Reason
from pipeline.core.field_path import kind, told, unprintable

MAX_DEPTH = 32
MOST_CONTAINERS = 3_000
"""Objects and arrays of one message, three for each reading that it may have; 256 KiB could hold 130,000."""

MOST_TEXTS = 8_000
"""Names and texts of a network server's message, each of which may be looked at; 256 KiB could hold 87,000."""

MOST_VALUES = 16_000
"""Values of a network server's message, most of them in arrays of numbers; 256 KiB could hold 130,000."""

_MOST_NAMED = 2_000
"""Members among which the key that came twice is looked for: that takes five times as long as to see that one did."""

_TOO_DEEP = b"[" * (MAX_DEPTH + 1)
_TEXTS = re.compile(rb'"[^"]*"?')
_ONE_KIND = bytes.maketrans(b"{}", b"[]")
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_NEITHER = bytes(set(range(256)) - set(b'[]{}"'))  # brackets nor quotes
_NEITHER_COMMAS = bytes(set(range(256)) - set(b',"'))


def parse(payload: bytes, loads: Any = orjson.loads) -> dict[str, Any]:  # noqa: ANN401 - a default saves a lookup
    """Return the object that `payload` holds.

    Raises:
        PayloadError: too_deep, too_expensive, malformed, not_an_object or duplicate_key, with a sentence.
    """
    if payload.rfind(b"{") > 0 or payload.rfind(b"[") >= 0:
        _refuse_depth(payload)
    try:
        fields = loads(payload)
    except orjson.JSONDecodeError as error:
        raise _malformed(error) from None
    if fields.__class__ is not dict:
        raise PayloadError(f"Expected a JSON object, got {kind(fields)}.", Reason.NOT_AN_OBJECT)
    if payload.count(b":") != len(fields):
        _refuse_duplicates(payload, fields)
    return fields


def document(payload: bytes) -> dict[str, Any]:
    """Return the object that a network server's message holds; unlike a device, a server writes each key once.

    Raises:
        PayloadError: too_deep, too_expensive, malformed or not_an_object, with a sentence.
    """
    _refuse_depth(payload)
    if (texts := payload.count(b'"') // 2) > MOST_TEXTS:
        detail = f"Expected at most {MOST_TEXTS} names and texts in one message, got {texts}."
        raise _no_text(payload) or PayloadError(detail, Reason.TOO_EXPENSIVE)
    if payload.count(b",") > MOST_VALUES and (values := len(_outside_texts(payload, _NEITHER_COMMAS))) > MOST_VALUES:
        detail = f"Expected at most {MOST_VALUES} values in one message, got {values}."
        raise _no_text(payload) or PayloadError(detail, Reason.TOO_EXPENSIVE)
    try:
        fields = orjson.loads(payload)
    except orjson.JSONDecodeError as error:
        raise _malformed(error) from None
    if fields.__class__ is not dict:
        raise PayloadError(f"Expected a JSON object, got {kind(fields)}.", Reason.NOT_AN_OBJECT)
    return fields


def _malformed(error: orjson.JSONDecodeError) -> PayloadError:
    """Say what is no JSON, and name what cannot be seen in it."""
    said, at = str(error), error.doc[error.pos : error.pos + 6]
    if "surrogate" in said and at.startswith("\\u"):
        said += f": {at} is half of a surrogate pair, and no character"
    elif at and not at[0].isprintable():
        said += f": {unprintable(at[0])}"
    return PayloadError(f"Expected JSON: {said}.", Reason.MALFORMED)


def _refuse_depth(payload: bytes) -> None:
    if len(payload.translate(None, _NO_BRACKETS)) <= 2 * MAX_DEPTH:
        return  # each level needs two
    brackets = _brackets(payload)
    if _TOO_DEEP in brackets:
        raise _too_deep(payload)
    if len(brackets) > 2 * MOST_CONTAINERS:
        detail = f"Expected at most {MOST_CONTAINERS} objects and arrays in one message, got {len(brackets) // 2}."
        raise _no_text(payload) or PayloadError(detail, Reason.TOO_EXPENSIVE)
    for _ in range(MAX_DEPTH):  # each round takes away the innermost level
        shorter = brackets.replace(b"[]", b"")
        if len(shorter) == len(brackets):
            break
        brackets = shorter
    if b"[]" in brackets or brackets.count(b"[") > MAX_DEPTH:
        raise _too_deep(payload)


def _brackets(payload: bytes) -> bytes:
    """Return the brackets outside of texts, of one kind."""
    return _outside_texts(payload, _NEITHER)


def _outside_texts(payload: bytes, others: bytes) -> bytes:
    """Return what stands outside of texts, without `others`, by steps that are each one pass in C."""
    if b"\\" in payload:
        payload = payload.replace(b"\\\\", b"").replace(b'\\"', b"")  # what is left of quotes begins and ends texts
    # Two quotes are a text without any, or the end of one text and the beginning of the next, which may be one.
    return _TEXTS.sub(b"", payload.translate(_ONE_KIND, others).replace(b'""', b""))


def _too_deep(payload: bytes) -> PayloadError:
    return _no_text(payload) or PayloadError(f"Expected at most {MAX_DEPTH} levels of nesting.", Reason.TOO_DEEP)


def _no_text(payload: bytes) -> PayloadError | None:
    """Say that a payload is binary: the brackets in it are bytes like others, and nest nothing."""
    try:
        payload.decode()
    except UnicodeDecodeError as error:
        return PayloadError(f"Expected JSON: byte {error.start + 1} is no UTF-8 text.", Reason.MALFORMED)
    return None


def _refuse_duplicates(payload: bytes, fields: dict[str, Any]) -> None:
    # Members and colons in texts are what colons there are, an escape among them; behind a backslash of its own an
    # escape is none. What was kept has fewer exactly where a member was dropped.
    exact = payload.replace(b"\\\\", b"") if b"\\" in payload else payload
    colons = exact.count(b":") + exact.count(b"\\u003a") + exact.count(b"\\u003A")
    if colons == orjson.dumps(fields).count(b":"):
        return
    if colons <= _MOST_NAMED:
        # json.loads reads integers of any length as text first, so that no number can slow it down.
        json.loads(payload, object_pairs_hook=_once, parse_int=len, parse_float=len)
    raise PayloadError("Expected each key once; one of many came twice.", Reason.DUPLICATE_KEY)


def _once(pairs: list[tuple[str, Any]]) -> None:
    seen: set[str] = set()
    for key, _ in pairs:
        if key in seen:
            raise PayloadError(f"Expected each key once, got {told(key)} twice.", Reason.DUPLICATE_KEY)
        seen.add(key)
