"""Headrace's own program, for which the name server never answers about some names: `-m tests.support.hanging_names`.

A lookup of such a name waits outside the interpreter, as libc's does, and cannot be interrupted.
"""

import ctypes
import os
import socket
import sys
from pathlib import Path
from typing import Any

from pipeline.__main__ import main

VARIABLE = "HANGING_NAMES"
"""Environment: a file of names, one a line; those that were asked for are appended to the same with `.asked`."""

_sleep = ctypes.CDLL(None).sleep
_resolve = socket.getaddrinfo


def lookup(host: Any, *question: Any, **more: Any) -> list[Any]:
    names = Path(os.environ[VARIABLE])
    if str(host) in names.read_text(encoding="ascii").split():
        with Path(f"{names}.asked").open("a", encoding="ascii") as asked:
            asked.write(f"{host}\n")
        _sleep(3600)
    return _resolve(host, *question, **more)


if __name__ == "__main__":
    socket.getaddrinfo = lookup
    sys.exit(main())
