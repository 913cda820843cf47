"""Which keys a place of the configuration has: for suggestions, stand-ins and the reference page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from pipeline.config.findings import Place
from pipeline.config.values import Section


def alternatives(annotation: Any) -> Iterator[Any]:  # noqa: ANN401 - a type of any kind
    """Yield what a value may be: the members of unions, without annotations and None."""
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from alternatives(get_args(annotation)[0])
    elif origin in {Union, UnionType}:
        for member in get_args(annotation):
            yield from alternatives(member)
    elif annotation is not NoneType:
        yield annotation


def entries(annotation: Any) -> Any:  # noqa: ANN401
    """Return the type of a mapping's or list's entries, or None for anything else."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in {dict, Mapping}:
        return arguments[1]
    return arguments[0] if origin is tuple else None


def sections(annotation: Any) -> Iterator[type[Section]]:  # noqa: ANN401
    """Yield the sections that a value may be."""
    for each in alternatives(annotation):
        if isinstance(each, type) and issubclass(each, Section):
            yield each


def _annotations(root: type[Section], place: Place) -> list[Any]:
    found: list[Any] = [root]
    for step in place:
        inner: list[Any] = []
        for each in (alternative for annotation in found for alternative in alternatives(annotation)):
            if isinstance(each, type) and issubclass(each, Section):
                inner += [each.model_fields[str(step)].annotation] if str(step) in each.model_fields else []
            elif (entry := entries(each)) is not None:
                inner.append(entry)
        found = inner
    return found


def known_keys(root: type[Section], place: Place) -> tuple[str, ...]:
    """Return the keys that the section at `place` may have."""
    every = [section for annotation in _annotations(root, place) for section in sections(annotation)]
    return tuple(dict.fromkeys(key for section in every for key in section.model_fields))


def field_at(root: type[Section], place: Place) -> FieldInfo | None:
    """Return the declaration of the key at `place`, or None."""
    for annotation in _annotations(root, place[:-1]):
        for section in sections(annotation):
            if place and str(place[-1]) in section.model_fields:
                return section.model_fields[str(place[-1])]
    return None
