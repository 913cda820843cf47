"""Finds device connectors that are Python: in the tree, behind entry points, and in folders of the operator's own.

A module has one as `connector`, or several as `connectors`; a format of payloads is its `FORMAT`. A module that cannot
be imported is kept as broken, with the line that failed, and the rest is found. Importing runs a module: an operator
that names a folder trusts its contents. What it prints goes to standard error: standard output is the command's report.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import pkgutil
import sys
import traceback
from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet
from contextlib import redirect_stdout
from functools import partial
from hashlib import sha256
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import TypeVar

from pipeline.core.files import HANDMADE, content
from pipeline.plugins.registry import BrokenConnector, FoundConnector, OwnFormat
from pipeline.sdk.connector import Connector, Format
from pipeline.sdk.dialect import Dialect


class SourceLines:
    """One file's declarations; line 1 where nothing is found, as in a file whose connector is made elsewhere."""

    def __init__(self, file: Path) -> None:
        try:
            self._nodes = list(ast.walk(ast.parse(content(file, HANDMADE))))
        except (OSError, ValueError, SyntaxError):
            self._nodes = []

    def assignment(self, names: AbstractSet[str] = frozenset({"connector", "connectors"})) -> int:
        """Return the line of `connector = ...`, or of whatever has one of the names."""
        for node in self._nodes:
            targets = node.targets if isinstance(node, ast.Assign) else []
            targets = [node.target] if isinstance(node, ast.AnnAssign) else targets
            if any(isinstance(target, ast.Name) and target.id in names for target in targets):
                return _line(node)
        return 1

    def connector(self, connector: Connector) -> int:
        """Return the line of a connector's declaration: the call that names its first device."""
        for call in self._calls("Connector"):
            texts = [node.value for node in ast.walk(call) if isinstance(node, ast.Constant)]
            if connector.devices[:1] and connector.devices[0] in texts:
                return call.lineno
        return self.assignment()

    def example(self, name: str, otherwise: int) -> int:
        """Return the line of the example of that name."""
        for call in self._calls("Example"):
            given = [*call.args[:1], *(keyword.value for keyword in call.keywords if keyword.arg == "name")]
            if any(isinstance(each, ast.Constant) and each.value == name for each in given):
                return call.lineno
        return otherwise

    def _calls(self, name: str) -> list[ast.Call]:
        calls = [node for node in self._nodes if isinstance(node, ast.Call)]
        return [call for call in calls if getattr(call.func, "id", getattr(call.func, "attr", "")) == name]


def _line(node: ast.AST) -> int:
    return int(getattr(node, "lineno", 1))


GROUP = "headrace.connectors"
"""The group of entry points through which an installed package brings connectors."""
TREE = "connectors"
"""The package of the connectors that come with Headrace, by name: the engine knows no vendor."""
DIALECTS = f"{TREE}.network_servers"
"""The package of the dialects: each of its modules may have one as `dialect`."""
T = TypeVar("T")
_NO_VENDORS = {"network_servers", "formats"}


def place_of_tree(package: str = TREE) -> Path:
    """Return the folder of the tree."""
    return Path(importlib.import_module(package).__path__[0])


def tree(package: str = TREE) -> Iterator[FoundConnector | BrokenConnector | OwnFormat]:
    """Yield the connectors of the package `connectors/<vendor>/<family>.py`."""
    root = importlib.import_module(package)
    for vendor in pkgutil.iter_modules(root.__path__):
        if vendor.name not in _NO_VENDORS:
            yield from _walk(f"{package}.{vendor.name}", Path(root.__path__[0], vendor.name), "tree")


def formats(package: str = TREE) -> Iterator[Format]:
    """Yield the formats of payloads in `connectors/formats/<format>.py`."""
    parent = importlib.import_module(f"{package}.formats")
    for inner in pkgutil.iter_modules(parent.__path__):
        yield importlib.import_module(f"{parent.__name__}.{inner.name}").FORMAT


def dialects(package: str = DIALECTS) -> Iterator[Dialect | BrokenConnector]:
    """Yield the `dialect` of each module of the package, by the modules' names; what cannot be imported is broken."""
    root = importlib.import_module(package)
    for name in sorted(inner.name for inner in pkgutil.iter_modules(root.__path__) if not inner.ispkg):
        file = Path(root.__path__[0], f"{name}.py")
        module = _loaded(partial(importlib.import_module, f"{package}.{name}"), file)
        if isinstance(module, BrokenConnector):
            yield module
            continue
        declared = getattr(module, "dialect", None)
        if isinstance(declared, Dialect):
            yield declared
        elif declared is not None and not isinstance(declared, ModuleType):
            yield BrokenConnector(str(file), 1, f"`dialect` is a {type(declared).__name__}; expected a Dialect.")


