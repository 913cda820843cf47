"""One judgement of the doctor: what was looked at, how bad it is, what was seen, and what to write where."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from pipeline.config import findings
from pipeline.config.findings import Place
from pipeline.core.logs import printable

Severity = Literal["ok", "info", "warning", "critical"]
SEVERITIES: Final[tuple[Severity, ...]] = ("ok", "info", "warning", "critical")
"""From good to bad. `info` is worth knowing, or cannot be measured from here."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """One judgement.

    Attributes:
        check: What was looked at, such as `kafka.replication`.
        evidence: What was measured or read, a sentence.
        place: Where in the configuration the line to change stands.
        change: The text to write there, or the command to give.
        file: The file to change; None: the configuration. One without a line is another program's.
        line: The line of the file.
    """

    check: str
    severity: Severity
    evidence: str
    place: Place = ()
    change: str = ""
    file: str | None = None
    line: int | None = None

    def plain(self) -> dict[str, str | int | None]:
        """Return what a program reads: `--format json`."""
        return {
            "check": self.check,
            "severity": self.severity,
            "evidence": self.evidence,
            "file": self.file,
            "line": self.line,
            "path": findings.spell(self.place),
            "change": self.change,
        }


def worst(found: Iterable[Judgement]) -> Severity:
    """Return the highest severity; `ok` of nothing."""
    return max((each.severity for each in found), key=SEVERITIES.index, default="ok")


def told(check: str, each: findings.Finding) -> Judgement:
    """Take what `headrace check` has found: its errors are critical here."""
    severity: Severity = "critical" if each.severity == "error" else "warning"
    said = f"{each.path}: {each.message}" if each.path else each.message
    return Judgement(check, severity, said, each.place, each.fix, each.file, each.line)


_WIDTH = max(map(len, SEVERITIES))


def text(file: str, found: Sequence[Judgement]) -> str:
    """Write the judgements one below the other, each with the line to change; then how many there are of each."""
    counts = Counter(each.severity for each in found)
    lines = [printable(line) for each in found for line in _entry(each)]  # brokers and Kafka say what they like
    told = ", ".join(f"{counts[each]} {each}" for each in reversed(SEVERITIES))
    return "\n".join([*lines, "", f"{file}: {worst(found)} ({told})"])


def _entry(found: Judgement) -> list[str]:
    first = f"{found.severity:{_WIDTH}}  {found.check}  {found.evidence}"
    if not found.change and found.severity in {"ok", "info"}:
        return [first]
    where = "" if found.file is None else found.file if found.line is None else f"{found.file}:{found.line}"
    rest = "  ".join(part for part in (where, found.change) if part)
    return [first, f"{'':{_WIDTH}}  -> {rest}"] if rest else [first]
