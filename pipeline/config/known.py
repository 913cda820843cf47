"""Every device connector that a configuration can use: found, held against the models, broken ones set aside."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import TypeVar

from pipeline.config import declared, folder_form
from pipeline.config.formats import faults
from pipeline.core.files import HANDMADE, content
from pipeline.plugins import discovery
from pipeline.plugins.registry import Broken, Found, OwnFormat, Registry

Declared = TypeVar("Declared", bound=Found | Broken | OwnFormat)


def registry(paths: Sequence[str] = ()) -> Registry:
    """Return the connectors and formats of the tree, of installed packages and of these folders."""
    formats, others = _folders([Path(path) for path in paths], _own())
    return Registry([*formats, *others])


def in_folder(path: Path) -> Iterator[Found | Broken]:
    """Yield the connectors in a folder and below it, or in a file, in both forms."""
    yield from _folders([path])[1]


def _folders(
    paths: Sequence[Path], known: Iterable[Found | Broken | OwnFormat] = ()
) -> tuple[list[OwnFormat], list[Found | Broken]]:
    """Return what is known, and what is in the folders: Python first, since a `connector.yaml` may name its format."""
    formats, others = _formats([*known, *(each for path in paths for each in _python(path))])
    own, marks = Registry(formats), "".join(sorted(each.digest for each in formats))
    written = [each for path in paths for each in _marked(folder_form.folder(path, own), marks)]
    return formats, [*others, *_judged(written)]


def _formats(every: Iterable[Found | Broken | OwnFormat]) -> tuple[list[OwnFormat], list[Found | Broken]]:
    """Part the formats that can be used from all else; of two of one name neither is."""
    found = list(every)
    formats = {(Path(e.file).resolve(), e.format.name): e for e in found if isinstance(e, OwnFormat)}
    others: list[Found | Broken] = [each for each in found if not isinstance(each, OwnFormat)]
    usable = []
    for each in formats.values():
        twins = [twin for twin in formats.values() if twin.format.name == each.format.name and twin is not each]
        said = [*faults(each), *(f"The format `{each.format.name}` is also in {twin.where}." for twin in twins)]
        if said:
            others.append(Broken(each.file, each.line, " ".join(said)))
        else:
            usable.append(each)
    return usable, others


def _python(path: Path) -> Iterator[Found | Broken | OwnFormat]:
    """Yield what the Python files in a folder and below it declare, or a file."""
    found = list(discovery.folder(path))
    yield from _marked(each for each in found if isinstance(each, OwnFormat))
    yield from _judged(_marked(each for each in found if not isinstance(each, OwnFormat)))


def _marked(every: Iterable[Declared], more: str = "") -> Iterator[Declared]:
    """Give each the digest of its file. more: of what it rests on besides."""
    for each in every:
        if isinstance(each, Broken):
            yield each
        else:
            yield replace(each, digest=_digest(Path(each.file)) + more)


def _digest(file: Path) -> str:
    try:
        return sha256(content(file, HANDMADE)).hexdigest()
    except OSError:  # gone meanwhile: another one than any that is there
        return "unknown"


@cache
def _own() -> tuple[Found | Broken | OwnFormat, ...]:
    tree = folder_form.folder(discovery.place_of_tree())
    found = [*discovery.tree(), *discovery.installed()]
    formats = [each for each in found if isinstance(each, OwnFormat)]
    return (*formats, *_judged([*(each for each in found if not isinstance(each, OwnFormat)), *tree]))


def _judged(every: Iterable[Found | Broken]) -> Iterator[Found | Broken]:
    for each in every:
        faults = [] if isinstance(each, Broken) else list(declared.faults(each.connector))
        if isinstance(each, Found) and faults:
            yield Broken(each.file, each.line, " ".join(faults), each.names)
        else:
            yield each
