"""Named places at which the fault tests kill the process, to prove that no moment loses a message."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Mapping

Failpoint = Callable[[str], None]

VARIABLE = "HEADRACE_FAILPOINT"


def unarmed(name: str) -> None:
    """Do nothing: what every place calls outside the tests."""


def from_environment(environment: Mapping[str, str]) -> Failpoint:
    """Return a failpoint that sends SIGKILL to this process at the n-th visit of one place: `after_read:3`."""
    wanted, _, visit = environment.get(VARIABLE, "").partition(":")
    if not wanted:
        return unarmed
    left = int(visit or 1)

    def armed(name: str) -> None:
        nonlocal left
        if name == wanted:
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    return armed
