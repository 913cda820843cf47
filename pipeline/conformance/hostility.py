"""What a connector does with unforeseen payloads: only PayloadError, soon, and the same each time."""

from __future__ import annotations

import random
import signal
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from pipeline.conformance.examples import Bench, ExampleFault, outcome, uplink
from pipeline.core.errors import PayloadError
from pipeline.normalise.records import listed
from pipeline.sdk.connector import MOST_READINGS, Example

PAYLOADS = 2000
BUDGET = 0.001
"""Seconds that one example may take to decode, at its best of several times: the worker waits for it."""
PATIENCE = 20.0  # seconds for all payloads of one connector
_TRIES = 5
_LONGEST = 64
_SHOWN = 60
_MUTATIONS = (b"\x00", b"\xff", b"{}", b"[]", b"null", b"NaN", b'""', b"-1", b"1e400", b"\xc3\x28", b"9" * 20)


class OverrunError(BaseException):
    """The connector does not come to an end; no Exception, so that it cannot catch it by accident."""


def faults(bench: Bench, examples: tuple[Example, ...], seed: str) -> Iterator[ExampleFault]:
    """Yield what escapes from random payloads and from every truncation of each example, each kind once."""
    seen: set[tuple[str, str]] = set()
    current: list[tuple[bytes, int | None]] = [(b"", None)]
    try:
        with patience():
            for payload, port in payloads(examples, seed):
                current[0] = payload, port
                fault = _tried(bench, payload, port)
                if fault is not None and (fault.where, fault.check) not in seen:
                    seen.add((fault.where, fault.check))
                    yield fault
    except OverrunError:
        said = f"expected an end, got none within {PATIENCE:g} s; the last payload was {_shown(*current[0])}"
        yield ExampleFault(bench.found.where, "endless", said)


def payloads(examples: tuple[Example, ...], seed: str) -> Iterator[tuple[bytes, int | None]]:
    """Yield no bytes on each port, every truncation of each example, and at least `PAYLOADS` random payloads.

    They are the same for a seed.
    """
    chance = random.Random(seed)  # noqa: S311 - repeatable, not secret
    given = [(example.payload(), example.port) for example in examples] or [(b"", None)]
    ports = [None, 0, 1, 223, *{port for _, port in given}]
    yield from ((b"", port) for port in dict.fromkeys(ports))
    for payload, port in given:
        yield from ((payload[:size], port) for size in range(1, len(payload)))
    for _ in range(PAYLOADS):
        payload, port = chance.choice(given)
        yield _random(chance, payload), chance.choice([port, port, *ports])


def _random(chance: random.Random, like: bytes) -> bytes:
    kind = chance.randrange(4)
    if kind == 0:
        return chance.randbytes(chance.randrange(_LONGEST))
    if kind == 1:
        return chance.randbytes(len(like))
    if not like:
        return chance.choice(_MUTATIONS)
    at = chance.randrange(len(like))
    if kind == 2:  # noqa: PLR2004 - the third way
        return like[:at] + bytes([chance.randrange(256)]) + like[at + 1 :]
    return like[:at] + chance.choice(_MUTATIONS) + like[at + chance.randrange(1, 4) :]


def _tried(bench: Bench, payload: bytes, port: int | None) -> ExampleFault | None:
    try:
        decoded = bench.connector.decode(uplink(payload, port))
    except PayloadError as refused:
        silent = ExampleFault(bench.found.where, "silent", "expected a sentence in PayloadError, got none")
        return None if str(refused) else silent
    except (OverrunError, KeyboardInterrupt):
        raise
    except BaseException as error:  # noqa: BLE001 - SystemExit would end a worker, so it counts too
        kind = _kind(error)
        said = f"expected PayloadError only, got {kind}: {error}; payload {_shown(payload, port)}"
        return ExampleFault(_where(bench, error), f"escapes {kind}", said)
    return _judged(bench, decoded, payload, port)


def _judged(bench: Bench, decoded: object, payload: bytes, port: int | None) -> ExampleFault | None:
    fan = bench.kept
    try:
        readings = listed(fan.checked(decoded))
    except PayloadError as refused:
        said = f"expected fields, or a list of at most {MOST_READINGS}: {refused} Payload {_shown(payload, port)}"
        return ExampleFault(bench.found.where, "result", said)
    if not payload and any(plan.measures(reading) for plan in fan.plans for reading in readings):
        said = f"expected PayloadError for a payload of no bytes, got {str(decoded)[:_SHOWN]}; port {port}"
        return ExampleFault(bench.found.where, "measures nothing", said)
    for reading in readings:
        refusal = outcome(fan, reading, payload).refusal
        if refusal is not None and refusal.reason.value == "internal_error":
            said = f"expected values of JSON, got what makes {refusal}; payload {_shown(payload, port)}"
            return ExampleFault(bench.found.where, "values", said)
    return None


def unsteady(bench: Bench, examples: tuple[Example, ...]) -> Iterator[ExampleFault]:
    """Yield examples that decode differently the second time, in another order."""
    first = [_decoded(bench, example) for example in examples]
    second = [_decoded(bench, example) for example in reversed(examples)][::-1]
    for example, before, after in zip(examples, first, second, strict=True):
        if before != after:
            where = f"{bench.found.file}:{bench.found.examples.get(example.name, bench.found.line)}"
            yield ExampleFault(
                where, f"example {example.name!r}", f"expected the same each time, got {before}, then {after}"
            )


def slow(bench: Bench, examples: tuple[Example, ...]) -> Iterator[ExampleFault]:
    """Yield examples that take longer than the budget, at their best of several tries."""
    for example in examples:
        best = BUDGET * 10
        for _ in range(_TRIES):
            started = time.perf_counter()
            _decoded(bench, example)
            best = min(best, time.perf_counter() - started)
        if best > BUDGET:
            where = f"{bench.found.file}:{bench.found.examples.get(example.name, bench.found.line)}"
            said = f"expected at most {BUDGET * 1000:g} ms, got {best * 1000:.1f} ms or more"
            yield ExampleFault(where, f"example {example.name!r}", said)


def _decoded(bench: Bench, example: Example) -> str:
    try:
        return repr(bench.connector.decode(uplink(example.payload(), example.port)))
    except (Exception, SystemExit) as error:  # noqa: BLE001 - the examples' own proof says whether it may
        return f"{type(error).__name__}: {error}"


def _kind(error: BaseException) -> str:
    module = type(error).__module__
    return f"{'' if module == 'builtins' else f'{module}.'}{type(error).__qualname__}"


def _where(bench: Bench, error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    line = next((frame.lineno for frame in reversed(frames) if frame.filename == bench.found.file), None)
    return bench.found.where if line is None else f"{bench.found.file}:{line}"


def _shown(payload: bytes, port: int | None) -> str:
    code = payload.hex()
    text = code if len(code) <= _SHOWN else f"{code[:_SHOWN]}... ({len(payload)} bytes)"
    return f"hex {text!r}" + ("" if port is None else f" on port {port}")


@contextmanager
def patience() -> Iterator[None]:
    """Raise OverrunError inside a connector that does not come back; only the main thread can."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def overrun(_number: int, _frame: FrameType | None) -> None:
        raise OverrunError

    before = signal.signal(signal.SIGALRM, overrun)
    signal.setitimer(signal.ITIMER_REAL, PATIENCE)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
