"""What pydantic says about a configuration, as findings; and a draft without what is wrong.

The draft lets the later rules look at the rest of the file, so that an operator sees all errors at once. What was
removed or stood in for is `settled`: no finding about it, or below it, is worth reading.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from types import NoneType, UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from pipeline.config.document import Document
from pipeline.config.findings import Finding, Place, did_you_mean, one_of, secret, sentence, shown
from pipeline.config.values import Section


def alternatives(annotation: Any) -> Iterator[Any]:  # noqa: ANN401 - a type of any kind
    """Yield what a value may be: the members of unions, without annotations and None."""
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from alternatives(get_args(annotation)[0])
    elif origin in {Union, UnionType}:
        for member in get_args(annotation):
            yield from alternatives(member)
    elif isinstance(annotation, type) and issubclass(annotation, Section):
        yield from annotation.kinds()
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


_KINDS = {
    "string_type": "a text",
    "bool_type": "`true` or `false`",
    "bool_parsing": "`true` or `false`",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_parsing_size": "a whole number of a sensible size",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "dict_type": "a mapping: lines `name: value`",
    "model_type": "a mapping: lines `key: value`",
    "model_attributes_type": "a mapping: lines `key: value`",
    "tuple_type": "a list: `[first, second]`",
}
_BOUNDS = {
    "greater_than_equal": ("ge", "too small: at least"),
    "less_than_equal": ("le", "too large: at most"),
    "greater_than": ("gt", "too small: more than"),
    "less_than": ("lt", "too large: less than"),
}
_PLAIN = re.compile(r"[A-Za-z/][\w./:@+-]*|[0-9]+[A-Za-z]+", re.ASCII)
_SIZES = {"too_short", "string_too_short", "too_long", "string_too_long"}


def place_of(error: ErrorDetails) -> Place:
    """Return where an error is; pydantic's own marks (`[key]`, the tags of unions) are no keys of the file."""
    return tuple(step for step in error["loc"] if step != "[key]" and not str(step).startswith("<"))


