"""The doctor's report for a person."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from pipeline.core.printable import printable
from pipeline.tools.doctor.finding import SEVERITIES, Finding, worst

_WIDTH = max(map(len, SEVERITIES))


def text(file: str, found: Sequence[Finding]) -> str:
    """Write the judgements one below the other, each with the line to change; then how many there are of each."""
    counts = Counter(each.severity for each in found)
    lines = [printable(line) for each in found for line in _entry(each)]  # brokers and Kafka say what they like
    told = ", ".join(f"{counts[each]} {each}" for each in reversed(SEVERITIES))
    return "\n".join([*lines, "", f"{file}: {worst(found)} ({told})"])


def _entry(found: Finding) -> list[str]:
    first = f"{found.severity:{_WIDTH}}  {found.check}  {found.evidence}"
    if not found.change and found.severity in {"ok", "info"}:
        return [first]
    where = "" if found.file is None else found.file if found.line is None else f"{found.file}:{found.line}"
    rest = "  ".join(part for part in (where, found.change) if part)
    return [first, f"{'':{_WIDTH}}  -> {rest}"] if rest else [first]
