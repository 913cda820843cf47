"""Which configuration is in force, and what became of the last wish for another."""

from __future__ import annotations

import time
from dataclasses import dataclass, field


@dataclass(slots=True)
class InForce:
    """Times are seconds since 1970 UTC. refused: what was wrong with the file at the last reload; empty if nothing."""

    file: str = ""
    hash: str = ""
    loaded: float = field(default_factory=time.time)
    reloads: int = 0
    refusals: int = 0
    refused: list[str] = field(default_factory=list)

    def applied(self, fingerprint: str) -> None:
        """Note that the file was taken."""
        self.hash, self.loaded, self.refused = fingerprint, time.time(), []
        self.reloads += 1

    def kept(self, why: list[str]) -> None:
        """Note that the file was refused."""
        self.refused = why
        self.refusals += 1
