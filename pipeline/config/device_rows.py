"""The rows of a device registry, YAML or CSV, as plain values with their lines, one after the other.

A text is what stands in the file: what YAML would take for a number, a date or a base-60 time (`0011223344556677`,
`12:30`) is the text that was meant. Only constant attributes are read as JSON values. Both forms are read as a stream,
since a city's registry has 100,000 rows.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

import yaml

from pipeline.config.document import BOOLEANS, number, unreadable
from pipeline.config.findings import Finding, did_you_mean, one_of, shown
from pipeline.core.field_path import surrogate

_WORD = r"-?[\w./+][\w./+@()-]*(?: [\w./+@()-]+)*"
_TEXT = r"[\w ./+@(),:#-]*"
_SCALAR = rf'(?:{_WORD}|"{_TEXT}")'
_NOTE = r"#[^\x00-\x1f\x7f-\xa0\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]*"
_END = rf" *(?: {_NOTE})?(?:\n|\Z)"
_FLAT = r"(?:\[[^][{}#\n]*\]|\[?\{[^][{}#\n]*\}\]?)"
_LINE = re.compile(rf'(- |  )([a-z_]+): +(?:({_WORD})|"({_TEXT})"|({_FLAT})){_END}')
_WHOLE = re.compile(rf"- (\{{[^#\n]*\}}){_END}")
_BETWEEN = re.compile(rf"(?: *(?:{_NOTE})?(?:\n|\Z))+")
_LIST = re.compile(rf"\[(?:{_SCALAR}(?:, *{_SCALAR})*)?\]")
_MAPPING = re.compile(rf"\{{(?:{_WORD}: +{_SCALAR}(?:, *{_WORD}: +{_SCALAR})*)?\}}")
_EACH = re.compile(rf'({_WORD})|"({_TEXT})"')
_PAIR = re.compile(rf'({_WORD}): +(?:({_WORD})|"({_TEXT})")')
_KEY = re.compile(rf'([a-z_]+): +(?:({_WORD})|"({_TEXT})"|({_FLAT}))(?:, *|\}}$)')

Word = Callable[[str], Any]
"""What a word without quotes stands for; None for nothing."""
Line = tuple[int, dict[str, Any], dict[str, int]]
"""Where a device stands, its values, and where each key of it stands."""


class _OtherError(Exception):
    """It is not plain."""


class _Device:
    """The device under way.

    Args:
        at: The character of the file at which it begins.
        line: The line in which it begins.
    """

    __slots__ = ("_json", "_word", "at", "line", "lines", "values")

    def __init__(self, at: int, line: int, word: Word, json: Word) -> None:
        self.at, self.line = at, line
        self.values: dict[str, Any] = {}
        self.lines: dict[str, int] = {}
        self._word, self._json = word, json

    def put(self, line: int, name: str, word: str | None, text: str | None, flat: str | None) -> None:
        if name in self.lines:
            raise _OtherError
        self.lines[name] = line
        read = self._json if name == "attributes" else self._word
        value = read(word) if word is not None else text if flat is None else _flat(flat, read)
        if value is not None:
            self.values[name] = value

    def whole(self, text: str) -> None:
        """Put all of `{...}`."""
        at = 1
        while at < len(text):
            found = _KEY.match(text, at)
            if found is None:
                raise _OtherError
            self.put(self.line, *found.groups())
            at = found.end()


def _flat(text: str, read: Word) -> Any:  # noqa: ANN401 - a list or a mapping
    if text.startswith("[{"):
        return [_mapping.__wrapped__(text[1:-1], read)]
    if _LIST.fullmatch(text):
        return [read(word) if word else quoted for word, quoted in _EACH.findall(text)]
    return _mapping(text, read)


@lru_cache(maxsize=1024)
def _mapping(text: str, read: Word) -> dict[str, Any]:
    """Return the same object for the same text: it is never changed, and devices of one place share one."""
    if not _MAPPING.fullmatch(text):
        raise _OtherError
    pairs = _PAIR.findall(text)
    values = {name: read(word) if word else quoted for name, word, quoted in pairs}
    if len(values) < len(pairs):
        raise _OtherError
    return {name: value for name, value in values.items() if value is not None}


def plain(text: str, word: Word, json: Word) -> Generator[Line, None, tuple[int, int]]:
    """Yield each device; return where the parser is to go on, and how many lines stand before.

    Args:
        word: Reads a word of the file.
        json: Reads a word of a constant attribute, as JSON.
    """
    device: _Device | None = None
    at = line = 0
    match = _LINE.match
    while at < len(text):
        found = match(text, at) or _WHOLE.match(text, at)
        if found is None:
            between = _BETWEEN.match(text, at)
            if between is None:
                return (0, 0) if device is None else (device.at, device.line - 1)
            line += text.count("\n", at, between.end())
            at = between.end()
            continue
        line += 1
        if text[at] == "-":
            if device is not None:
                yield device.line, device.values, device.lines
            device = _Device(at, line, word, json)
        if device is None:
            return 0, 0
        try:
            if found.re is _LINE:
                device.put(line, *found.group(2, 3, 4, 5))
            else:
                device.whole(found[1])
        except _OtherError:
            return device.at, device.line - 1
        at = found.end()
    if device is not None:
        yield device.line, device.values, device.lines
    return (0, 0) if device is None else (at, line)


SESSION_KEYS = ("app_s_key", "nwk_s_key", "f_nwk_s_int_key", "s_nwk_s_int_key", "nwk_s_enc_key")
SESSION = ("dev_addr", *(f"{key}{end}" for key in SESSION_KEYS for end in ("", "_file")))
"""The keys of a session; in CSV, columns."""
KEYS = (
    *("key", "dev_eui", "aliases", "name", "connector", "model", "location", "attributes", "sessions", "tags"),
    *("prefer", "interval", "lifecycle"),
)
_PLACE = ("longitude", "latitude", "altitude")
COLUMNS = (*(key for key in KEYS if key not in {"location", "sessions"}), *_PLACE, *SESSION)
_PAIRS = ("attributes", "tags")
_NULLS = {"", "~", "null", "Null", "NULL"}
_DEEPEST = 20
_RESOLVER: Any = yaml.resolver.Resolver()
_HEX = re.compile(r"[0-9A-Fa-f]{24,}")


@dataclass(slots=True)
class Row:
    """One device as it stands in the file: texts, lists and mappings by key.

    Attributes:
        lines: Where each key stands, if known.
    """

    line: int
    values: dict[str, Any]
    lines: dict[str, int] = field(default_factory=dict)


def guarded(value: object) -> str:
    """Quote a value for a message, unless it may hold a key."""
    if isinstance(value, str) and _HEX.search(re.sub(r"[\s:-]", "", value)):
        return "this value (not shown)"
    return shown(value, ())


def from_yaml(text: str) -> Iterator[Row | Finding]:
    """Yield each device of a YAML list, and what is wrong with the file as YAML."""
    lines = plain(text, _word, _word_of_json)
    while True:
        try:
            line, values, places = next(lines)
        except StopIteration as end:
            at, before = end.value
            break
        yield Row(line, values, places)
    if at < len(text) or not at:
        for each in parsed(text[at:]):
            places = {name: place + before for name, place in each.lines.items()} if isinstance(each, Row) else {}
            moved = {"line": each.line + before} | ({"lines": places} if places else {})
            yield replace(each, **moved) if before else each


def _word(text: str) -> str | None:
    return None if text in _NULLS else text


def _word_of_json(text: str) -> Any:  # noqa: ANN401 - JSON holds anything
    return None if text in _NULLS else _json(text)


def parsed(text: str) -> Iterator[Row | Finding]:
    """Yield the same as `from_yaml`, all of it by the parser."""
    try:
        yield from _Yaml(text).rows()
    except yaml.YAMLError as problem:
        finding = unreadable(problem)
        at = text.count("\n", 0, getattr(problem, "position", 0)) + 1  # of a character that YAML does not allow
        yield finding if finding.line else replace(finding, line=at)


class _Yaml:
    """Reads the parser's events: composing nodes first takes three times as long."""

    def __init__(self, text: str) -> None:
        loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # C where the platform has it
        self._next: Callable[[], Any] = loader(text).get_event
        self._anchors: dict[str, Any] = {}
        self._findings: list[Finding] = []

    def rows(self) -> Iterator[Row | Finding]:
        event = self._next()
        while isinstance(event, yaml.StreamStartEvent | yaml.DocumentStartEvent):
            event = self._next()
        if not isinstance(event, yaml.SequenceStartEvent):
            said = "holds nothing." if isinstance(event, yaml.StreamEndEvent) else "is no list of devices."
            yield Finding((), said, "Begin each device with `- key: <name>`.", line=1)
            return
        while not isinstance(event := self._next(), yaml.SequenceEndEvent):
            line = event.start_mark.line + 1
            lines: dict[str, int] = {}
            value = self._value(event, 1, lines=lines)
            yield from self._findings
            self._findings.clear()
            if isinstance(value, dict):
                yield Row(line, value, lines)
            else:
                said = f"expected a device, got {guarded(value)}."
                yield Finding((), said, "Begin each device with `- key: <name>`.", line=line)
        self._next()
        if not isinstance(event := self._next(), yaml.StreamEndEvent):
            yield Finding((), "holds a second document.", "Remove the line `---`.", line=event.start_mark.line + 1)

    def _value(self, event: Any, depth: int, *, json: bool = False, lines: dict[str, int] | None = None) -> Any:  # noqa: ANN401
        kind = type(event)
        if kind is yaml.ScalarEvent:
            value: Any = self._scalar(event, json=json)
        elif kind is yaml.AliasEvent:
            if event.anchor not in self._anchors:
                self._wrong(event, "uses `*name` before the value that it stands for has ended.")
            return self._anchors.get(event.anchor)
        elif depth > _DEEPEST:
            raise yaml.MarkedYAMLError(problem="nesting is too deep", problem_mark=event.start_mark)
        elif kind is yaml.SequenceStartEvent:
            value = []
            while not isinstance(each := self._next(), yaml.SequenceEndEvent):
                value.append(self._value(each, depth + 1, json=json))
        else:
            value = self._mapping(depth, json=json, lines=lines)
        if event.anchor is not None:
            self._anchors[event.anchor] = value
        return value

    def _mapping(self, depth: int, *, json: bool, lines: dict[str, int] | None) -> dict[str, Any]:
        values: dict[str, Any] = {}
        while not isinstance(event := self._next(), yaml.MappingEndEvent):
            named = type(event) is yaml.ScalarEvent and event.value != "<<"
            name = event.value if named else "?"
            if not named:
                self._wrong(event, "has a key that is no text (or `<<`, which is not supported).")
                if not isinstance(event, yaml.ScalarEvent):
                    self._value(event, depth + 1)
            elif name in values:
                self._wrong(event, f"has {guarded(name)} twice; keep one.")
            top = lines is not None
            value = self._value(self._next(), depth + 1, json=json or (top and name == "attributes"))
            if named and value is not None:
                values[name] = value
            if lines is not None:
                lines[name] = event.start_mark.line + 1
        return values

    def _scalar(self, event: Any, *, json: bool) -> Any:  # noqa: ANN401
        text: str = event.value
        if event.tag is not None and event.tag not in {"!", "tag:yaml.org,2002:str"}:
            self._wrong(event, "has a YAML tag (`!...`), which means nothing here.")
        if (half := surrogate(text)) is not None:
            self._wrong(event, f"holds {half}, which is half of a surrogate pair, and no character.")
            return None
        if not event.implicit[0]:
            return text
        if text in _NULLS:
            return None
        return _json(text) if json else text

    def _wrong(self, event: Any, said: str) -> None:  # noqa: ANN401
        self._findings.append(Finding((), said, line=event.start_mark.line + 1))


