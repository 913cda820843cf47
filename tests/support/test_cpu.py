"""The CPU that is counted is that of everything a test starts."""

import subprocess
import sys

from tests.support.cpu import cpu_seconds

BURN = "import time\nwhile time.process_time() < 0.4: pass\n"


def test_what_a_child_took_counts_while_it_runs_and_when_it_is_gone() -> None:
    before = cpu_seconds()
    running = f"{BURN}print('burnt', flush=True)\ninput()"
    with subprocess.Popen([sys.executable, "-c", running], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout
        assert child.stdout.readline() == b"burnt\n"
        assert cpu_seconds() - before >= 0.35
        child.communicate(b"\n")
    assert cpu_seconds() - before >= 0.35


def test_what_a_killed_grandchild_took_counts() -> None:
    before = cpu_seconds()
    killed = f"{BURN}import os; os.kill(os.getpid(), 9)"
    inner = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {killed!r}])"
    subprocess.run([sys.executable, "-c", inner], check=True)
    assert cpu_seconds() - before >= 0.35
