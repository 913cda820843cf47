"""The samples of one look at the metrics: what the page says is what Prometheus reads, by construction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

Sample = tuple[str, Mapping[str, str], float]


class Samples:
    """Samples by name, and by name and feed. A counter's name ends in `_total` here."""

    def __init__(self, samples: Iterable[Sample]) -> None:
        self._found: dict[tuple[str, str | None], list[tuple[Mapping[str, str], float]]] = {}
        for name, labels, value in samples:
            self._found.setdefault((name, None), []).append((labels, value))
            if "feed" in labels:
                self._found.setdefault((name, labels["feed"]), []).append((labels, value))

    def by(self, label: str, name: str, feed: str | None = None, **having: str) -> dict[str, float]:
        """Return the sums of the samples that have these labels, by the value of one label."""
        sums: dict[str, float] = {}
        for labels, value in self._found.get((name, feed), ()):
            if label in labels and having.items() <= labels.items():
                sums[labels[label]] = sums.get(labels[label], 0) + value
        return sums

    def sum(self, name: str, feed: str | None = None, **having: str) -> float:
        """Return the sum of the samples that have these labels; 0 if none has."""
        found = self._found.get((name, feed), ())
        return sum(value for labels, value in found if having.items() <= labels.items())
