"""A device as the registry's own file has it: a row in the columns of a CSV file, or an entry of a YAML list.

Whatever is advised about the registry is written by this module, so that it can be pasted into the file that there is.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path as File
from typing import Any

from pipeline.config.device_rows import KEYS, Row, from_csv, from_yaml
from pipeline.config.document import yaml_text
from pipeline.core.errors import ConfigError

Values = Mapping[str, Any]
"""A device by the keys of the registry (`key`, `dev_eui`, ...); location: numbers, longitude first."""

_USUAL = ("key", "dev_eui", "name", "connector", "longitude", "latitude")
"""The columns of a file that has none yet."""
_PLACE = ("longitude", "latitude", "altitude")
_HEX = re.compile(r"[0-9A-Fa-f]{8,}")
_ENTRY = re.compile(r"^( *)- (\{?)", re.MULTILINE)
_EMPTY = re.compile(r"(?:\s|#[^\n]*|\[\s*\]|---)*")


def is_csv(path: str) -> bool:
    """Say whether a registry's file is CSV, which its name tells."""
    return path.lower().endswith(".csv")


@dataclass(frozen=True, slots=True)
class RegistryText:
    """The text of a registry's file.

    Attributes:
        name: Of the file, for a person.
        text: Without a byte order mark.
    """

    name: str
    text: str = ""

    @property
    def csv(self) -> bool:
        """Whether it is CSV."""
        return is_csv(self.name)

    @property
    def empty(self) -> bool:
        """Whether no device stands in it, and nothing else but comments."""
        return not self.text.strip() if self.csv else _EMPTY.fullmatch(self.text) is not None

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of a CSV file: its own, or those of a new one."""
        try:
            first = next(csv.reader(io.StringIO(self.text)), [])
        except csv.Error:
            first = []
        return tuple(name.strip() for name in first) if any(first) else _USUAL

    def row(self, values: Values) -> str:
        """Write a device on one line: for a person to add, as the file has it."""
        return self._record(values, self.columns) if self.csv else f"- {_flow(values)}"

    def missing(self, values: Values) -> list[str]:
        """Return the columns that a device needs and a CSV file does not have."""
        return [name for name in cells(values) if name not in self.columns] if self.csv else []

    def advice(self, values: Values) -> str:
        """Say what to add to the file, and where a CSV file lacks a column for it."""
        lacks = self.missing(values)
        said = f"{self.row(values)}" if not self.csv or not self.empty else f"{','.join(_USUAL)}\n{self.row(values)}"
        return (
            said if not lacks else f"{said}   (and a column {' and '.join(lacks)}, which the first line does not name)"
        )

    def with_rows(self, rows: Sequence[Values]) -> str:
        """Return the text with further devices at its end; what is there stays as it is.

        Raises:
            ConfigError: the text is of a form that nothing can be added to by its end.
        """
        made = self._with_csv(rows) if self.csv else self._with_yaml(rows)
        before = [] if self.empty else list(rows_of(self.csv, self.text))
        after = list(rows_of(self.csv, made))
        same = [each.values for each in before] == [each.values for each in after[: len(before)]]
        if not same or len(after) != len(before) + len(rows):
            form = "rows of CSV" if self.csv else "a list whose devices each begin a line with `- `"
            by_hand = "\n".join(self.row(each) for each in rows)
            raise ConfigError(f"{self.name} is not {form}, so nothing was added. Add by hand:\n{by_hand}")
        return made

    def _with_csv(self, rows: Sequence[Values]) -> str:
        end = "\r\n" if "\r\n" in self.text else "\n"
        columns = list(self.columns)
        new = [name for name in dict.fromkeys(name for each in rows for name in cells(each)) if name not in columns]
        text = f"{','.join(columns)}{end}" if self.empty else _ended(self.text, end)
        if new:
            text = _widened(text, new, end)
        return text + "".join(f"{self._record(each, [*columns, *new])}{end}" for each in rows)

    def _record(self, values: Values, columns: Sequence[str]) -> str:
        found = cells(values)
        written = io.StringIO()
        csv.writer(written, lineterminator="").writerow([found.get(name, "") for name in columns])
        return written.getvalue()

    def _with_yaml(self, rows: Sequence[Values]) -> str:
        if self.empty:
            comments = [line for line in self.text.splitlines() if line.lstrip().startswith("#")]
            return "".join(f"{line}\n" for line in [*comments, *(f"- {_flow(each)}" for each in rows)])
        entries = [(each[1], each[2]) for each in _ENTRY.finditer(self.text)] or [("", "{")]
        indent = entries[0][0]
        flow = next(brace for at, brace in reversed(entries) if at == indent)  # as the last device is written
        written = [f"{indent}- {_flow(each)}" if flow else _block(each, indent) for each in rows]
        return _ended(self.text, "\n") + "".join(f"{entry}\n" for entry in written)


def rows_of(is_csv: bool, text: str) -> Iterator[Row]:  # noqa: FBT001 - as the file's name tells
    """Yield the devices that stand in a text."""
    yield from (each for each in (from_csv if is_csv else from_yaml)(text) if isinstance(each, Row))


def of(path: str | None) -> RegistryText:
    """Return the text of a registry's file as it is now; of one that cannot be read, as of a new one.

    Args:
        path: As the configuration names it; None: no registry, for which YAML is shown.
    """
    if path is None:
        return RegistryText("devices.yaml")
    try:
        return RegistryText(File(path).name, File(path).read_text(encoding="utf-8-sig"))
    except (OSError, ValueError):
        return RegistryText(File(path).name)


def cells(values: Values) -> dict[str, str]:
    """Return a device by the columns of a CSV file."""
    found: dict[str, str] = {}
    for name, value in values.items():
        if value is None or value in ((), {}):
            continue
        if name == "location":
            found |= dict(zip(_PLACE, (f"{part:.10g}" for part in value), strict=False))
        elif name == "sessions":
            found |= {key: str(text) for each in value[:1] for key, text in each.items()}
        elif name == "aliases":
            found[name] = ";".join(value)
        elif isinstance(value, Mapping):
            found[name] = ";".join(f"{key}={_word(each)}" for key, each in value.items())
        else:
            found[name] = str(value)
    return found


def _word(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _flow(value: Any) -> str:  # noqa: ANN401 - texts, numbers, and lists and mappings of them
    if isinstance(value, Mapping):
        present = {name: each for name, each in value.items() if each is not None and each not in ((), {})}
        return "{" + ", ".join(f"{yaml_text(name)}: {_flow(each)}" for name, each in present.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_flow, value)) + "]"
    if isinstance(value, str):
        return f'"{value}"' if _HEX.fullmatch(value) else yaml_text(value)  # an EUI is a text for every reader
    return f"{value:.10g}" if isinstance(value, float) else json.dumps(value)


def _block(values: Values, indent: str) -> str:
    ordered = sorted(
        (name for name, each in values.items() if each is not None and each not in ((), {})), key=KEYS.index
    )
    lines = [f"{name}: {_flow(values[name])}" for name in ordered]
    return f"{indent}- " + f"\n{indent}  ".join(lines)


def _ended(text: str, end: str) -> str:
    return text if not text or text.endswith("\n") else text + end


def _widened(text: str, names: Sequence[str], end: str) -> str:
    """Add columns at the end of each row; a row may span lines, where a cell is quoted."""
    lines = text.splitlines(keepends=True)
    reader = csv.reader(lines, strict=True)
    for at, cells_of_row in enumerate(reader):
        line = lines[reader.line_num - 1].rstrip("\r\n")
        if at == 0 or any(cells_of_row):
            more = ",".join(names) if at == 0 else "," * (len(names) - 1)
            lines[reader.line_num - 1] = f"{line},{more}{end}"
    return "".join(lines)
