"""The formats of payloads that a configuration can name: JSON, which is the engine's own, and those of the tree."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import Annotated, Any

from pydantic import AfterValidator, Field
from pydantic_core import PydanticKnownError

from pipeline import discovery
from pipeline.connector import Fields, Format
from pipeline.json_guard import parse

JSON = "json"


@cache
def formats() -> Mapping[str, Format]:
    """Return every format by its name; what is not JSON is imported with the first call."""
    return MappingProxyType({each.name: each for each in (Format(JSON, _json), *discovery.formats())})


def _json(payload: bytes, received_at: int) -> Fields:  # noqa: ARG001 - all parsers take it
    return parse(payload)


def check_format(value: str) -> str:
    """Hold a name against the formats; refused as pydantic refuses a word that is not listed."""
    if value not in formats():
        expected = " or ".join(repr(name) for name in sorted(formats()))
        raise PydanticKnownError("literal_error", {"expected": expected})
    return value


def _listed(schema: dict[str, Any]) -> None:
    schema["enum"] = sorted(formats())


FormatName = Annotated[str, AfterValidator(check_format), Field(json_schema_extra=_listed)]
