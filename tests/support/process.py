"""One child process with a log file: started, waited for, and ended by its own pid only."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil

from pipeline.demo import tied

# A command is tied to the thread that starts it: this one lives as long as the tests do.
_STARTER = ThreadPoolExecutor(max_workers=1, thread_name_prefix="starter")


class NotReadyError(AssertionError):
    """A real part did not come up; carries the end of its log, which says why."""


class Process:
    """A command that can be started again after it was killed; its log grows over all its lives.

    It does not outlive this process, however that ends, and begins with no signal blocked or ignored.
    """

    def __init__(
        self, command: Sequence[str | Path], log: Path, *, env: Mapping[str, str] | None = None, cwd: Path | None = None
    ) -> None:
        self.command = [str(part) for part in command]
        self.log = log
        self.env = dict(env or {})
        self.cwd = cwd
        self._popen: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        if self._popen is None:
            raise RuntimeError(f"{self.command[0]} was never started")
        return self._popen.pid

    @property
    def running(self) -> bool:
        return self._popen is not None and self._popen.poll() is None

    @property
    def exit_code(self) -> int | None:
        return None if self._popen is None else self._popen.poll()

    def start(self) -> None:
        if self.running:
            raise RuntimeError(f"{self.command[0]} runs already as pid {self.pid}")
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self._popen = _STARTER.submit(self._start).result()

    def _start(self) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-I", "-S", tied.__file__, str(os.getpid()), *self.command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.cwd,
                env={**os.environ, **self.env},
                # Ctrl-C in the terminal reaches pytest only, which then ends its children in order.
                start_new_session=True,
            )

    def wait_until(self, ready: Callable[[], bool], timeout: float = 90.0, what: str = "ready") -> None:
        deadline = time.monotonic() + timeout
        while not ready():
            if not self.running:
                ended = f"{self.command[0]} exited with {self.exit_code} before it was {what}"
                raise NotReadyError(f"{ended}:\n{self.tail()}")
            if time.monotonic() > deadline:
                raise NotReadyError(f"{self.command[0]} was not {what} within {timeout:g} s:\n{self.tail()}")
            time.sleep(0.02)

    def wait(self, timeout: float = 90.0) -> int:
        """Return the exit code; negative for a signal, as in subprocess."""
        if self._popen is None:
            raise RuntimeError(f"{self.command[0]} was never started")
        return self._popen.wait(timeout)

    def send_signal(self, number: signal.Signals) -> None:
        # poll() first: a pid that was reaped may by now belong to somebody else's process.
        if self._popen is not None and self.running:
            self._popen.send_signal(number)

    def terminate(self, timeout: float = 60.0) -> int:
        """SIGTERM, and SIGKILL when that is not enough, so that no test leaves a process behind."""
        self.send_signal(signal.SIGCONT)
        self.send_signal(signal.SIGTERM)
        try:
            return self.wait(timeout)
        except subprocess.TimeoutExpired:
            return self.hard_kill()

    def hard_kill(self) -> int:
        """SIGKILL: nothing of the process gets a chance to tidy up."""
        self.send_signal(signal.SIGKILL)
        return self.wait(30)

    def pause(self) -> None:
        """Stall without closing a connection: the kernel still accepts bytes, nobody answers."""
        self.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        self.send_signal(signal.SIGCONT)

    def rss(self) -> int:
        """Resident bytes now."""
        return int(psutil.Process(self.pid).memory_info().rss)

    def cpu_seconds(self) -> float:
        """User and system time of the process so far."""
        times = psutil.Process(self.pid).cpu_times()
        return float(times.user + times.system)

    def logged(self, since: int = 0) -> str:
        """Read the log, of all lives or from a place that `log_size` gave."""
        if not self.log.exists():
            return ""
        with self.log.open("rb") as log:
            log.seek(since)
            return log.read().decode("utf-8", errors="replace")

    def log_size(self) -> int:
        return self.log.stat().st_size if self.log.exists() else 0

    def tail(self, lines: int = 30) -> str:
        return "\n".join(self.logged().splitlines()[-lines:])