def _walk(name: str, place: Path, origin: str) -> Iterator[FoundConnector | BrokenConnector | OwnFormat]:
    file = place / "__init__.py" if place.is_dir() else place.with_suffix(".py")
    module = _loaded(partial(importlib.import_module, name), file)
    if isinstance(module, BrokenConnector):
        yield module
        return
    yield from _of_module(module, file, origin)
    for inner in pkgutil.iter_modules(getattr(module, "__path__", [])):
        yield from _walk(f"{name}.{inner.name}", place / inner.name, origin)


def installed(group: str = GROUP) -> Iterator[FoundConnector | BrokenConnector | OwnFormat]:
    """Yield what installed packages bring; an entry point is a module, a connector, or a list of them."""
    for point in entry_points(group=group):
        file = _file_of(point.module)
        loaded = _loaded(point.load, file)
        if isinstance(loaded, BrokenConnector):
            yield loaded
        elif isinstance(loaded, ModuleType):
            yield from _walk(point.module, file.parent if file.name == "__init__.py" else file, "package")
        elif isinstance(loaded, Format):
            yield OwnFormat(loaded, str(file), SourceLines(file).assignment({"FORMAT"}))
        else:
            yield from _declared(loaded, file, "package", f"entry point {point.name}")


def folder(place: Path) -> Iterator[FoundConnector | BrokenConnector | OwnFormat]:
    """Yield the connectors and formats of the Python files in a folder and below it, but `_name.py` and `test_name.py`.

    A file stands for itself.
    """
    for file in [place] if place.is_file() else sorted(place.rglob("*.py")):
        if file.suffix != ".py" or file.name.startswith(("_", "test_")) or not file.is_file():
            continue
        module = _loaded(partial(_execute, file), file)
        if isinstance(module, BrokenConnector):
            yield module
        else:
            yield from _of_module(module, file, "folder")


def _loaded(load: Callable[[], T], file: Path) -> T | BrokenConnector:
    """Return what is loaded. Whatever a vendor's module does, the others load: compiled ones panic past Exception."""
    try:
        with redirect_stdout(sys.stderr):
            return load()
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001
        return _broken(file, error)


def _execute(file: Path) -> ModuleType:
    name = f"headrace_connector_{sha256(str(file.resolve()).encode()).hexdigest()[:16]}"
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise ImportError(f"{file} is no Python module.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _of_module(module: ModuleType, file: Path, origin: str) -> Iterator[FoundConnector | BrokenConnector | OwnFormat]:
    own = getattr(module, "FORMAT", None)
    if isinstance(own, Format):  # a connector may well call its struct by this name
        yield OwnFormat(own, str(file), SourceLines(file).assignment({"FORMAT"}))
    for name in ("connector", "connectors"):
        declared = getattr(module, name, None)
        if declared is not None and not isinstance(declared, ModuleType):
            yield from _declared(declared, file, origin, f"`{name}`")


def _declared(declared: object, file: Path, origin: str, name: str) -> Iterator[FoundConnector | BrokenConnector]:
    lines = SourceLines(file)
    several = declared if isinstance(declared, list | tuple) else [declared]
    for each in several:
        if not isinstance(each, Connector):
            error = f"{name} is a {type(each).__name__}; expected a Connector, or a list of them."
            yield BrokenConnector(str(file), lines.assignment(), error)
            continue
        try:
            line = lines.connector(each)
            examples = {example.name: lines.example(example.name, line) for example in each.examples}
        except (AttributeError, TypeError) as error:  # devices or examples are of a type that the surface does not have
            said = f"{name} is not as `Connector` says: {type(error).__name__}: {error}."
            yield BrokenConnector(str(file), lines.assignment(), said)
            continue
        yield FoundConnector(each, str(file), line, examples, origin)


def _broken(file: Path, error: BaseException) -> BrokenConnector:
    """Return what stopped an import, with the line of this file that it came from."""
    line = 1
    if isinstance(error, SyntaxError) and error.filename == str(file):
        line = error.lineno or 1
    for frame in traceback.extract_tb(error.__traceback__):
        if frame.filename == str(file):
            line = frame.lineno or line
    return BrokenConnector(str(file), line, f"cannot be imported: {type(error).__name__}: {error}.")


def _file_of(module: str) -> Path:
    try:
        spec = importlib.util.find_spec(module)
    except (ImportError, ValueError):
        spec = None
    return Path(spec.origin) if spec is not None and spec.origin else Path(module)
