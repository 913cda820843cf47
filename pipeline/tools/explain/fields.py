"""The values of a payload, each with what takes it: for a person who asks why something is not published."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pipeline.core.field_path import Path
from pipeline.core.json_words import Steps, kind, spelled
from pipeline.normalise.binding import Binding, FromField, Position
from pipeline.tools.explain.explanation import Field

_SHOWN = 200
_LONGEST = 60
_PLAIN = {str, float, bool, type(None)}
_DEEPEST = 32  # as json_guard.py; what a decoder returns may even hold itself


def fields_of(
    bindings: Sequence[Binding], decoded: Mapping[str, Any], told: Mapping[Steps, str] | None = None
) -> list[Field]:
    """Return what the payload held, at most 200 values. told: what else takes a value, and where that stands."""
    takers = dict(told or {})
    for binding in reversed(bindings):
        takers |= dict(_takers(binding))
    found: list[Field] = []
    for steps, value in _leaves(decoded, ()):
        if len(found) == _SHOWN:
            break
        by = next((takers[steps[:end]] for end in range(1, len(steps) + 1) if steps[:end] in takers), None)
        found.append(Field(spelled(steps), value, by))
    return found


def shown(value: object) -> str:
    """Write a value as JSON does, cut where it is long; nothing in it can break a line."""
    try:
        text = json.dumps(value, ensure_ascii=False, default=as_json)
        text = text if text.isprintable() else json.dumps(value, default=as_json)
    except Exception as error:  # noqa: BLE001 - a decoder may return what holds itself, or refuses to be shown
        text = f"{kind(value)} that cannot be shown: {type(error).__name__}"
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."


def as_json(value: object) -> object:
    """Return what JSON takes in the place of a value that it does not know: `default` of json.dumps."""
    return dict(value) if isinstance(value, Mapping) else repr(value)


def _takers(binding: Binding) -> Iterator[tuple[Steps, str]]:
    if isinstance(binding.location, Position):
        place = binding.location
        named = {"longitude": place.longitude, "latitude": place.latitude, "altitude": place.altitude}
        yield from ((path.steps, f"location ({name})") for name, path in named.items() if isinstance(path, Path))
    if binding.observed_at is not None:
        yield binding.observed_at.path.steps, "time"
    if isinstance(binding.device, FromField):
        yield binding.device.path.steps, "device"
    for name, source in binding.attributes.items():
        yield source.path.steps, name


def _leaves(value: object, steps: Steps) -> Iterator[tuple[Steps, object]]:
    if len(steps) == _DEEPEST and isinstance(value, Mapping | list):
        yield steps, shown(value)
    elif isinstance(value, Mapping) and value:
        for name, each in value.items():
            yield from _leaves(each, (*steps, name))
    elif isinstance(value, list) and value:
        for index, each in enumerate(value):
            yield from _leaves(each, (*steps, index))
    elif steps:
        yield steps, value if type(value) in _PLAIN or _short(value) else shown(value)


def _short(value: object) -> bool:
    return type(value) is int and value.bit_length() <= _LONGEST
