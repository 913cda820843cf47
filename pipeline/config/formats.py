"""The formats of payloads that a configuration can name: JSON, those of the tree, and those of the operator's own."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from types import MappingProxyType
from typing import Annotated, Any

from pydantic import AfterValidator, Field, ValidationInfo
from pydantic_core import PydanticKnownError

from pipeline.config.values import VENDOR_NAME
from pipeline.core.json_words import told
from pipeline.core.strict_json import parse
from pipeline.plugins import discovery
from pipeline.plugins.registry import OwnFormat, Registry
from pipeline.sdk.connector import Example, Fields, Format

JSON = "json"
_NAME = re.compile(VENDOR_NAME)


@cache
def formats() -> Mapping[str, Format]:
    """Return every format by its name; what is not JSON is imported with the first call."""
    return MappingProxyType({each.name: each for each in (Format(JSON, _json), *discovery.formats())})


def _json(payload: bytes, received_at: int) -> Fields:  # noqa: ARG001 - all parsers take it
    return parse(payload)


def find(name: str, registry: Registry) -> Format:
    """Return the format of that name. registry: has those of the operator's own."""
    own = registry.formats.get(name)
    return formats()[name] if own is None else own.format


def faults(own: OwnFormat) -> Iterator[str]:
    """Yield what makes a format of the operator's own unusable, a sentence each."""
    declared: Any = own.format  # what a person wrote may be of any type
    name, parse, examples = declared.name, declared.parse, declared.examples
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        yield f"`name`: expected lower-case letters, digits and dashes, got {told(name)}."
    elif name in formats():
        yield f"`{name}` is the name of a format that comes with Headrace: give it another."
    if not callable(parse):
        yield "`parse`: expected a function of a payload and its arrival."
    if not isinstance(examples, tuple) or not all(isinstance(each, Example) for each in examples):
        yield "`examples`: expected a tuple of `Example(...)`."


def check_format(value: str, info: ValidationInfo) -> str:
    """Hold a name against the formats; refused as pydantic refuses a word that is not listed."""
    context = info.context if isinstance(info.context, dict) else {}
    registry = context.get("registry")
    known = {*formats(), *(registry.formats if isinstance(registry, Registry) else ())}
    if value not in known:
        expected = " or ".join(repr(name) for name in sorted(known))
        raise PydanticKnownError("literal_error", {"expected": expected})
    return value


def _listed(schema: dict[str, Any]) -> None:
    schema["examples"] = sorted(formats())


FormatName = Annotated[str, AfterValidator(check_format), Field(json_schema_extra=_listed)]
