"""What a replay has done: counts, in dead letters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from typing import Any

from pipeline.core.errors import Reason


@dataclass(slots=True)
class Report:
    """The counts of one replay.

    seen: dead letters looked at. passed_over: of another reason, or older. before: done by an earlier replay.
    dismissed: counted as done without being tried.
    filtered: dropped as a route says. again: failed again, by the present reason; samples: the first sentence of each.
    unusable: cannot be replayed, by why. unconfirmed: Kafka has not confirmed them in time.
    """

    topic: str
    dry_run: bool
    seen: int = 0
    passed_over: int = 0
    before: int = 0
    dismissed: int = 0
    published: int = 0
    filtered: int = 0
    again: Counter[str] = field(default_factory=Counter)
    samples: dict[str, str] = field(default_factory=dict)
    unusable: Counter[str] = field(default_factory=Counter)
    unconfirmed: int = 0

    @property
    def tried(self) -> int:
        """How many have gone through the stages."""
        return self.published + self.filtered + self.again.total() + self.unconfirmed

    @property
    def clean(self) -> bool:
        """Say whether everything that was meant came out."""
        return not self.again and not self.unusable and not self.unconfirmed


def plain(report: Report) -> dict[str, Any]:
    """Return the report as JSON takes it; `asdict` of Python 3.11 makes tuples of a Counter's keys."""
    values = {each.name: getattr(report, each.name) for each in fields(report)}
    return {name: dict(value) if isinstance(value, dict) else value for name, value in values.items()}


def text(report: Report) -> str:
    """Write the report for a person."""
    return "\n".join(_lines(report))


def _lines(report: Report) -> Iterator[str]:
    yield f"{report.topic}: {_count(report.seen, 'dead letter')} looked at"
    verb = "would come out" if report.dry_run else "came out"
    if report.dismissed:
        yield f"    {report.dismissed} {'would be ' if report.dry_run else ''}dismissed: no later replay tries them"
    else:
        yield f"    {report.published} {verb} as records"
    if report.filtered:
        yield f"    {report.filtered} filtered, as their route says"
    if report.again:
        yield f"    {report.again.total()} failed again"
    for reason, count in report.again.most_common():
        yield f"        {count} {reason}: {report.samples.get(reason, '')}"
        yield f"            {_meaning(reason)}"
    for why, count in report.unusable.most_common():
        yield f"    {count} cannot be replayed: {why}"
    if report.unconfirmed:
        yield f"    {report.unconfirmed} not confirmed by Kafka in time: the next replay takes them again"
    if report.before:
        yield f"    {report.before} replayed or dismissed before (--again takes them too)"
    if report.passed_over:
        yield f"    {report.passed_over} not asked for"
    if report.dry_run:
        yield "    nothing was written (--dry-run)"


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _meaning(reason: str) -> str:
    known = Reason.__members__.get(reason.upper())
    return "" if known is None else known.explanation
