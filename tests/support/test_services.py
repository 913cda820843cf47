"""`python -m tests.support.services` as a developer runs it: in a terminal, which may be closed at any moment."""

import os
import pty
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest

from tests.support import services
from tests.support.ports import free_ports

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 60.0
# The first process of a terminal, as `make` may be: it blocks and ignores signals, which its child inherits, and hands
# none on.
LEADER = """
import fcntl, os, signal, subprocess, sys, termios
os.setsid()
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
for number in (signal.SIGHUP, signal.SIGINT):
    signal.signal(number, signal.SIG_IGN)
sys.exit(subprocess.call([sys.executable, "-m", "tests.support.services", *sys.argv[1:]]))
"""


@pytest.mark.parametrize(("argument", "code"), [("--help", 0), ("--port", 2)])
def test_a_question_starts_nothing(argument: str, code: int, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        services.main([argument])
    assert ended.value.code == code
    told = capsys.readouterr()
    assert "python -m tests.support.services" in told.out + told.err


def _close(terminal: int, _services: psutil.Process) -> None:
    os.close(terminal)


def _press_ctrl_c(terminal: int, _services: psutil.Process) -> None:
    os.write(terminal, b"\x03")


def _kill(_terminal: int, services: psutil.Process) -> None:
    services.kill()


@pytest.mark.real
@pytest.mark.parametrize(
    ("end", "told"),
    [(_press_ctrl_c, "Ending Mosquitto and Kafka"), (_close, None), (_kill, None)],
    ids=["ctrl-c", "terminal closed", "killed"],
)
def test_whatever_ends_the_services_ends_both_brokers(
    end: Callable[[int, psutil.Process], None], told: str | None
) -> None:
    with _terminal() as (terminal, leader):
        shown = _read_until(terminal, b"consume")
        [started] = psutil.Process(leader.pid).children()
        brokers = started.children(recursive=True)
        assert len(brokers) == 2, brokers
        end(terminal, started)
        code = leader.wait(PATIENCE)
        if told is not None:
            shown += _read_until(terminal, None)
            assert told in shown.decode()
            assert "Killed" not in shown.decode(), "a broker needed a SIGKILL"
            assert code == 0
        _, left = psutil.wait_procs(brokers, timeout=PATIENCE)
        assert not left


@contextmanager
def _terminal() -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """Start them on a terminal of their own; yield our side of it, and its first process."""
    ours, theirs = pty.openpty()
    mqtt, kafka = map(str, free_ports(2))
    leader = subprocess.Popen(
        [sys.executable, "-c", LEADER, "--mqtt-port", mqtt, "--kafka-port", kafka],
        cwd=ROOT,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    try:
        yield ours, leader
    finally:
        leader.kill()
        leader.wait()
        with suppress(OSError):
            os.close(ours)


def _read_until(terminal: int, word: bytes | None) -> bytes:
    """Read up to the word, or to the end."""
    text, deadline = b"", time.monotonic() + PATIENCE
    with suppress(OSError):  # Linux says EIO when the other side has closed
        while time.monotonic() < deadline and (word is None or word not in text):
            text += os.read(terminal, 65536)
    assert word is None or word in text, text.decode()
    return text
