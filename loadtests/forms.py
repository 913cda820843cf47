"""How much processor time a record takes in each form of its value, beside the normalised one.

In one process, from the route to the publisher's door (tests/pipeline/flow.py), without any broker: nothing else is
measured. The forms take turns within a round, in every order equally often, and each is compared within its round.
"""

from __future__ import annotations

import gc
import platform
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import permutations
from statistics import median, quantiles
from time import process_time
from typing import Any, Final

import orjson

from loadtests.machine import processor
from pipeline.core.delivery import Batch, Message
from pipeline.encode import FORMS, Encoder
from tests.pipeline.flow import ARRIVAL, READING, Flow, plan_of

_BATCH: Final = 200
_DEVICES: Final = 1000
_USUAL: Final = "normalised"
_CASES: Final[Mapping[str, Encoder]] = {
    **{str(form): encoder for form, encoder in FORMS.items()},
    "normalised, once more": FORMS[_USUAL],
}
"""The last is the same as the first: how far it is from 1 is the noise of the run."""
WAYS: Final[Mapping[str, Mapping[str, Any]]] = {
    "as expected, by the compiled plan": {},
    "with an implausible value, by the rules": {"no2": 1e6},
}
"""How a reading differs from the usual one, by the way that it therefore takes."""


@dataclass(frozen=True)
class _Case:
    """One form on one way, ready to be measured."""

    flow: Flow
    messages: list[Message]

    @classmethod
    def of(cls, encoder: Encoder, changes: Mapping[str, Any]) -> _Case:
        return cls(Flow(plan_of(encoder=encoder)), [_message(number, changes) for number in range(_BATCH)])

    def seconds(self, batches: int) -> float:
        """Return the processor time of a record."""
        began = process_time()
        for _ in range(batches):
            self.flow.router.put(Batch(self.flow.lane.receive(_BATCH, None), self.messages))
            self.flow.memory.records.clear()
        return (process_time() - began) / (batches * _BATCH)

    def size(self) -> float:
        """Return the bytes of a record's value."""
        self.flow.router.put(Batch(self.flow.lane.receive(_BATCH, None), self.messages))
        sizes = [record.value_size for record in self.flow.memory.records]
        self.flow.memory.records.clear()
        return sum(sizes) / len(sizes)


def _message(number: int, changes: Mapping[str, Any]) -> Message:
    device = f"aq-{number % _DEVICES:04}"
    own = {"device": device, "ts": ARRIVAL - number, "temperature": 20 + number % 90 / 10}
    return Message(f"city/aq/{device}", orjson.dumps({**READING, **own, **changes}), ARRIVAL)


def measure(rounds: int = 240, batches: int = 10) -> str:
    """Return the figures as Markdown."""
    rows = [
        f"{rounds} rounds of {batches * _BATCH:,} records each; {processor()}, Python {platform.python_version()}.\n"
    ]
    rows.append("| a reading | form | bytes of value | us a record | against normalised: median [half of the rounds] |")
    rows.append("|---|---|---|---|---|")
    for way, changes in WAYS.items():
        taken = alternating(changes, rounds, batches)
        for name, encoder in _CASES.items():
            ratios = [one / usual for one, usual in zip(taken[name], taken[_USUAL], strict=True)]
            low, middle, high = quantiles(ratios, n=4)
            size, us = _Case.of(encoder, changes).size(), median(taken[name]) * 1e6
            rows.append(f"| {way} | {name} | {size:.0f} | {us:.2f} | {middle:.3f} [{low:.3f}, {high:.3f}] |")
    return "\n".join(rows)


def alternating(changes: Mapping[str, Any], rounds: int, batches: int) -> dict[str, list[float]]:
    """Measure the forms in turn, in every order equally often, and return the seconds of a record in each round.

    Each order has plans and messages of its own, so that where they happen to lie in memory favours no form.
    """
    taken: dict[str, list[float]] = defaultdict(list)
    orders = [*permutations(_CASES)]
    for order in orders:
        cases = {name: _Case.of(_CASES[name], changes) for name in order}
        for case in cases.values():
            case.seconds(batches)  # caches fill, and the code is warm
        for _ in range(-(-rounds // len(orders))):
            gc.collect()
            for name, case in cases.items():
                taken[name].append(case.seconds(batches))
    return taken
