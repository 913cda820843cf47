"""Runs a module as `python -m` does and notes, each few milliseconds of its CPU time, where it is.

    python -m loadtests.sampler OUT.json pipeline run CONFIG

A sample costs some microseconds, where cProfile would double the price of every small Python function and so point at
the wrong ones. Time inside a C function counts for the Python line that called it.
"""

import json
import runpy
import signal
import sys
from collections import Counter
from pathlib import Path
from types import FrameType

INTERVAL_SECONDS = 0.002
IMPORTING = "(importing modules)"
SCAFFOLD = ("/<frozen", "loadtests/sampler.py")


class Sampler:
    def __init__(self) -> None:
        self._lines: Counter[str] = Counter()
        self._functions: Counter[str] = Counter()

    def start(self) -> None:
        signal.signal(signal.SIGPROF, self._sample)
        signal.setitimer(signal.ITIMER_PROF, INTERVAL_SECONDS, INTERVAL_SECONDS)

    def stop(self, target: Path) -> None:
        signal.setitimer(signal.ITIMER_PROF, 0)
        counted = {"samples": self._lines.total(), "lines": self._lines, "functions": self._functions}
        target.write_text(json.dumps(counted), encoding="utf-8")

    def _sample(self, _number: int, frame: FrameType | None) -> None:
        if frame is None:
            return
        line, stack = f"{_name(frame)}:{frame.f_lineno}", set[str]()
        while frame is not None:
            stack.add(_name(frame))
            frame = frame.f_back
        if any("_find_and_load" in name for name in stack):
            # One entry for the whole start, or its many small parts hide what a message costs.
            line, stack = IMPORTING, {IMPORTING}
        self._lines[line] += 1
        self._functions.update(name for name in stack if not name.startswith(SCAFFOLD))


def _name(frame: FrameType) -> str:
    folder, _, file = frame.f_code.co_filename.rpartition("/")
    return f"{folder.rpartition('/')[2]}/{file} {frame.f_code.co_qualname}"


def main() -> None:
    target, module = Path(sys.argv[1]), sys.argv[2]
    sys.argv = [module, *sys.argv[3:]]
    sampler = Sampler()
    sampler.start()
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    finally:
        sampler.stop(target)


if __name__ == "__main__":
    main()
