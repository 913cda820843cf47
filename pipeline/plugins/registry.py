"""Which device connectors there are: each found with its place in a file; what is broken keeps its error.

A name (`vendor/device`) belongs to one connector. Where two declare it, neither is used: which was meant is unknown.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.sdk.connector import Connector, Format


@dataclass(frozen=True, slots=True)
class FoundConnector:
    """A connector and where it stands.

    Attributes:
        examples: The line of each, by its name.
        origin: How it was found.
        digest: Of its file as it was read; empty for one that does not change while the process runs.
    """

    connector: Connector
    file: str
    line: int = 1
    examples: Mapping[str, int] = field(default_factory=dict)
    origin: str = "tree"
    digest: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """What a configuration calls it: `vendor/device`, each device."""
        return tuple(f"{self.connector.vendor}/{device}" for device in self.connector.devices)

    @property
    def where(self) -> str:
        """`file:line`."""
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True)
class BrokenConnector:
    """A connector that cannot be used.

    Attributes:
        names: As far as they are known.
        error: A sentence.
    """

    file: str
    line: int
    error: str
    names: tuple[str, ...] = ()

    @property
    def where(self) -> str:
        """`file:line`."""
        return f"{self.file}:{self.line}"

    def __str__(self) -> str:
        return f"{self.where}  {self.error}"


@dataclass(frozen=True, slots=True)
class OwnFormat:
    """A format of payloads in a folder of the operator's own, or of an installed package, and where it stands."""

    format: Format
    file: str
    line: int = 1
    digest: str = ""

    @property
    def where(self) -> str:
        """`file:line`."""
        return f"{self.file}:{self.line}"


class ConnectorCatalogue:
    """The connectors that can be used, by name, and those that cannot."""

    def __init__(self, everything: Iterable[FoundConnector | BrokenConnector | OwnFormat] = ()) -> None:
        every = list(everything)
        self.formats: Mapping[str, OwnFormat] = {e.format.name: e for e in every if isinstance(e, OwnFormat)}
        broken = [each for each in every if isinstance(each, BrokenConnector)]
        self.broken = list({(Path(each.file).resolve(), each.line, each.error): each for each in broken}.values())
        self.found: list[FoundConnector] = []
        self._by_name: dict[str, FoundConnector] = {}
        self._take(_once([each for each in every if isinstance(each, FoundConnector)]))

    def _take(self, found: list[FoundConnector]) -> None:
        owners: dict[str, list[FoundConnector]] = {}
        for each in found:
            for name in each.names:
                owners.setdefault(name, []).append(each)
        for each in found:
            twice = [name for name in each.names if len(owners[name]) > 1]
            if twice:
                self.broken.append(_duplicate(each, twice[0], owners[twice[0]]))
            else:
                self.found.append(each)
                self._by_name.update(dict.fromkeys(each.names, each))

    def get(self, name: str) -> FoundConnector | None:
        """Return the connector of that name."""
        return self._by_name.get(name)

    def fault(self, name: str) -> BrokenConnector | None:
        """Return why the connector of that name cannot be used, if it is broken."""
        return next((each for each in self.broken if name in each.names), None)

    @property
    def names(self) -> list[str]:
        """Every name that can be used."""
        return sorted(self._by_name)


def _once(found: list[FoundConnector]) -> list[FoundConnector]:
    """Leave out what was reached on two ways: one object, or one declaration in one file, is one connector."""
    objects = {id(each.connector): each for each in reversed(found)}
    places = {(Path(each.file).resolve(), each.line, each.names): each for each in objects.values()}
    return [each for each in found if any(each is kept for kept in places.values())]


def _duplicate(each: FoundConnector, name: str, owners: list[FoundConnector]) -> BrokenConnector:
    others = [owner for owner in owners if owner is not each]
    where = " and in ".join(owner.where for owner in others) if others else "the same declaration"
    error = f"`{name}` is also declared in {where}: a name belongs to one connector. Rename one, or remove it."
    return BrokenConnector(each.file, each.line, error, each.names)