class Sentences:
    """Makes findings of pydantic's errors.

    Args:
        shape: What the file is held against.
        document: The file.
    """

    def __init__(self, shape: type[Section], document: Document) -> None:
        self._shape = shape
        self._document = document
        self._makers: dict[str, Callable[[Place, ErrorDetails], Finding]] = {
            "missing": self._missing,
            "extra_forbidden": self._unknown,
            "literal_error": self._not_listed,
            "value_error": self._refused,
            **dict.fromkeys(_KINDS, self._wrong_kind),
            **dict.fromkeys(_BOUNDS, self._out_of_bounds),
            **dict.fromkeys(_SIZES, self._wrong_size),
        }

    def finding(self, error: ErrorDetails) -> Finding:
        """Say in a sentence what pydantic found."""
        return self._makers.get(error["type"], self._other)(place_of(error), error)

    def _shown(self, place: Place, error: ErrorDetails) -> str:
        written = self._document.scalar(place) or self._document.scalar(place[:-1])
        return shown(written[0] if written else error["input"], place)

    def _refused(self, place: Place, error: ErrorDetails) -> Finding:
        said = sentence(str(error["ctx"]["error"]))
        if isinstance(error["input"], dict | list | tuple):  # the section itself; its path says which
            return Finding(place, said)
        return Finding(place, f"{self._shown(place, error)} {said}")

    def _out_of_bounds(self, place: Place, error: ErrorDetails) -> Finding:
        name, words = _BOUNDS[error["type"]]
        return Finding(place, f"{self._shown(place, error)} is {words} {error['ctx'][name]}.")

    def _wrong_size(self, place: Place, error: ErrorDetails) -> Finding:
        told = error.get("ctx", {})
        words = "is empty or too short." if error["type"].endswith("short") else "is too long."
        if error["type"] == "too_long":
            words = f"has {told['actual_length']} entries; expected {told['max_length']} at most."
        return Finding(place, words, self._example(place))

    def _other(self, place: Place, error: ErrorDetails) -> Finding:
        return Finding(place, f"{self._shown(place, error)} cannot be used: {error['msg']}.")

    def _missing(self, place: Place, _: ErrorDetails) -> Finding:
        field = field_at(self._shape, place)
        said = f"is missing: {_lower(field.description)}" if field and field.description else "is missing."
        return Finding(place, said, self._example(place))

    def _example(self, place: Place) -> str:
        field = field_at(self._shape, place)
        if field is None:  # a name of the operator's own: what its mapping shows is an example for it
            mapping = field_at(self._shape, place[:-1])
            shows = mapping.examples[0] if mapping and mapping.examples else None
            examples = list(shows.values()) if isinstance(shows, dict) else []
        else:
            examples = list(field.examples or ())
        return f"Write for example `{example(str(place[-1]), examples[0])}`." if examples else ""

    def _unknown(self, place: Place, _: ErrorDetails) -> Finding:
        known = known_keys(self._shape, place[:-1])
        if place[-1] in known:
            return Finding(place, "means nothing beside the other keys of this section.", "Remove it.")
        meant = did_you_mean(str(place[-1]), known)
        if meant:
            return Finding(place, "is no key of this section.", f"Did you mean `{meant}`?")
        return Finding(place, "is no key of this section.", f"It may have {one_of(known)}." if known else "")

    def _wrong_kind(self, place: Place, error: ErrorDetails) -> Finding:
        expected, value = _KINDS[error["type"]], error["input"]
        if value is None:
            fix = (
                "Write a value, or leave the key out; YAML takes a `#` after a space as a comment unless it is quoted."
            )
            return Finding(place, f"has no value; expected {expected}.", fix)
        written, yaml_kind = self._document.scalar(place) or (value, "")
        if error["type"] == "string_type" and yaml_kind in {"bool", "int", "float"}:
            read = "true or false" if yaml_kind == "bool" else "a number"
            quoted = "Put it in quotes" + ("." if secret(place) else f': "{written}".')
            return Finding(place, f"{shown(written, place)} without quotes is {read} to YAML; expected a text.", quoted)
        got = shown(written, place)
        if error["type"] in {"model_type", "model_attributes_type", "dict_type"} and isinstance(value, str):
            got = "a text"
        return Finding(place, f"expected {expected}, got {got}.", self._example(place))

    def _not_listed(self, place: Place, error: ErrorDetails) -> Finding:
        words = re.findall(r"'([^']*)'", error["ctx"]["expected"])
        meant = did_you_mean(str(error["input"]), words)
        fix = f"Did you mean `{meant}`?" if meant else ""
        return Finding(place, f"{self._shown(place, error)} is not allowed; expected {one_of(words)}.", fix)


def example(key: str, value: object) -> str:
    """Write a key and its value as one line of YAML."""
    if isinstance(value, str) and _PLAIN.fullmatch(value):
        return f"{key}: {value}"
    return f"{key}: {json.dumps(value, ensure_ascii=False)}"


def _lower(sentence: str) -> str:
    return sentence[0].lower() + sentence[1:] if not sentence[:2].isupper() else sentence


_ROUNDS = 20
Shape = TypeVar("Shape", bound=Section)


