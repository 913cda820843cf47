"""What pydantic says about a value, in sentences for an operator."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

from pydantic_core import ErrorDetails

from pipeline.config.document import Document
from pipeline.config.fields import field_at, known_keys
from pipeline.config.findings import Finding, Place, did_you_mean, one_of, secret, sentence, shown
from pipeline.config.values import Section

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
    """Makes findings of pydantic's errors. shape: what the file is held against; document: the file."""

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
