"""Which devices can be added to the registry, why not the others, and the file written.

What is added is held against the rules of `check`, row by row, so that a device that would make the registry unusable
is left out with its sentence. The file itself is replaced in one step, after the whole configuration was read with it.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import quote

from pipeline import config
from pipeline.build.connectors import connectors_of
from pipeline.config import Config, Loaded, devices
from pipeline.config.device_fields import Uses, usable_name
from pipeline.config.device_rows import Row
from pipeline.config.device_text import RegistryText, Values, is_csv, rows_of
from pipeline.config.document import Document
from pipeline.config.findings import Finding, InvalidConfigError
from pipeline.core.errors import ConfigError, StartError
from pipeline.lorawan.identify import ConnectorMatcher
from pipeline.models import MODELS
from pipeline.tools.enrol.exports import Newcomer

FOLDER = "keys"


@dataclass(slots=True)
class WrittenKeys:
    """What was written of one device.

    Attributes:
        row: `sessions` as the registry has it.
        files: That are new.
    """

    row: Mapping[str, Any] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    files: list[Path] = field(default_factory=list)


class Keys:
    """Writes key files, and takes them back if their device is not added.

    Args:
        folder: Of the registry.
    """

    def __init__(self, folder: Path, *, dry_run: bool) -> None:
        self._folder = folder
        self._dry_run = dry_run
        self._all: list[Path] = []
        self.names: list[str] = []

    def write(self, key: str, newcomer: Newcomer) -> WrittenKeys:
        """Write the keys of a device's session, if it has one; a file that holds another key stays, and is a fault."""
        written = WrittenKeys()
        if not newcomer.session:
            return written
        session: dict[str, str] = {"dev_addr": newcomer.session["dev_addr"]}
        for name, digits in newcomer.session.items():
            if name == "dev_addr":
                continue
            file = Path(FOLDER) / f"{quote(newcomer.dev_eui or key, safe='')}.{name}"
            session[f"{name}_file"] = str(file)
            fault = self._one(self._folder / file, digits, written)
            if fault:
                written.faults.append(fault)
        self.names += [str(each.relative_to(self._folder)) for each in written.files]
        written.row = {"sessions": [session]}
        return written

    def readable(self, written: WrittenKeys) -> Mapping[str, Any]:
        """Return the session as far as its files are there: after a dry run they are not, and nothing can be read."""
        return {} if self._dry_run and written.files else written.row

    def _one(self, file: Path, digits: str, written: WrittenKeys) -> str:
        try:
            if file.exists():
                same = file.read_text(encoding="ascii", errors="replace").strip().lower() == digits.lower()
                return "" if same else f"{file} is there already with another key: remove it, or mend the session."
            if not self._dry_run:
                file.parent.mkdir(mode=0o700, exist_ok=True)
                handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
                with os.fdopen(handle, "w", encoding="ascii") as opened:
                    opened.write(f"{digits}\n")
                self._all.append(file)
            written.files.append(file)
        except OSError as problem:
            return f"{file} cannot be written: {problem.strerror}."
        return ""

    def undo(self, written: WrittenKeys | None = None) -> None:
        """Remove the files that were made for one device; without one, all."""
        for file in self._all[:] if written is None else written.files:
            file.unlink(missing_ok=True)
            if file in self._all:
                self._all.remove(file)
            name = str(file.relative_to(self._folder))
            if name in self.names:
                self.names.remove(name)


_NEW = {True: "key,dev_eui,name,connector,longitude,latitude\n", False: "[]\n"}
"""A registry without a device, as CSV and not."""


@dataclass(slots=True)
class EnrolReport:
    """What became of each device.

    Attributes:
        added: The devices that were added, as the file has them.
        there: The devices that the registry has already, each with the reason.
        left: The devices that were left out, each with the reason.
    """

    file: str
    added: list[dict[str, Any]] = field(default_factory=list)
    there: list[tuple[str, str]] = field(default_factory=list)
    left: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    rows: list[str] = field(default_factory=list)
    key_files: list[str] = field(default_factory=list)


