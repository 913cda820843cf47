"""What pydantic says about a configuration, as findings; and a draft without what is wrong.

The draft lets the later rules look at the rest of the file, so that an operator sees all errors at once. What was
removed or stood in for is `settled`: no finding about it, or below it, is worth reading.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
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
