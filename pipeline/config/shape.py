"""What pydantic says about a configuration, as findings; and a draft without what is wrong.

The draft lets the later rules look at the rest of the file, so that an operator sees all errors at once. What was
removed or stood in for is `settled`: no finding about it, or below it, is worth reading.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from pipeline.config.document import Document
from pipeline.config.fields import field_at, known_keys
from pipeline.config.findings import Finding, Place, did_you_mean
from pipeline.config.sentences import Sentences, place_of
from pipeline.config.values import Section

_ROUNDS = 20
Shape = TypeVar("Shape", bound=Section)


class Draft:
    """The file's content under repair.

    value: the content, without what was found wrong. settled: places that need no further finding. findings: in the
    order they were found.
    """

    def __init__(self, shape: type[Section], document: Document) -> None:
        self.shape = shape
        self.document = document
        self._sentences = Sentences(shape, document)
        self.value: Any = document.value
        self.findings: list[Finding] = []
        self.settled: set[Place] = {place for finding in document.findings for place in finding.settles}

    def repaired(self, lenient: type[Shape], context: Mapping[str, Any]) -> Shape | None:
        """Collect every finding and return what is right of the configuration; None if nothing can be made of it."""
        for _ in range(_ROUNDS):
            try:
                return lenient.model_validate(self.value, context=context)
            except ValidationError as problem:
                before = self.value
                for error in reversed(problem.errors(include_url=False)):
                    self._settle(error)
                if self.value == before:
                    break
        return None

    def report(self, context: Mapping[str, Any]) -> None:
        """Find what is wrong with the content as it stands."""
        try:
            self.shape.model_validate(self.value, context=context)
        except ValidationError as problem:
            errors = problem.errors(include_url=False)
            meant = {self._meant(place_of(error)) for error in errors if error["type"] == "extra_forbidden"}
            for error in errors:
                place = place_of(error)
                inner = any(len(other) > len(place) and other[: len(place)] == place for other in map(place_of, errors))
                if error["type"] == "too_short" and inner:
                    continue  # pydantic counts the entries that were right
                if place_of(error) not in meant and not self.knows(place_of(error)):
                    self.findings.append(self._sentences.finding(error))

    def knows(self, place: Place) -> bool:
        """Say whether a finding at `place` would repeat, or follow from, one that was made."""
        return any(place[: len(settled)] == settled for settled in self.settled)

    def add(self, finding: Finding) -> None:
        """Take a finding of a later rule, unless it follows from an earlier one."""
        if not any(self.knows(place) for place in (finding.place, *finding.rests_on)):
            self.findings.append(finding)

    def _meant(self, place: Place) -> Place | None:
        known = known_keys(self.shape, place[:-1])
        meant = None if place[-1] in known else did_you_mean(str(place[-1]), known)  # known: to another kind of section
        return None if meant is None else (*place[:-1], meant)

    def _settle(self, error: ErrorDetails) -> None:
        place, kind = place_of(error), error["type"]
        if kind == "value_error" and isinstance(error["input"], dict) and not self._disturbed(place):
            self.add(
                self._sentences.finding(error)
            )  # a section's own rule, which pydantic holds only once its keys are right
        if kind == "extra_forbidden":
            meant = self._meant(place)
            value = _get(self.value, place)
            self.value = _without(self.value, place)
            self.settled.add(place)
            if meant is not None and _get(self.value, meant) is None:
                self.settled.add(meant)
                self.value = _with(self.value, meant, value)
            return
        self.settled.add(place)
        field = field_at(self.shape, place) if kind == "missing" else None
        if "routes" in place[-2:-1]:
            self.value = _with(self.value, place, {"topic": f"removed/{place[-1]}", "ignore": True})
        elif field is not None and field.examples:
            self.value = _with(self.value, place, field.examples[0])
        elif place and isinstance(place[-1], int):
            self.value = _without(self.value, place[:-1])
        else:
            self.value = _without(self.value, place)

    def _disturbed(self, place: Place) -> bool:
        return any(settled[: len(place)] == place for settled in self.settled)


def _get(value: Any, place: Place) -> Any:  # noqa: ANN401 - a file holds anything
    for step in place:
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            return None
    return value


def _with(value: Any, place: Place, new: Any) -> Any:  # noqa: ANN401
    return _changed(value, place, lambda container, key: container.__setitem__(key, new))


def _without(value: Any, place: Place) -> Any:  # noqa: ANN401
    def remove(container: Any, key: str | int) -> None:  # noqa: ANN401
        if isinstance(container, Mapping):
            container.pop(key, None)  # type: ignore[attr-defined]

    return _changed(value, place, remove)


def _changed(value: Any, place: Place, change: Callable[[Any, str | int], None]) -> Any:  # noqa: ANN401
    """Copy what lies on the way to `place` and change it there; an alias elsewhere in the file keeps its value."""
    if not place or not isinstance(value, dict | list):
        return value
    copy: Any = value.copy()
    step = place[0]
    try:
        if len(place) == 1:
            change(copy, step)
        else:
            copy[step] = _changed(copy[step], place[1:], change)
    except (KeyError, IndexError, TypeError):
        return value
    return copy
