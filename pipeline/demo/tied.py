"""Become a command that ends when its parent ends: `python -I -S tied.py PARENT PROGRAM ARGUMENT ...`.

So even a parent that was killed leaves nothing behind: its end is a SIGKILL for the command. Linux knows such a tie, to
the thread that started the command; elsewhere it runs without one. The command also begins with no signal blocked or
ignored, whatever its parent inherited (nohup, a shell's `&`): a signal that should end it would otherwise never arrive.
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
    for ignored in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        if signal.getsignal(ignored) is signal.SIG_IGN:
            signal.signal(ignored, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_SET_PARENT_DEATH_SIGNAL, int(signal.SIGKILL))
    if os.getppid() != int(parent):
        sys.exit("the parent was gone before the command began")
    try:
        os.execvp(command[0], command)  # noqa: S606 - our own command, without a shell
    except OSError as problem:
        sys.exit(f"cannot run {command[0]}: {problem.strerror}")


if __name__ == "__main__":
    main()
