"""Times on the wire: UTC, three fraction digits, a literal Z (NGSI-LD, GS CIM 009 clause 4.6.3; RFC 3339)."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

MILLIS = tuple(f".{milli:03d}Z".encode() for milli in range(1000))
"""The end of a time, by its milliseconds."""

MILLI_DIGITS = tuple(b"%03d" % milli for milli in range(1000))
"""The last digits of a number of milliseconds."""

SCALES = {"s": 1000.0, "ms": 1.0, "us": 0.001, "ns": 0.000001}
"""Units of a number of time since 1970: how many milliseconds one is."""

EARLIEST, LATEST = 0, 253_402_300_799_999
"""The years 1970 to 9999, in milliseconds: what the text can say."""

_KEPT_SECONDS = 20_000
_seconds: dict[int, tuple[bytes, bytes]] = {}


def text(ms: int) -> bytes:
    """Return `2026-11-20T10:15:30.250Z` for milliseconds since 1970 UTC, within EARLIEST and LATEST."""
    second, milli = divmod(ms, 1000)
    return (_seconds.get(second) or second_texts(second))[0] + MILLIS[milli]


def second_texts(second: int) -> tuple[bytes, bytes]:
    """Return `2026-11-20T10:15:30`, and `:1795169730`, and keep them: a second has many messages.

    The first begins a time, which costs a microsecond to build; the second begins what tells a `ce_id` apart.
    """
    if len(_seconds) >= _KEPT_SECONDS:
        _seconds.clear()
    text = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S").encode()
    made = _seconds[second] = text, b":%d" % second
    return made


SECONDS = _seconds
"""The seconds whose texts are known; the compiled plans look here before they call `second_texts`."""


def parse(value: Any, form: str) -> int | None:  # noqa: ANN401 - a payload holds anything
    """Return the milliseconds since 1970 that `value` means, or None if it is no time of that form.

    Args:
        form: `iso` (RFC 3339 with a zone; a text without one has no instant), or a unit of SCALES.
    """
    if form == "iso":
        return _parse_iso(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    ms = value * SCALES[form]
    return round(ms) if EARLIEST <= ms <= LATEST else None


def _parse_iso(value: Any) -> int | None:  # noqa: ANN401 - a payload holds anything
    if value.__class__ is not str:
        return None
    # A network server writes many times a second, always alike: the second is known, and so is how it ends.
    second, milli = _seconds_read.get(value[:19]), _ends_read.get(value[19:])
    if second is not None and milli is not None:
        return second + milli
    ms = _parse_any_iso(value)
    if ms is not None and value[10] == "T":
        _keep(value, ms)
    return ms


_seconds_read: dict[str, int] = {}
_ends_read: dict[str, int] = {}
_END = re.compile(r"\.([0-9]{3})[0-9]{0,6}(?:Z|\+00:00)", re.ASCII)


def _keep(value: str, ms: int) -> None:
    """Keep the second and the end of a time in UTC: both are needed, so that each is only ever used as it was read."""
    end = value[19:]
    if not _END.fullmatch(end):
        return
    for kept in (_seconds_read, _ends_read):
        if len(kept) >= _KEPT_SECONDS:
            kept.clear()
    _seconds_read[value[:19]] = ms - ms % 1000
    _ends_read[end] = ms % 1000


def _parse_any_iso(value: str) -> int | None:
    if "T" not in value.upper():
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    if moment.tzinfo is None:
        return None
    ms = int(moment.replace(microsecond=0).timestamp()) * 1000 + moment.microsecond // 1000
    return ms if EARLIEST <= ms <= LATEST else None
