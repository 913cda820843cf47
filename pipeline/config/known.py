"""Every device connector that a configuration can use: found, held against the models, broken ones set aside."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cache
from hashlib import sha256
from pathlib import Path

from pipeline import discovery
from pipeline.config import declared, folder_form
from pipeline.files import HANDMADE, content
from pipeline.registry import Broken, Found, Registry


def registry(paths: Sequence[str] = ()) -> Registry:
    """Return the connectors of the tree, of installed packages and of these folders."""
    return Registry([*_own(), *(each for path in paths for each in in_folder(Path(path)))])


def in_folder(path: Path) -> Iterator[Found | Broken]:
    """Yield the connectors in a folder and below it, or in a file, in both forms."""
    for each in _judged([*discovery.folder(path), *folder_form.folder(path)]):
        yield replace(each, digest=_digest(Path(each.file))) if isinstance(each, Found) else each


def _digest(file: Path) -> str:
    try:
        return sha256(content(file, HANDMADE)).hexdigest()
    except OSError:  # gone meanwhile: another one than any that is there
        return "unknown"


@cache
def _own() -> tuple[Found | Broken, ...]:
    tree = folder_form.folder(discovery.place_of_tree())
    return tuple(_judged([*discovery.tree(), *tree, *discovery.installed()]))


def _judged(every: Iterable[Found | Broken]) -> Iterator[Found | Broken]:
    for each in every:
        faults = [] if isinstance(each, Broken) else list(declared.faults(each.connector))
        if isinstance(each, Found) and faults:
            yield Broken(each.file, each.line, " ".join(faults), each.names)
        else:
            yield each