class Draft:
    """The file's content under repair.

    Attributes:
        value: The content, without what was found wrong.
        settled: Places that need no further finding.
        findings: In the order they were found.
    """

    def __init__(self, shape: type[Section], document: Document) -> None:
        self.shape = shape
        self.document = document
        self._sentences = Sentences(shape, document)
        self.value: Any = document.value
        self.findings: list[Finding] = []
        self.settled: set[Place] = set()
        self._around: set[Place] = set()  # each settled place, and all that it stands in
        self._suggested: dict[Place, Place | None] = {}
        self._copies: dict[int, Any] = {}
        self._changes = 0
        for place in (place for finding in document.findings for place in finding.settles):
            self._settled(place)

    def repaired(self, lenient: type[Shape], context: Mapping[str, Any]) -> Shape | None:
        """Collect every finding and return what is right of the configuration; None if nothing can be made of it."""
        for _ in range(_ROUNDS):
            try:
                return lenient.model_validate(self.value, context=context)
            except ValidationError as problem:
                before = self._changes
                for error in reversed(problem.errors(include_url=False)):
                    self._settle(error)
                if self._changes == before:
                    break
        return None

    def report(self, context: Mapping[str, Any]) -> None:
        """Find what is wrong with the content as it stands."""
        try:
            self.shape.model_validate(self.value, context=context)
        except ValidationError as problem:
            errors = problem.errors(include_url=False)
            places = [place_of(error) for error in errors]
            around = {place[:depth] for place in places for depth in range(len(place))}
            meant = {
                self._meant(place)
                for error, place in zip(errors, places, strict=True)
                if error["type"] == "extra_forbidden"
            }
            for error, place in zip(errors, places, strict=True):
                if error["type"] == "too_short" and place in around:
                    continue  # pydantic counts the entries that were right
                if place not in meant and not self.knows(place):
                    self.findings.append(self._sentences.finding(error))

    def knows(self, place: Place) -> bool:
        """Say whether a finding at `place` would repeat, or follow from, one that was made."""
        return any(place[:depth] in self.settled for depth in range(len(place) + 1))

    def add(self, finding: Finding) -> None:
        """Take a finding of a later rule, unless it follows from an earlier one."""
        if not any(self.knows(place) for place in (finding.place, *finding.rests_on)):
            self.findings.append(finding)

    def _settled(self, place: Place) -> None:
        self.settled.add(place)
        self._around.update(place[:depth] for depth in range(len(place) + 1))

    def _meant(self, place: Place) -> Place | None:
        if place not in self._suggested:
            known = known_keys(self.shape, place[:-1])
            meant = None if place[-1] in known else did_you_mean(str(place[-1]), known)  # known: to another section
            self._suggested[place] = None if meant is None else (*place[:-1], meant)
        return self._suggested[place]

    def _settle(self, error: ErrorDetails) -> None:
        place, kind = place_of(error), error["type"]
        if kind == "value_error" and isinstance(error["input"], dict) and not self._disturbed(place):
            self.add(
                self._sentences.finding(error)
            )  # a section's own rule, which pydantic holds only once its keys are right
        if kind == "extra_forbidden":
            meant = self._meant(place)
            value = _get(self.value, place)
            self._remove(place)
            self._settled(place)
            if meant is not None and _get(self.value, meant) is None:
                self._settled(meant)
                self._set(meant, value)
            return
        self._settled(place)
        field = field_at(self.shape, place) if kind == "missing" else None
        if "routes" in place[-2:-1]:
            self._set(place, {"topic": f"removed/{place[-1]}", "ignore": True})
        elif field is not None and field.examples:
            self._set(place, field.examples[0])
        elif place and isinstance(place[-1], int):
            self._remove(place[:-1])
        else:
            self._remove(place)

    def _disturbed(self, place: Place) -> bool:
        return place in self._around

    def _set(self, place: Place, new: Any) -> None:  # noqa: ANN401 - a file holds anything
        container, missing = self._container(place), object()
        if container is not None and _get(container, place[-1:], missing) != new:
            with suppress(IndexError, TypeError):
                container[place[-1]] = new
                self._changes += 1

    def _remove(self, place: Place) -> None:
        container = self._container(place)
        if isinstance(container, dict) and place[-1] in container:
            del container[place[-1]]
            self._changes += 1

    def _container(self, place: Place) -> Any:  # noqa: ANN401
        """Return what `place` stands in, to be changed: a copy, as an alias elsewhere in the file keeps its value."""
        if not place or not isinstance(_get(self.value, place[:-1]), dict | list):
            return None
        self.value = container = self._copy(self.value)
        for step in place[:-1]:
            container[step] = container = self._copy(container[step])
        return container

    def _copy(self, container: Any) -> Any:  # noqa: ANN401
        """Copy once what is changed many times."""
        if id(container) not in self._copies:
            container = container.copy()
            self._copies[id(container)] = container
        return container


def _get(value: Any, place: Place, otherwise: Any = None) -> Any:  # noqa: ANN401
    for step in place:
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            return otherwise
    return value