def _json(text: str) -> Any:  # noqa: ANN401 - JSON holds anything
    """Read a word without quotes as JSON would; what only YAML would call a number is a text."""
    kind = str(_RESOLVER.resolve(yaml.ScalarNode, text, (True, False))).rpartition(":")[2]
    if kind == "bool":
        return BOOLEANS[text.lower()]
    read = number(text) if kind in {"int", "float"} else None
    return text if read is None else read


def from_csv(text: str) -> Iterator[Row | Finding]:
    """Yield each device of a CSV file (RFC 4180, a header first), and what is wrong with it as CSV."""
    reader = csv.reader(text.splitlines(keepends=True), strict=True)
    try:
        names = [name.strip() for name in next(reader, [])]
        faults = list(_header(names))
        yield from faults
        if not faults:
            yield from _cells(reader, names)
    except csv.Error as problem:
        yield Finding((), f"is not readable as CSV: {problem}.", "Close each quote.", line=reader.line_num)


def _header(names: Sequence[str]) -> Iterator[Finding]:
    if len(names) <= 1 and any(mark in names[0] for mark in ";\t" if names):
        got = "semicolons" if ";" in names[0] else "tabs"
        fix = "Save it as CSV with commas, and numbers with a decimal point."
        yield Finding((), f"expected commas between the columns, got {got}.", fix, line=1)
        return
    if "key" not in names:
        fix = f"The first line names the columns: {one_of(COLUMNS)}."
        yield Finding(("key",), "is no column of the first line, and each device needs it.", fix, line=1)
    for at, name in enumerate(names):
        if name in names[:at]:
            yield Finding((guarded(name).strip("`"),), "is a column twice.", "Keep one.", line=1)
        elif name not in COLUMNS:
            meant = did_you_mean(name, COLUMNS)
            fix = f"Did you mean `{meant}`?" if meant else f"It may be {one_of(COLUMNS)}."
            yield Finding((), f"{guarded(name)} is no column of a device registry.", fix, line=1)