class RegistryFile:
    """The registry of one configuration, to be added to. A file that is not there yet, or holds nothing, is a new one.

    Raises:
        ConfigError: the configuration cannot be used, or names no registry.
    """

    def __init__(self, file: str) -> None:
        self.config_file = file
        self.path = _path(file)
        self._real = Path(os.path.realpath(self.path))
        content = self._content()
        self._mark = content[:3] if content.startswith(b"\xef\xbb\xbf") else b""
        self.before = RegistryText(self.path.name, content.decode("utf-8-sig", "replace"))
        self.loaded = self._loaded()

    def _content(self) -> bytes:
        try:
            return self._real.read_bytes()
        except FileNotFoundError:
            return b""
        except OSError as problem:
            raise ConfigError(f"{self.path} cannot be read: {problem.strerror}.") from None

    def _loaded(self) -> Loaded:
        if not self.before.empty:
            return config.read(self.config_file)
        with self._candidate(_NEW[self.before.csv]) as candidate:
            return self._judged(candidate)

    def _judged(self, candidate: Path) -> Loaded:
        try:
            return config.read(self.config_file, devices=str(candidate))
        except InvalidConfigError as problem:
            raise ConfigError(str(problem).replace(str(candidate), str(self.path))) from None

    @contextmanager
    def _candidate(self, text: str) -> Iterator[Path]:
        """Write a text beside the registry, for as long as it is needed; with the same owner and mode."""
        suffix = ".csv" if self.before.csv else ".yaml"
        try:
            handle, name = tempfile.mkstemp(suffix, f".{self._real.stem}-", self._real.parent)
            with os.fdopen(handle, "wb") as file:
                file.write(self._mark + text.encode())
            candidate = Path(name)
            candidate.chmod(0o666 & ~_umask())
            if self._real.exists():
                found = self._real.stat()
                candidate.chmod(found.st_mode & 0o7777)
                with suppress(OSError):  # only root can give a file away
                    os.chown(candidate, found.st_uid, found.st_gid)
        except OSError as problem:
            raise StartError(f"{self._real.parent} cannot be written to: {problem.strerror}.") from None
        try:
            yield candidate
        finally:
            candidate.unlink(missing_ok=True)

    def write(self, rows: Sequence[Values]) -> None:
        """Add devices to the file.

        Raises:
            ConfigError: the configuration could not be used with it; nothing was written.
        """
        with self._candidate(self.before.with_rows(rows)) as candidate:
            self._judged(candidate)
            candidate.replace(self._real)


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _path(file: str) -> Path:
    """Return the registry that a configuration names, even before its file exists."""
    value = Document(Path(file).read_text(encoding="utf-8-sig"), os.environ).value if Path(file).is_file() else None
    named = value.get("devices") if isinstance(value, dict) else None
    if not isinstance(named, str):
        config.read(file)  # which says what else is wrong, first of all that there is no such file
        raise ConfigError(f"{file} names no device registry: add `devices: devices.csv`, or `devices: devices.yaml`.")
    return Path(file).parent / named


def enrol(
    file: str,
    newcomers: Sequence[Newcomer],
    *,
    given: Values = MappingProxyType({}),
    otherwise: Values = MappingProxyType({}),
    dry_run: bool = False,
) -> EnrolReport:
    """Add devices to the registry that a configuration names, and say what became of each.

    Args:
        given: What a person says of them, by the keys of the registry.
        otherwise: The same, where nothing else tells.

    Raises:
        ConfigError: the configuration cannot be used, or its registry cannot be added to.
    """
    registry = RegistryFile(file)
    report = EnrolReport(str(registry.path))
    keys = Keys(registry.path.parent, dry_run=dry_run)
    try:
        rows = list(_accepted(registry, newcomers, _Said(given, otherwise), keys, report))
        if rows and not dry_run:
            registry.write(rows)
    except BaseException:
        keys.undo()
        raise
    after = RegistryText(registry.before.name, registry.before.with_rows(rows)) if rows else registry.before
    report.rows = [after.row(each) for each in rows]
    report.added = [dict(each) for each in rows]
    report.key_files = keys.names
    return report


