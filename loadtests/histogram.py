"""Quantiles from Prometheus histograms, as a person with `histogram_quantile` would get them."""

import re
from collections import defaultdict

BUCKET = re.compile(r"^(?P<name>\w+_seconds)_bucket\{(?P<labels>.*)\} (?P<count>\S+)$", re.MULTILINE)
BOUND = re.compile(r'le="([^"]+)"')


def quantiles_of(metrics: str) -> dict[str, list[float]]:
    """Return [p50, p99] for each histogram of seconds in a /metrics page, all its label sets added up."""
    buckets: dict[str, dict[float, float]] = defaultdict(lambda: defaultdict(float))
    for line in BUCKET.finditer(metrics):
        bound = BOUND.search(line["labels"])
        if bound is not None:
            buckets[line["name"]][float(bound[1])] += float(line["count"])
    return {
        name: [quantile(counts, 0.5), quantile(counts, 0.99)]
        for name, counts in buckets.items()
        if counts[float("inf")]
    }


def quantile(counts: dict[float, float], share: float) -> float:
    """Interpolate inside the bucket that holds the wanted rank; beyond the last bound, that bound."""
    rank, lower, below = share * counts[float("inf")], 0.0, 0.0
    for bound in sorted(counts):
        if counts[bound] >= rank:
            if bound == float("inf"):
                return lower
            inside = counts[bound] - below
            return round(lower + (bound - lower) * (rank - below) / inside, 6) if inside else bound
        lower, below = bound, counts[bound]
    return lower
