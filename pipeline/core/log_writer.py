"""Writes lines from a thread of its own, so that a reader who has stopped reading holds up nothing but the log.

A pipe takes 64 KiB; then a write waits until somebody reads. On the event loop that would stop every feed, and SIGTERM
with them. What waits here is bounded in bytes: further lines are dropped and counted, and the count is told as soon as
lines flow again. Into a regular file, which nobody need read, a line is written at once: it is there after a SIGKILL.
"""

from __future__ import annotations

import os
import stat
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Final

_MOST_BYTES: Final = 1024 * 1024
_AT_ONCE: Final = 64 * 1024


class LogWriter:
    """Takes lines on any thread and never waits. The order of lines is kept.

    tell: called from the writing thread with the number of lines that were dropped, once those before are written.
    """

    def __init__(self, descriptor: int, tell: Callable[[int], None], most: int = _MOST_BYTES) -> None:
        self._descriptor, self._tell, self._most = descriptor, tell, most
        self._regular = stat.S_ISREG(os.fstat(descriptor).st_mode)
        self._begin()

    def _begin(self) -> None:
        self.dropped = 0
        self._owner = os.getpid()
        self._untold = self._bytes = 0
        self._lines: deque[bytes] = deque()
        self._changed = threading.Condition()
        self._busy = False
        self._thread: threading.Thread | None = None

    def write(self, line: str) -> None:
        """Take one line, without its end."""
        if self._owner != os.getpid():  # a child has no thread of its parent's, and perhaps a lock that nobody opens
            self._begin()
        encoded = line.encode(errors="backslashreplace") + b"\n"
        if self._regular:
            self._put(encoded)
            return
        with self._changed:
            if self._bytes + len(encoded) > self._most:
                self.dropped += 1
                self._untold += 1
                return
            self._lines.append(encoded)
            self._bytes += len(encoded)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="log", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def flush(self, seconds: float) -> bool:
        """Wait until all lines are written, at most so long, and say whether they are."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._lines and not self._busy, seconds)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._lines)
                taken = self._some()
                self._busy = True
            self._put(b"".join(taken))
            with self._changed:
                self._bytes -= sum(map(len, taken))
                untold, self._untold = self._untold, 0
            if untold:
                self._tell(untold)
            with self._changed:
                self._busy = False
                self._changed.notify_all()

    def _some(self) -> list[bytes]:
        taken: list[bytes] = []
        size = 0
        while self._lines and size < _AT_ONCE:
            taken.append(self._lines.popleft())
            size += len(taken[-1])
        return taken

    def _put(self, content: bytes) -> None:
        """Write to the descriptor itself: whoever waits inside a stream of Python holds its lock, at the end too."""
        with suppress(OSError):  # nobody will read it any more
            while content:
                content = content[os.write(self._descriptor, content) :]