def _cells(reader: Any, names: Sequence[str]) -> Iterator[Row | Finding]:  # noqa: ANN401 - the csv module's own
    pairs = [name for name in names if name in _PAIRS]
    place = [name for name in _PLACE if name in names]
    session = [name for name in names if name in SESSION]
    listed = "aliases" in names
    line = reader.line_num + 1
    for cells in reader:
        values: dict[str, Any] = {
            name: text for name, cell in zip(names, cells, strict=False) if (text := cell.strip())
        }
        if len(cells) != len(names) and values:
            said = f"has {len(cells)} columns, and the first line names {len(names)}."
            yield Finding((), said, "Put a text that holds a comma in double quotes.", line=line)
        elif values:
            for name in pairs:
                if name in values:
                    values[name] = _pairs(values[name], json=name == "attributes")
            if listed and "aliases" in values:
                values["aliases"] = [each.strip() for each in values["aliases"].split(";")]
            if place and (given := {name: values.pop(name) for name in place if name in values}):
                values["location"] = [given.get(name) for name in _PLACE if name in given or name != "altitude"]
            if session and (given := {name: values.pop(name) for name in session if name in values}):
                values["sessions"] = [given]
            yield Row(line, values)
        line = reader.line_num + 1


def _pairs(text: str, *, json: bool) -> Any:  # noqa: ANN401 - the text itself, where it is no list of pairs
    """Read `a=b;c=d`."""
    values: dict[str, Any] = {}
    for each in text.split(";"):
        name, equals, value = (part.strip() for part in each.partition("="))
        if not equals or not name or name in values:
            return text
        quoted = len(value) > 1 and value[0] == value[-1] == '"'  # a text that reads like a number
        values[name] = value[1:-1] if quoted else _json(value) if json else value
    return values
