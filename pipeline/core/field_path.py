"""What a payload decodes to, and the paths by which connectors name its fields."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

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
