"""What is proved of a format of payloads: its examples, and that unforeseen payloads raise only PayloadError."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pipeline.conformance.examples import ExampleFault, uplink
from pipeline.conformance.hostility import OverrunError, patience, payloads
from pipeline.core.errors import PayloadError
from pipeline.plugins.registry import OwnFormat
from pipeline.sdk.connector import MOST_READINGS, Example

_SHOWN = 60


@dataclass(slots=True)
class FormatProof:
    """The result.

    Attributes:
        tried: payloads.
    """

    found: OwnFormat
    faults: list[ExampleFault] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    tried: int = 0

    def plain(self) -> dict[str, Any]:
        """Return what a program reads: `--format json`."""
        return {
            "name": self.found.format.name,
            "file": self.found.file,
            "line": self.found.line,
            "ok": not self.faults,
            "examples": len(self.found.format.examples),
            "payloads": self.tried,
            "faults": [{"where": each.where, "check": each.check, "message": each.message} for each in self.faults],
            "missing": self.missing,
        }


def prove_format(found: OwnFormat) -> FormatProof:
    """Prove one format."""
    examples = found.format.examples
    proof = FormatProof(found, [fault for example in examples for fault in _example(found, example)])
    if not any(example.expect is not PayloadError for example in examples):
        proof.missing.append("add an example of a payload and what is `decoded` of it.")
    if not any(example.expect is PayloadError for example in examples):
        proof.missing.append("add an example of a payload that must be refused (expect=PayloadError).")
    seen: set[str] = set()
    for fault in _hostile(found):
        if fault.check not in seen:
            seen.add(fault.check)
            proof.faults.append(fault)
    proof.tried = sum(1 for _ in payloads(examples, found.format.name))
    return proof


def _example(found: OwnFormat, example: Example) -> Iterator[ExampleFault]:
    check = f"example {example.name!r}"
    try:
        read = found.format.decode(uplink(example.payload(), example.port))
    except PayloadError as refused:
        if example.expect is not PayloadError:
            yield ExampleFault(found.where, check, f"expected readings, got the refusal: {refused}")
        return
    except Exception as error:  # noqa: BLE001 - whatever a format raises
        yield ExampleFault(
            found.where, check, f"expected readings or PayloadError, got {type(error).__name__}: {error}"
        )
        return
    if example.expect is PayloadError:
        yield ExampleFault(found.where, check, f"expected PayloadError, got {str(read)[:_SHOWN]}")
    elif example.decoded is None:
        yield ExampleFault(found.where, check, "does not say what is `decoded`.")
    elif _listed(read) != _listed(example.decoded):
        yield ExampleFault(found.where, check, f"expected {_listed(example.decoded)}, got {_listed(read)}")


def _listed(read: object) -> list[Any]:
    return [read] if isinstance(read, Mapping) else list(read) if isinstance(read, Sequence) else [read]


def _hostile(found: OwnFormat) -> Iterator[ExampleFault]:
    current = b""
    try:
        with patience():
            for payload, port in payloads(found.format.examples, found.format.name):
                current = payload
                fault = _tried(found, payload, port)
                if fault is not None:
                    yield fault
    except OverrunError:
        yield ExampleFault(
            found.where, "endless", f"expected an end; the last payload was hex {current.hex()[:_SHOWN]}"
        )


def _tried(found: OwnFormat, payload: bytes, port: int | None) -> ExampleFault | None:
    shown = f"payload hex {payload.hex()[:_SHOWN]!r}"
    try:
        read = found.format.decode(uplink(payload, port))
        readings = _listed(read)
        if len(readings) <= MOST_READINGS and all(isinstance(each, Mapping) for each in readings):
            return None
        return ExampleFault(
            found.where, "result", f"expected fields, or a list of them, got {type(read).__name__}; {shown}"
        )
    except PayloadError as refused:
        return (
            None
            if str(refused)
            else ExampleFault(found.where, "silent", f"expected a sentence in PayloadError; {shown}")
        )
    except (OverrunError, KeyboardInterrupt):
        raise
    except BaseException as error:  # noqa: BLE001 - SystemExit would end a worker, so it counts too
        name = type(error).__name__
        return ExampleFault(found.where, f"escapes {name}", f"expected PayloadError only, got {name}: {error}; {shown}")
