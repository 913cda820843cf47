"""Views of the demo: lines for a pipe or a log, and what every view has to say."""

from __future__ import annotations

import sys
from typing import Final, Protocol, Self

from pipeline.core.delivery import Fate
from pipeline.demo.city import FAULTS
from pipeline.demo.tally import Moment, in_ms

_LINE_SECONDS: Final = 2.0


class View(Protocol):
    """Shows moments between enter and exit."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *exception: object) -> None: ...

    def show(self, moment: Moment) -> None:
        """Show it, if it is time."""


class LineView:
    """A line each two seconds."""

    def __init__(self) -> None:
        self._next = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        """Nothing to put back."""

    def show(self, moment: Moment) -> None:
        """Print a line, if it is time."""
        if moment.seconds < self._next:
            return
        self._next = moment.seconds + _LINE_SECONDS
        for sentence in moment.trouble:
            say(f"{moment.seconds:4.0f} s  ! {sentence}")
        tally, copies = moment.tally, moment.tally.worker.fate(Fate.DEDUPLICATED)
        say(
            f"{moment.seconds:4.0f} s  in {moment.rate_in:4.0f}/s  out {moment.rate_out:4.0f}/s  "
            f"p50 {in_ms(moment.p50)}  p99 {in_ms(moment.p99)}  "
            f"read {tally.read} records ({sum(moment.events.values())} device events), {tally.dead} dead letters; "
            f"{copies} copies by 2nd gateways; {moment.quiet} of {moment.entities} entities quiet"
        )


def say(text: str) -> None:
    """Print it now, also into a pipe."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def broken_devices() -> str:
    """Return what is wrong in the city, a line each."""
    return "\n".join(f"  {fault.kind:<13}{fault.name:<34}{fault.outcome.text}" for fault in FAULTS)
