"""The samples of one look at the metrics: what the page says is what Prometheus reads, by construction."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

Sample = tuple[str, Mapping[str, str], float]


class Samples:
    """Samples by name. A counter's name ends in `_total` here."""

    def __init__(self, samples: Iterable[Sample]) -> None:
        self._by_name: dict[str, list[tuple[Mapping[str, str], float]]] = {}
        for name, labels, value in samples:
            self._by_name.setdefault(name, []).append((labels, value))

    def by(self, label: str, name: str, **having: str) -> dict[str, float]:
        """Return the sums of the samples that have these labels, by the value of one label."""
        sums: Counter[str] = Counter()
        for labels, value in self._by_name.get(name, ()):
            if label in labels and having.items() <= labels.items():
                sums[labels[label]] += value  # type: ignore[assignment] # a Counter may hold floats
        return dict(sums)

    def sum(self, name: str, **having: str) -> float:
        """Return the sum of the samples that have these labels; 0 if none has."""
        found = self._by_name.get(name, ())
        return sum(value for labels, value in found if having.items() <= labels.items())
