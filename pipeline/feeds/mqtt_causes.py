"""What one ended connection after another has in common: a cause that returns needs a person, or another way."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.errors import HeadraceError
from pipeline.feeds.mqtt_options import Trouble

OFTEN = 3
_A_ROW_SECONDS = 600.0  # a connection that lasted longer ends the row


class ConnectionFailedError(HeadraceError):
    """A connection did not come about, or ended; `fatal` where only a person can mend the reason."""

    def __init__(self, trouble: Trouble, sentence: str, *, fatal: bool = False) -> None:
        super().__init__(sentence)
        self.trouble = trouble
        self.fatal = fatal


@dataclass(slots=True)
class Row:
    """The last problem, and how many times in a row it came."""

    problem: str = ""
    trouble: Trouble | None = None
    times: int = 0

    def add(self, problem: ConnectionFailedError, lasted: float) -> None:
        """Count one more end of a connection that has lasted so many seconds."""
        same = str(problem) == self.problem and lasted < _A_ROW_SECONDS
        self.times = self.times + 1 if same else 1
        self.problem, self.trouble = str(problem), problem.trouble

    @property
    def said(self) -> str:
        """A sentence on how often it came, once that means something."""
        if self.stuck:
            return f" This came more than {OFTEN} times in a row, so that the next attempt waits for some minutes."
        return f" This came {OFTEN} times in a row." if self.lenient else ""

    @property
    def lenient(self) -> bool:
        """Whether the next connection should read past a packet that it does not understand, and go on."""
        return self.trouble is Trouble.PROTOCOL and self.times >= OFTEN

    @property
    def stuck(self) -> bool:
        """Whether that did not help either: the bytes do not even say where the next packet begins."""
        return self.trouble is Trouble.PROTOCOL and self.times > OFTEN
