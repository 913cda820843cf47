"""Become a command that ends when its parent ends: `python -m pipeline.demo.tied PARENT PROGRAM ARGUMENT ...`.

So even a demo that was killed leaves nothing behind. Linux knows such a tie; elsewhere the command runs without it.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from contextlib import suppress
from typing import Final

_SET_PARENT_DEATH_SIGNAL: Final = 1  # prctl(2); survives the exec


def main() -> None:
    """Tie this process to its parent and become the command."""
    parent, *command = sys.argv[1:]
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_SET_PARENT_DEATH_SIGNAL, int(signal.SIGTERM))
    if os.getppid() != int(parent):
        sys.exit("the parent was gone before the command began")
    os.execv(command[0], command)  # noqa: S606 - our own command, without a shell


if __name__ == "__main__":
    main()
