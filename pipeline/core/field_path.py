"""What a payload holds, in a sentence for a person: JSON's own words (null, an object), and never Python's.

A decoder may return anything, so nothing here trusts a value: it is named, cut short, and never raises.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

Fields = Mapping[str, Any]
"""What a payload decodes to: names, or numbers of array places, lead to values and deeper fields."""

WRAPPER = "\0wrapper"
"""Under this name, which no device has, a reading's fields hold the JSON object that wrapped the payload."""


@dataclass(frozen=True, slots=True)
class Path:
    """Where a value stands in the fields: a name, or a dotted path with array places (`pm.2_5`, `values[0].v`)."""

    text: str
    steps: tuple[str | int, ...]

    def find(self, fields: Any) -> Any:  # noqa: ANN401 - a payload holds anything
        """Return the value there, or None where the path leads nowhere (JSON null counts as nothing)."""
        value = fields
        for step in self.steps:
            try:
                value = value[step]
            except (KeyError, IndexError, TypeError):
                return None
        return value


_LONGEST = 60
_LONGEST_INTEGER = 200  # bits; more digits than a person reads
_PLAIN_STEP = re.compile(r"""[^.\[\]"'\s](?:[^.\[\]"']*[^.\[\]"'\s])?""")
_SURROGATE = re.compile("[\ud800-\udfff]")

Steps = tuple[str | int, ...]


class PayloadPlace(Protocol):
    """Where a value should stand: `pipeline.normalise.binding.Path`."""

    @property
    def text(self) -> str:
        """The path as the configuration has it."""

    @property
    def steps(self) -> Steps:
        """The same as names and numbers of array places."""


def kind(value: object) -> str:
    """Name the kind of a value as JSON does."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "a text"
    if isinstance(value, Mapping):
        return "an object"
    return "an array" if isinstance(value, list | tuple) else "something that JSON does not have"


def told(value: object) -> str:
    """Return a value as JSON writes it, cut where it is long; of what is no scalar, its kind."""
    try:
        if value is None or isinstance(value, bool):
            return json.dumps(value)
        if type(value) is str:
            cut = value[: _LONGEST + 1]
            text = json.dumps(cut, ensure_ascii=not cut.isprintable())
            return text if len(text) <= _LONGEST else f'{text[: _LONGEST - 3]}..."'
        if type(value) is float or (isinstance(value, int) and value.bit_length() <= _LONGEST_INTEGER):
            return str(value)
    except Exception:  # noqa: BLE001 - a decoder's own number may refuse to be looked at
        return kind(value)
    return kind(value)


def spelled(steps: Steps) -> str:
    """Write a path as the configuration reads it (`pipeline.config.values.field_path`)."""
    text = ""
    for step in steps:
        if isinstance(step, int):
            text += f"[{step}]"
            continue
        name = str(step)  # a decoder may return any key
        if len(name) > _LONGEST:
            name = f"{name[:_LONGEST]}..."
        if _PLAIN_STEP.fullmatch(name) and name.isprintable():
            text += f".{name}" if text else name
        elif '"' in name and "'" not in name:
            text += f"['{name}']"
        else:
            text += f"[{_doubled(name)}]"
    return text


def _doubled(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def lack(place: PayloadPlace, fields: Any) -> str:  # noqa: ANN401 - a payload holds anything
    """Say why nothing stands where a path leads: it is absent, or null, or its way ends in something else."""
    value: Any = fields
    for at, step in enumerate(place.steps):
        try:
            value = value[step]
        except Exception:  # noqa: BLE001 - as above
            return f"field {place.text} is not in the payload{_ends(place.steps[:at], value)}"
    return f"field {place.text} is null" if value is None else f"field {place.text} is {told(value)}"


def _ends(before: Steps, value: object) -> str:
    names = tuple(step for step in before if not str(step).startswith("\0"))  # what the engine itself has put there
    if not names or isinstance(value, Mapping | list):
        return ""
    return f": {spelled(names)} is {kind(value)}"


def lacking(places: Iterable[PayloadPlace], readings: Sequence[Any]) -> str:
    """Say that none of several fields is there: which are null, while the others are absent."""
    every = list(dict.fromkeys(places))
    null = [each.text for each in every if any(lack(each, fields).endswith(" is null") for fields in readings)]
    names = ", ".join(dict.fromkeys(each.text for each in every))
    if len(null) == 1:
        said = f"{null[0]} is null"
    else:
        said = f"{', '.join(null)} are null" if null else "none is in the payload"
    return f"Expected at least one of {names}; {said}."


def unprintable(text: str) -> str:
    """Name the first character of a text that cannot be printed."""
    character = next(each for each in text if not each.isprintable())
    named = {"\0": " (NUL)", "\n": " (line break)", "\t": " (tab)", "\ufeff": " (byte order mark)"}.get(character, "")
    if _SURROGATE.match(character):
        named = " (half of a surrogate pair)"
    return f"U+{ord(character):04X}{named}"


def surrogate(text: str) -> str | None:
    """Return the first half of a surrogate pair that stands alone in a text, as an escape; None where there is none."""
    found = _SURROGATE.search(text)
    return None if found is None else f"\\u{ord(found[0]):04x}"
