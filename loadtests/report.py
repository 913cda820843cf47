"""Renders a results file as Markdown: medians with their range, and ratios taken within a round."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

from loadtests.contenders import Contender
from loadtests.networks import NETWORKS, TARGETS
from loadtests.samples import Sample

# In a million messages the start hides nothing any more, so it is counted in; elsewhere the load is what is asked for.
WITH_START = {"drain1m"}
PEERS = ("relay", "telegraf")
HEAD = (
    "| | CPU us a message | without start | system | records/s | peak RSS MiB | p50 ms | p99 ms | lost | twice |\n"
    "|---|---|---|---|---|---|---|---|---|---|"
)


class Results:
    def __init__(self, samples: Sequence[Sample]) -> None:
        self._samples = [sample for sample in samples if not sample.failure]
        self.failed = [sample for sample in samples if sample.failure]
        self.contenders = list(dict.fromkeys(sample.contender for sample in samples))
        self.cases = list(dict.fromkeys(sample.case for sample in samples if sample.case != "idle"))

    def of(self, case: str, contender: str) -> list[Sample]:
        return [sample for sample in self._samples if (sample.case, sample.contender) == (case, contender)]

    def start_cpu(self, contender: str) -> float:
        idle = [sample.cpu_s for sample in self.of("idle", contender)]
        return median(idle) if idle else 0.0

    def whole(self, sample: Sample) -> float:
        return sample.cpu_s / sample.messages * 1e6

    def without_start(self, sample: Sample) -> float:
        return max(sample.cpu_s - self.start_cpu(sample.contender), 0.0) / sample.messages * 1e6

    def compared(self, sample: Sample) -> float:
        return self.whole(sample) if sample.case in WITH_START else self.without_start(sample)

    def ratios(self, case: str, one: str, other: str) -> list[float]:
        """Compare two contenders in the same round only: the machine differs less from itself there."""
        theirs = {sample.round: self.compared(sample) for sample in self.of(case, other)}
        ours = [(sample.round, self.compared(sample)) for sample in self.of(case, one)]
        return [value / theirs[number] for number, value in ours if theirs.get(number)]


def report(file: Path) -> str:
    data = json.loads(file.read_text(encoding="utf-8"))
    results = Results([Sample.from_json(each) for each in data["samples"]])
    machine = "; ".join(f"{name} {value}" for name, value in data["machine"].items())
    options = ", ".join(f"{name} {value}" for name, value in data["options"].items())
    parts = [f"Machine: {machine}.\n\nOptions: {options}.", _starts(results)]
    parts += [_case(results, case) for case in results.cases]
    failures = [f"- {each.case} round {each.round} {each.contender}: {each.failure}" for each in results.failed]
    return "\n\n".join([*parts, *(["Failed runs:\n" + "\n".join(failures)] if failures else [])])


def _starts(results: Results) -> str:
    lines = ["| start and stop | CPU s | peak RSS MiB |", "|---|---|---|"]
    for name in results.contenders:
        idle = results.of("idle", name)
        lines.append(f"| {name} | {_spread(idle, lambda each: each.cpu_s, 2)} | {_spread(idle, _rss, 0)} |")
    return "\n".join(lines)


def _case(results: Results, case: str) -> str:
    rounds = max((len(results.of(case, name)) for name in results.contenders), default=0)
    rows = [_row(results, name, results.of(case, name)) for name in results.contenders if results.of(case, name)]
    pairs = [("headrace", peer) for peer in PEERS] + [(each.name, "headrace") for each in NETWORKS]
    remarks = [_ratio(results, case, *pair) for pair in pairs if results.ratios(case, *pair)]
    remarks += [_copies(results, case, each) for each in NETWORKS if each.copies > 1 and results.of(case, each.name)]
    remarks += _histograms(results.of(case, "headrace"))
    return "\n".join([f"### {case}, rounds: {rounds}\n", HEAD, *rows, *(["", *remarks] if remarks else [])])


def _row(results: Results, name: str, samples: Sequence[Sample]) -> str:
    cells = [
        name,
        _spread(samples, results.whole, 2),
        _spread(samples, results.without_start, 2),
        _spread(samples, lambda each: each.system_s / each.cpu_s * 100, 0, "%"),
        _spread(samples, lambda each: each.rate, 0),
        _spread(samples, _rss, 0),
        _spread(samples, lambda each: each.p50_ms, 1),
        _spread(samples, lambda each: each.p99_ms, 1),
        str(sum(each.lost for each in samples)),
        str(sum(each.duplicates for each in samples)),
    ]
    return f"| {' | '.join(cells)} |"


def _histograms(samples: Sequence[Sample]) -> list[str]:
    """Tell what the contender itself measured, a median over the rounds."""
    lines = []
    for name in dict.fromkeys(name for sample in samples for name in sample.own):
        p50, p99 = (_spread(samples, _own(name, place), 1) for place in (0, 1))
        lines.append(f"- {name}, headrace's own: p50 {p50} ms, p99 {p99} ms")
    return lines


def _own(name: str, place: int) -> Callable[[Sample], float | None]:
    return lambda sample: sample.own[name][place] * 1000 if name in sample.own else None


def _copies(results: Results, case: str, contender: Contender) -> str:
    """Tell what a message of MQTT costs where several make one of the table's."""
    each = _spread(results.of(case, contender.name), lambda sample: results.compared(sample) / contender.copies, 2)
    return (
        f"- {contender.name}: a message above is a frame, told by {contender.copies} gateways in an MQTT message each; "
        f"CPU us an MQTT message, {_basis(case)}: {each}"
    )


def _basis(case: str) -> str:
    return "start included" if case in WITH_START else "without start"


def _ratio(results: Results, case: str, one: str, other: str) -> str:
    ratios = results.ratios(case, one, other)
    spread = f"{median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
    wanted = f"; to reach: at most {TARGETS[one]:g}" if one in TARGETS else ""
    return f"- CPU a message, {one} / {other}, {_basis(case)}: {spread}{wanted}"


def _rss(sample: Sample) -> float:
    return sample.peak_rss / 2**20


def _spread(samples: Sequence[Sample], value: Callable[[Sample], float | None], places: int, unit: str = "") -> str:
    found = [number for number in map(value, samples) if number is not None]
    if not found:
        return ""
    middle = f"{median(found):,.{places}f}{unit}"
    return middle if len(found) == 1 else f"{middle} ({min(found):,.{places}f} to {max(found):,.{places}f})"
