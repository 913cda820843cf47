"""The books of a demo, at any moment and at its end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pipeline.demo.scrape import Figures


@dataclass(frozen=True, slots=True)
class Tally:
    """What each side has counted by itself.

    sent: what the MQTT broker has confirmed to the city. worker: the worker's figures. records, dead_letters: what a
    consumer has read, by topic and by reason. worker_exit: the worker's exit code.
    """

    sent: int
    worker: Figures
    records: Mapping[str, int]
    dead_letters: Mapping[str, int]
    flagged: int = 0
    worker_exit: int = 0

    @property
    def read(self) -> int:
        """Records that the consumer has read."""
        return sum(self.records.values())

    @property
    def dead(self) -> int:
        """Dead letters that the consumer has read."""
        return sum(self.dead_letters.values())

    @property
    def conserved(self) -> bool:
        """Whether every message is somewhere, once, and all agree about it."""
        worker = self.worker
        return (
            self.sent == worker.received == self.read + self.dead
            and (self.read, self.dead) == (worker.published, worker.dead_lettered)
            and worker.conserved
            and not worker.in_flight
            and self.sent > 0
            and self.worker_exit == 0
        )

    def text(self, p50: float | None, p99: float | None) -> str:
        """Return the summary."""
        worker = self.worker
        lines = [
            f"the city sent          {self.sent:>9,}   confirmed by the MQTT broker",
            f"the worker received    {worker.received:>9,}",
            f"           published   {worker.published:>9,}   latency p50 {in_ms(p50)}, p99 {in_ms(p99)}",
            f"           dead-letter {worker.dead_lettered:>9,}",
            f"a consumer read        {self.read:>9,}   records, {self.flagged:,} of them flagged in ce_quality",
            *(f"                       {n:>9,}   {topic}" for topic, n in sorted(self.records.items())),
            f"                       {self.dead:>9,}   dead letters",
            *(f"                       {n:>9,}   {reason}" for reason, n in sorted(self.dead_letters.items())),
            "",
        ]
        sums = f"{self.sent} sent, {worker.received} received, {self.read} records + {self.dead} dead letters read"
        lines.append(f"Conserved: {sums}." if self.conserved else f"NOT conserved: {sums}.")
        if self.worker_exit:
            lines.append(f"The worker ended with exit code {self.worker_exit}.")
        return "\n".join(lines)


def in_ms(seconds: float | None) -> str:
    """Write a latency."""
    return "-" if seconds is None else f"{seconds * 1000:.0f} ms"
