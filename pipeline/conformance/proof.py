"""What is proved of one connector, and the level that it reaches."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from pipeline.conformance import examples as proved_examples
from pipeline.conformance import hostility
from pipeline.conformance.examples import Bench, ExampleFault
from pipeline.plugins.registry import FoundConnector

__all__ = ["LEVELS", "ExampleFault", "Proof", "prove"]

LEVELS = ("broken", "draft", "checked", "field")
"""draft: it loads and its examples pass. checked: nothing else fails, it has a bad example and an owner.
field: an example says in `source` where what a device sends was published or captured."""


@dataclass(slots=True)
class Proof:
    """The result.

    Attributes:
        examples_fail: What examples do not become.
        others_fail: What is wrong beside the examples: unsteady, slow, or failing on unforeseen payloads.
        missing: What the next level asks for.
        tried: How many unforeseen payloads were tried.
    """

    found: FoundConnector
    examples_fail: list[ExampleFault] = field(default_factory=list)
    others_fail: list[ExampleFault] = field(default_factory=list)
    tried: int = 0

    @property
    def faults(self) -> list[ExampleFault]:
        """Everything that is wrong."""
        return [*self.examples_fail, *self.others_fail]

    @property
    def level(self) -> str:
        """The level that is reached."""
        if self.examples_fail or not self._good:
            return "broken"
        if self.others_fail or self._for_checked():
            return "draft"
        return "checked" if self._for_field() else "field"

    @property
    def missing(self) -> list[str]:
        """What the next level asks for, a sentence each; nothing while a fault stands before it."""
        if not self._good:
            return ["draft: add an example of a payload and what it becomes."]
        if self.examples_fail:
            return []
        return self._for_checked() or ([] if self.others_fail else self._for_field())

    @property
    def _good(self) -> list[Any]:
        return [example for example in self.found.connector.examples if not proved_examples.is_bad(example)]

    def _for_checked(self) -> list[str]:
        connector = self.found.connector
        asks = []
        if len(self._good) == len(connector.examples):
            asks.append("checked: add an example of a payload that must be refused (expect=PayloadError).")
        if not isinstance(connector.owner, str) or not connector.owner.strip():
            asks.append("checked: name an `owner` that is responsible for it.")
        return asks

    def _for_field(self) -> list[str]:
        if any(example.source for example in self._good):
            return []
        return ["field: add an example of what a device has sent, with its `source`."]

    def plain(self) -> dict[str, Any]:
        """Return what a program reads: `--format json`."""
        return {
            "names": list(self.found.names),
            "file": self.found.file,
            "line": self.found.line,
            "level": self.level,
            "ok": not self.faults and self.level != "broken",
            "examples": len(self.found.connector.examples),
            "payloads": self.tried,
            "faults": [{"where": each.where, "check": each.check, "message": each.message} for each in self.faults],
            "missing": self.missing,
        }


def prove(found: FoundConnector) -> Proof:
    """Prove one connector: its examples, determinism, time, and what escapes from random payloads."""
    bench = Bench(found)
    proof = Proof(found)
    declared = found.connector.examples
    for example in declared:
        proof.examples_fail += proved_examples.faults(bench, example)
    seed = found.names[0]
    proof.others_fail += hostility.unsteady(bench, declared)
    proof.others_fail += hostility.slow(bench, declared)
    proof.others_fail += hostility.faults(bench, declared, seed)
    proof.tried = sum(1 for _ in hostility.payloads(declared, seed))
    return proof
