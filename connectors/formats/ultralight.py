"""UltraLight 2.0 of FIWARE's IoT agents: `t|25|h|42#t|26`, pairs of a name and a value, readings parted by `#`.

Syntax: https://github.com/telefonicaid/iotagent-ul, docs/usermanual.md, "Measure Payload Syntax". A reading may begin
with its time, `2016-06-13T00:35:30Z|t|25`, which becomes the field `TimeInstant`. Values have no types on the wire:
what is written as a JSON number is a number here, `true` and `false` are booleans, and all else is a text.
"""

import re

from headrace import Fields, Format, PayloadError
from pipeline.sdk.connector import MOST_READINGS, MOST_VALUES, too_many

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d.*", re.ASCII)
_NUMBER = re.compile(r"-?(0|[1-9]\d{0,30})(\.\d{1,40})?([eE][+-]?\d{1,2})?", re.ASCII)
_WORDS = {"true": True, "false": False}
TIME = "TimeInstant"


def parse(payload: bytes, received_at: int) -> list[Fields]:  # noqa: ARG001 - all parsers take it
    """Return the readings, in the order of the payload; `TimeInstant` is there where it was sent.

    Raises:
        PayloadError: the payload is no UltraLight 2.0 measure, or holds too many readings or values (`too_expensive`).
    """
    try:
        text = payload.decode()
    except UnicodeDecodeError:
        raise PayloadError("expected text in UTF-8 such as `t|25|h|42`") from None
    if "@" in text.split("|", 1)[0]:
        raise PayloadError("expected measures such as `t|25`, got a command's answer (`device@command|result`)")
    readings, values = text.count("#") + 1, (text.count("|") + 1) // 2
    if readings > MOST_READINGS:
        raise too_many(MOST_READINGS, "readings", readings)
    if values > MOST_VALUES:
        raise too_many(MOST_VALUES, "values", values)
    return [_reading(group) for group in text.strip().split("#")]


def _reading(group: str) -> Fields:
    parts = group.split("|")
    fields: dict[str, str | float | bool] = {}
    if len(parts) % 2 and _TIME.fullmatch(parts[0]):
        fields[TIME] = parts.pop(0)
    if len(parts) % 2 or not parts:
        raise PayloadError(f"expected pairs such as `t|25`, got {group[:60]!r}")
    for name, value in zip(parts[::2], parts[1::2], strict=True):
        if not name or name in fields:
            raise PayloadError(f"expected each name once and not empty, got {name[:40]!r} in {group[:60]!r}")
        fields[name] = _value(value)
    return fields


def _value(text: str) -> str | float | bool:
    if text in _WORDS:
        return _WORDS[text]
    number = _NUMBER.fullmatch(text)
    if number is None:
        return text
    return float(text) if number[2] or number[3] else int(text)


FORMAT = Format("ultralight", parse)
