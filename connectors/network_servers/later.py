"""What a server has decoded, taken apart when somebody asks: most connectors decode the bytes themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any


class Later(Mapping[str, Any]):
    """The object that some bytes hold. load: takes them apart, once; what it raises comes with the first look."""

    __slots__ = ("_data", "_fields", "_load")

    def __init__(self, load: Callable[[bytes], dict[str, Any]], data: bytes) -> None:
        self._load = load
        self._data = data
        self._fields: dict[str, Any] | None = None

    def _known(self) -> dict[str, Any]:
        if self._fields is None:
            self._fields = self._load(self._data)
        return self._fields

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401 - JSON holds anything
        return self._known()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._known())

    def __len__(self) -> int:
        return len(self._known())
