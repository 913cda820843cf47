"""A pytest plugin that says which tests take the CPU: `pytest -p tests.support.cpu --cpu [folders]`.

Counted are user and system time of pytest and of all that it started, brokers and workers included, while they run and
after they were waited for. A fixture of more than one test is counted for itself, not for the test that came first.
A process without a parent that waits, such as a renderer of Chromium, leaves the sum when it ends: the next test then
shows too little, even less than zero. A control group gives the exact CPU time of a whole run: tests/README.md.
"""

import os
import resource
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

TICKS = os.sysconf("SC_CLK_TCK")
LISTED = 30


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--cpu", action="store_true", help=f"list the {LISTED} tests and fixtures that took most CPU time")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--cpu"):
        config.pluginmanager.register(Cpu(), "headrace-cpu")


class Cpu:
    """What each test and each shared fixture has taken, by name."""

    def __init__(self) -> None:
        self._taken: defaultdict[str, float] = defaultdict(float)
        self._apart = 0.0

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        before, self._apart = cpu_seconds(), 0.0
        result = yield
        self._taken[item.nodeid] += cpu_seconds() - before - self._apart
        return result

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef[object]) -> Iterator[None]:
        before, inner = cpu_seconds(), self._apart
        result = yield
        if fixturedef.scope != "function":
            spent = cpu_seconds() - before - (self._apart - inner)
            self._taken[f"fixture {fixturedef.argname} ({fixturedef.scope})"] += spent
            self._apart += spent
        return result

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        terminalreporter.section(f"CPU seconds: {cpu_seconds():.1f} in all")
        for name, spent in sorted(self._taken.items(), key=lambda each: -each[1])[:LISTED]:
            terminalreporter.write_line(f"{spent:8.2f}  {name}")


def cpu_seconds() -> float:
    """Sum user and system time of this process and of its descendants, reaped and running."""
    own = [resource.getrusage(whose) for whose in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in own) + _running(os.getpid())


def _running(parent: int) -> float:
    taken = 0.0
    for child in _children(parent):
        try:
            fields = (
                Path(f"/proc/{child}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
            )
        except OSError:
            continue  # it ended just now; the next sum has it
        taken += sum(map(int, fields[11:15])) / TICKS + _running(child)
    return taken


def _children(parent: int) -> list[int]:
    found: list[int] = []
    for thread in Path(f"/proc/{parent}/task").glob("*/children"):
        try:
            found += map(int, thread.read_text(encoding="ascii").split())
        except OSError:
            continue
    return found
