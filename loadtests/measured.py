"""One measured process: what it used is asked of the kernel (wait4), not sampled."""

import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

# It ends with this process, however that ends. Not pipeline/demo/tied.py, whose Python would be in the account.
TIED = ("setpriv", "--pdeathsig", "KILL") if shutil.which("setpriv") else ()


@dataclass(frozen=True, slots=True)
class Usage:
    """CPU of a whole process life, start and stop included."""

    user: float
    system: float
    peak_rss: int
    exit_code: int

    @property
    def cpu(self) -> float:
        return self.user + self.system


class Measured:
    def __init__(self, command: Sequence[str], log: Path, env: Mapping[str, str]) -> None:
        self._log = log
        self.started = time.monotonic()
        with log.open("ab") as output:
            self._popen = subprocess.Popen(
                [*TIED, *command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **env},
                start_new_session=True,
            )

    def running(self) -> bool:
        # WNOWAIT leaves the exit status, and with it the rusage, for stop().
        ended = os.waitid(os.P_PID, self._popen.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        return ended is None

    def tail(self) -> str:
        return "\n".join(self._log.read_text(encoding="utf-8", errors="replace").splitlines()[-20:])

    def stop(self, patience: float = 40.0) -> Usage:
        """SIGTERM, SIGKILL after `patience` seconds, and the account of its whole life."""
        peak_rss = self._peak_rss()
        # Not Popen's own: it polls first, which takes the rusage of a process that has already ended.
        os.kill(self._popen.pid, signal.SIGTERM)
        # A timer instead of polling: wait4 is what brings the rusage, and it can only be had once.
        killer = threading.Timer(patience, os.kill, (self._popen.pid, signal.SIGKILL))
        killer.start()
        _, status, usage = os.wait4(self._popen.pid, 0)
        killer.cancel()
        self._popen.returncode = os.waitstatus_to_exitcode(status)
        return Usage(usage.ru_utime, usage.ru_stime, peak_rss, self._popen.returncode)

    def _peak_rss(self) -> int:
        # Not ru_maxrss: Linux counts in it what the forked parent held before exec.
        try:
            status = Path(f"/proc/{self._popen.pid}/status").read_text(encoding="ascii")
        except OSError:
            return 0
        lines = [line for line in status.splitlines() if line.startswith("VmHWM:")]
        return int(lines[0].split()[1]) * 1024 if lines else 0
