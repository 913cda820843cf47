"""For a vendor's own tests: the proofs of `headrace connectors check` as plain asserts; no test framework is needed.

from pipeline.testing import check_connector
from acme.th1 import connector

def test_conformance() -> None:
    check_connector(connector, level="checked")
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from pipeline.config import judge_connectors
from pipeline.conformance import LEVELS, Proof, prove
from pipeline.plugins.discovery import SourceLines
from pipeline.plugins.registry import FoundConnector
from pipeline.sdk.connector import Connector

__all__ = ["check_connector", "located"]


def check_connector(connector: Connector, *, level: str = "checked") -> Proof:
    """Prove a connector, and return what was proved.

    Args:
        level: What it must reach at least: draft, checked or field.

    Raises:
        AssertionError: it does not; the text lists every fault with file and line, expected and got.
    """
    if level not in LEVELS:
        raise ValueError(f"expected one of {', '.join(LEVELS)}, got {level!r}")
    found = located(connector)
    broken = list(judge_connectors.faults(connector))
    if broken:
        raise AssertionError("\n".join(f"{found.where}  {sentence}" for sentence in broken))
    proof = prove(found)
    if proof.faults or LEVELS.index(proof.level) < LEVELS.index(level):
        told = [*map(str, proof.faults), *proof.missing]
        raise AssertionError(f"{found.names[0]} is {proof.level}; expected {level}:\n" + "\n".join(told))
    return proof


def located(connector: Connector) -> FoundConnector:
    """Return the connector with its place: the file of its decoder."""
    file = _file(connector.decode)
    lines = SourceLines(file)
    line = lines.connector(connector)
    examples = {example.name: lines.example(example.name, line) for example in connector.examples}
    return FoundConnector(connector, str(file), line, examples, "test")


def _file(decode: Callable[..., object]) -> Path:
    module = sys.modules.get(getattr(decode, "__module__", "") or "")
    return Path(getattr(module, "__file__", None) or "<unknown>")