@dataclass(frozen=True, slots=True)
class _Said:
    """What a person says of all devices."""

    given: Values
    otherwise: Values

    def of(self, values: Values) -> dict[str, Any]:
        told = {name: value for name, value in values.items() if value is not None}
        return {**self.otherwise, **told, **{name: value for name, value in self.given.items() if value is not None}}


def _accepted(
    registry: RegistryFile, newcomers: Sequence[Newcomer], said: _Said, keys: Keys, report: EnrolReport
) -> Iterator[Values]:
    """Yield each device that can be added, as the registry has it."""
    loaded, text = registry.loaded, registry.before
    judge = devices.Judge(registry.path, Uses(loaded.config, loaded.connectors, MODELS, frozenset()))
    for row in () if text.empty else rows_of(is_csv(text.name), text.text):
        judge.take(row)
    choice = ConnectorMatcher(connectors_of(loaded.config))
    taken = set(judge.names)
    for each in newcomers:
        known = loaded.devices.by_name(each.dev_eui)
        if known is not None:
            report.there.append((each.dev_eui, f"is {known.key} already (line {known.line})"))
            continue
        values = said.of(_values(each, choice, taken))
        if not each.dev_eui and "key" not in said.given:
            report.left.append((each.name or "a device", "has no DevEUI."))
            continue
        written = keys.write(str(values["key"]), each)
        faults: list[Finding | str] = [
            *written.faults,
            *judge.faults(Row(0, _texts({**values, **keys.readable(written)}))),
        ]
        if faults:
            keys.undo(written)
            report.left.append((str(values["key"]), " ".join(map(_sentence, faults))))
            continue
        taken |= {str(values["key"]), *values.get("aliases", ()), str(values.get("dev_eui") or values["key"])}
        report.notes += _notes(loaded, values, each)
        yield {**values, **written.row}


def described(newcomer: Newcomer, config_of: Config) -> Values:
    """Return a device as the row that would add it, for a person to complete; one of a network needs a connector."""
    values = _values(newcomer, ConnectorMatcher(connectors_of(config_of)), set())
    return values if newcomer.plain else {**values, "connector": values["connector"] or "vendor/device"}


def _values(newcomer: Newcomer, choice: ConnectorMatcher, taken: set[str]) -> dict[str, Any]:
    """Return a device as the registry has it; its key is the best of its names that is free."""
    names = [each for each in newcomer.wanted if usable_name(each)]
    name = newcomer.name if newcomer.name and usable_name(newcomer.name) else None
    if newcomer.plain:
        return {"key": newcomer.dev_eui, "name": name, "connector": choice(newcomer.names)}
    key = next((each for each in [*names, newcomer.dev_eui] if each and each not in taken), newcomer.dev_eui)
    return {
        "key": key,
        "dev_eui": newcomer.dev_eui or None,
        "name": None if name == key else name,
        "connector": choice(newcomer.names),
        "location": newcomer.location,
    }


def _texts(values: Values) -> dict[str, Any]:
    """Return a device as a file's reader gives it: numbers are texts there."""
    found = {name: each for name, each in values.items() if each is not None}
    return {name: [str(part) for part in each] if name == "location" else _list(each) for name, each in found.items()}


def _list(value: Any) -> Any:  # noqa: ANN401 - texts, lists and mappings
    return list(value) if isinstance(value, tuple) else value


def _sentence(fault: Finding | str) -> str:
    if isinstance(fault, str):
        return fault
    where = ".".join(str(step) for step in fault.place[1:])
    return " ".join(part for part in (where, fault.message, fault.fix) if part)


def _notes(loaded: Loaded, values: Values, newcomer: Newcomer) -> Iterator[str]:
    if newcomer.note:
        yield f"{values['key']}: {newcomer.note}; added without a session."
    if values.get("connector") is None and loaded.config.networked:
        said = "nothing told its connector, and its uplinks are dead letters without one; write it into its row"
        yield f"{values['key']}: {said}."
