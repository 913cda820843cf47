"""The JSON Schema of the configuration, for editors."""

from __future__ import annotations

from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from pipeline.config.root import Config
from pipeline.config.values import DURATION, SIZE, spell_seconds, spell_size


class _AsWritten(GenerateJsonSchema):
    """Defaults as one would write them in the file: `30s`, and not 30.0."""

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        made = super().default_schema(schema)
        pattern, default = made.get("pattern"), made.get("default")
        if pattern == DURATION["pattern"] and isinstance(default, float):
            made["default"] = spell_seconds(default)
        if pattern == SIZE["pattern"] and isinstance(default, int):
            made["default"] = spell_size(default)
        return made


def schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12)."""
    made = Config.model_json_schema(schema_generator=_AsWritten)
    return {"$schema": _AsWritten.schema_dialect, **made, "title": "Headrace"}
