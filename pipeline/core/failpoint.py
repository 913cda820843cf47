"""Named places at which the fault tests kill the process, to prove that no moment loses a message."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Mapping

Failpoint = Callable[[str], None]

VARIABLE = "HEADRACE_FAILPOINT"


def unarmed(name: str) -> None:
    """Do nothing: what every place calls outside the tests."""


class Armed:
    """Sends SIGKILL to this process at the n-th visit of one place, whose name is `armed` for a place that prepares."""

    def __init__(self, name: str, visit: int) -> None:
        self.armed = name
        self._left = visit

    def __call__(self, name: str) -> None:
        """Say that execution has come to the place of this name."""
        if name == self.armed:
            self._left -= 1
            if self._left == 0:
                os.kill(os.getpid(), signal.SIGKILL)


def from_environment(environment: Mapping[str, str]) -> Failpoint:
    """Return the failpoint that the environment arms: `after_read:3` is the third visit of after_read."""
    wanted, _, visit = environment.get(VARIABLE, "").partition(":")
    return Armed(wanted, int(visit or 1)) if wanted else unarmed
