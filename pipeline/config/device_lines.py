"""The plain lines of which a device registry in YAML mostly consists, read without a YAML parser, in half of its time.

Only what can be read in one way is read here: `- key: th-17`, `  name: "Hall, third floor"`, a list or mapping of words
on one line, a whole device in `- {...}`. From the first device on that has anything else, the parser reads.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator
from functools import lru_cache
from typing import Any

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
    """The device under way. at, line: where it begins."""

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
    """Return the same object for the same text: nobody changes it, and devices of one place have one."""
    if not _MAPPING.fullmatch(text):
        raise _OtherError
    pairs = _PAIR.findall(text)
    values = {name: read(word) if word else quoted for name, word, quoted in pairs}
    if len(values) < len(pairs):
        raise _OtherError
    return {name: value for name, value in values.items() if value is not None}


def plain(text: str, word: Word, json: Word) -> Generator[Line, None, tuple[int, int]]:
    """Yield each device; return where the parser is to go on, and how many lines stand before.

    word, json: read words, those of constant attributes as JSON.
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
