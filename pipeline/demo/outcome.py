"""What becomes of a message of the city: said before, and held against what the worker and a consumer count."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Final

from pipeline.core.delivery import Fate
from pipeline.core.errors import Reason


@dataclass(frozen=True, slots=True)
class Outcome:
    """A fate, and what to say of it to a person. reason: of a dead letter."""

    text: str
    fate: Fate = Fate.PUBLISHED
    reason: Reason | None = None


PUBLISHED: Final = Outcome("published")
COPY: Final = Outcome("deduplicated", Fate.DEDUPLICATED)


def dead(reason: Reason) -> Outcome:
    """Return the outcome of what cannot be used."""
    return Outcome(f"dead letter: {reason.value}", Fate.DEAD_LETTERED, reason)


@dataclass(frozen=True, slots=True)
class Spoken:
    """A message of the city, and what is to become of it."""

    topic: str
    payload: bytes
    outcome: Outcome = PUBLISHED

    def ending(self, outcome: Outcome) -> Spoken:
        """Return it with another outcome."""
        return replace(self, outcome=outcome)


@dataclass(slots=True)
class Books:
    """What the city has sent, by what is to become of it."""

    fates: Counter[Fate] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)

    def note(self, spoken: Spoken) -> None:
        """Count a message."""
        self.fates[spoken.outcome.fate] += 1
        if spoken.outcome.reason is not None:
            self.reasons[spoken.outcome.reason.value] += 1
