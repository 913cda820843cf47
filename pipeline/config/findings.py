"""What is wrong with a configuration, as an operator reads it: place, mistake, fix.

A value is shown as it stands in the file (`${PASSWORD}` stays `${PASSWORD}`), and not at all where the place or the
text looks like a secret.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Literal

from pipeline.core.errors import ConfigError
from pipeline.core.logs import printable

Place = tuple[str | int, ...]
"""Where something stands in the file: keys, and numbers of list entries."""

_SECRET = re.compile(r"passw|secret|token|credential|private|api_?key|key_pass", re.IGNORECASE)
_USER_INFO = re.compile(r"://[^/\s]*@")
_LONGEST = 60
_TOLD = 100
"""So many findings are told: those first in the file, which may explain the others."""
_LISTED = 60  # words of a list that a finding names
_LONGEST_STEP = 200  # characters of a key
_LONGEST_WORD = 64  # characters of a word that another is suggested for
_COMPARED = 50_000  # words, in all that is said of one file
_LEFT: ContextVar[list[int] | None] = ContextVar("words that may still be compared", default=None)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, or worth knowing.

    Attributes:
        place: Where in the file.
        message: What is wrong, a sentence.
        fix: What to write instead, a sentence, or empty.
        settles: Places that this finding explains, so that their own findings are left out.
        rests_on: Places that must be right for this finding to hold.
        file: The file, where it is not the configuration itself.
    """

    place: Place
    message: str
    fix: str = ""
    severity: Literal["error", "warning"] = "error"
    line: int | None = None
    settles: tuple[Place, ...] = ()
    rests_on: tuple[Place, ...] = ()
    file: str | None = None

    @property
    def path(self) -> str:
        """The place as text: `connectors.city-aq.location[0]`."""
        return spell(self.place)

    def __str__(self) -> str:
        return _joined(self.path, self.message, self.fix)

    def plain(self) -> dict[str, str | int | None]:
        """Return what a program reads: `--format json`."""
        return {
            "severity": self.severity,
            "file": self.file,
            "path": self.path,
            "line": self.line,
            "message": self.message,
            "fix": self.fix,
        }


class InvalidConfigError(ConfigError):
    """The configuration cannot be used; `findings` holds every error, in order of lines. then: what follows from it."""

    def __init__(self, file: str, findings: Sequence[Finding], then: str = "nothing was started") -> None:
        self.findings = tuple(findings)
        files = list(dict.fromkeys(finding.file or file for finding in findings))
        have = "has" if len(files) == 1 else "have"
        errors = "an error" if len(findings) == 1 else f"{len(findings)} errors"
        super().__init__(f"{' and '.join(files)} {have} {errors}; {then}.\n\n{listed(file, findings)}")


def spell(place: Place) -> str:
    """Write a place as a path, on one line whatever its keys hold; the root is empty."""
    text = ""
    for step in place:
        text += f"[{step}]" if isinstance(step, int) else f".{_cut(step, _LONGEST_STEP)}"
    return printable(text.removeprefix("."))


def listed(file: str, findings: Iterable[Finding]) -> str:
    """Write findings one below the other, in order of lines, each with its fix indented below it."""
    ordered = sorted(findings, key=lambda finding: (finding.file or "", finding.line or 0))
    entries = [_entry(finding.file or file, finding) for finding in ordered[:_TOLD]]
    if len(ordered) > _TOLD:
        entries.append(f"and {len(ordered) - _TOLD:,} more, which mending these may mend too.")
    return "\n".join(entries)


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[:longest]}..."


def _entry(file: str, finding: Finding) -> str:
    where = file if finding.line is None else f"{file}:{finding.line}"
    first = "  ".join(part for part in (where, finding.path, finding.message) if part)
    return f"{first}\n    {finding.fix}" if finding.fix else first


def _joined(*parts: str) -> str:
    return " ".join(part for part in parts if part)


def sentence(text: str) -> str:
    """End a text as a sentence."""
    return text if text.endswith((".", "?", "!")) else f"{text}."


@contextmanager
def few_suggestions() -> Iterator[None]:
    """Bound what is compared for suggestions: a file with thousands of wrong names is answered in seconds, too."""
    token = _LEFT.set([_COMPARED])
    try:
        yield
    finally:
        _LEFT.reset(token)


def did_you_mean(text: str, known: Collection[str]) -> str | None:
    """Return the known word that `text` most likely stands for, or None."""
    left = _LEFT.get()
    if len(text) > _LONGEST_WORD or (left is not None and left[0] <= 0):
        return None
    if left is not None:
        left[0] -= len(known)
    words = {word.lower(): word for word in sorted(known)}
    close = difflib.get_close_matches(text.lower(), words, n=1, cutoff=0.6)
    return words[close[0]] if close else None


def one_of(words: Iterable[str]) -> str:
    """List words: `a, b or c`; of many the first."""
    every = [f"`{word}`" for word in words]
    if len(every) > _LISTED:
        every[_LISTED:] = [f"{len(every) - _LISTED:,} others"]
    return every[0] if len(every) == 1 else f"{', '.join(every[:-1])} or {every[-1]}" if every else "nothing"


def secret(place: Place) -> bool:
    """Say whether a value at this place may be a secret, by the names on the way to it."""
    return any(isinstance(step, str) and _SECRET.search(step) and not step.endswith("_file") for step in place)


def shown(value: object, place: Place) -> str:
    """Quote a scalar for a message; what may be secret, and what is not a scalar, is only named by its kind."""
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, (list, tuple)):
        return "a list"
    if value is None:
        return "nothing"
    text = str(value).lower() if isinstance(value, bool) else str(value)
    if secret(place):
        return "this value (not shown)"
    if _USER_INFO.search(text):
        text = _USER_INFO.sub("://***@", text)
    text = _cut(text, _LONGEST)
    return f"`{printable(text)}`"
