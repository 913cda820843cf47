"""`headrace demo` as somebody runs it: its summary, its exit code, and that nothing stays behind.

It needs neither Mosquitto nor Kafka, but starts its own brokers, which takes longer than a quick test may.
"""

import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from pipeline.core.errors import Reason
from pipeline.demo.city import FAULTS

pytestmark = pytest.mark.real

ROOT = Path(__file__).resolve().parents[2]
BOOKS = re.compile(
    r"^Conserved: (\d+) sent, (\d+) received, (\d+) records \+ (\d+) dead letters read, "
    r"(\d+) deduplicated, (\d+) filtered\.$",
    re.MULTILINE,
)
FOLDER = re.compile(r"headrace check (\S*headrace-demo-\S*)/city\.yaml")
PARTS = 3


@contextmanager
def demo(*arguments: str, terminal: int | None = None) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "pipeline", "demo", *arguments]
    stdin, stdout = (subprocess.DEVNULL, subprocess.PIPE) if terminal is None else (terminal, terminal)
    env = {**os.environ, "TERM": "xterm-256color"}
    process = subprocess.Popen(
        command, cwd=ROOT, env=env, stdin=stdin, stdout=stdout, stderr=subprocess.STDOUT, text=True
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def summary(process: subprocess.Popen[str]) -> str:
    """Wait for the end and return what was said."""
    text, _ = process.communicate(timeout=270)
    assert process.returncode == 0, text
    return text


def books(text: str) -> tuple[int, int, int, int]:
    found = BOOKS.search(text)
    assert found, text
    sent, received, records, dead, copies, filtered = map(int, found.groups())
    assert sent == received == records + dead + copies + filtered
    assert min(copies, filtered) > 0
    return sent, received, records, dead


def parts(process: subprocess.Popen[str]) -> list[psutil.Process]:
    """Wait until brokers and worker run, and return them."""
    deadline = time.monotonic() + 90
    while len(found := psutil.Process(process.pid).children(recursive=True)) < PARTS:
        assert process.poll() is None, "the demo ended before its parts came up"
        assert time.monotonic() < deadline, "the demo's parts do not come up"
        time.sleep(0.05)
    return found


def gone(processes: list[psutil.Process], seconds: float = 0.5) -> bool:
    deadline = time.monotonic() + seconds
    while any(map(alive, processes)):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_its_books_balance_and_every_fault_is_where_it_belongs() -> None:
    with demo("--seconds", "8") as process:
        running = parts(process)
        text = summary(process)
    sent, _, records, dead = books(text)
    assert sent > 300 * 6, text
    assert records > dead > 0
    expected = {fault.outcome.reason.value for fault in FAULTS if fault.outcome.reason}
    last_part = text[text.index("a consumer read") :]
    assert {reason.value for reason in Reason if re.search(rf"^ +\d+ +{reason.value}$", last_part, re.MULTILINE)} == (
        expected
    )
    flagged = re.search(r"(\d+) of them flagged", text)
    assert flagged, text
    assert int(flagged[1]) >= 3 * 5, text
    models = ("AirQualityObserved", "WeatherObserved", "NoiseLevelObserved", "IndoorEnvironmentObserved", "Device")
    for topic in (*models, "device-events"):
        assert re.search(rf"[\d,]+ +demo\.{topic}\.v1$", text, re.MULTILINE), text
    assert re.search(r"[\d,]+ from city, [\d,]+ from servers, [\d,]+ from bridge$", text, re.MULTILINE), text
    for outcome in ("uplink", "join", "copy", "went_back", "foreign", "mic_invalid", "crc_invalid"):
        assert re.search(rf"^raw frames .*\b\d+ {outcome}\b.*; 2 gateways$", text, re.MULTILINE), outcome
    assert re.search(r"p50 \d+ ms +p99 \d+ ms", text), text
    assert gone(running)
    folder = FOLDER.search(text)
    assert folder, text
    assert not Path(folder[1]).exists()


def test_two_at_once_are_two() -> None:
    with demo("--seconds", "8") as one, demo("--seconds", "8") as other:
        for text in (summary(one), summary(other)):
            assert books(text)[0] > 300 * 5


def test_a_dead_kafka_is_said() -> None:
    with demo() as process:
        running = parts(process)
        [kafka] = [each for each in running if "tansu" in each.name()]
        assert process.stdout is not None
        while " s  in" not in (line := process.stdout.readline()):
            assert line, "it ended by itself"
        kafka.kill()
        said: set[str] = set()
        while not {"The Kafka broker has ended", "Kafka"} <= said:
            line = process.stdout.readline()
            assert line, f"the demo ended by itself, after it said {said}"
            if "! The Kafka broker has ended (exit code" in line:
                said.add("The Kafka broker has ended")
            elif re.search(r"^ *\d+ s  ! .*Kafka", line):
                said.add("Kafka")
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=90)
        assert process.returncode == 1, "what could not be delivered is not accounted for"
    assert gone(running, 5)


def test_ctrl_c_ends_it_in_order() -> None:
    with demo() as process:
        running = parts(process)
        assert process.stdout is not None
        while " 2 s  in" not in (line := process.stdout.readline()):
            assert line, "it ended by itself"
        process.send_signal(signal.SIGINT)
        assert books(summary(process))[0] > 300
    assert gone(running)


@pytest.mark.parametrize("told", [True, False], ids=["SIGHUP", "no SIGHUP, as beneath make"])
def test_a_demo_whose_terminal_is_closed_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, told: bool
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    ours, theirs = pty.openpty()
    with demo(terminal=theirs) as process:
        os.close(theirs)
        running = parts(process)
        os.close(ours)
        if told:
            process.send_signal(signal.SIGHUP)
        process.wait(30)
        assert gone(running)
    assert not list(tmp_path.iterdir())


def test_a_demo_that_is_killed_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """But its folder, which it cannot remove any more."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with demo() as process:
        running = parts(process)
        process.kill()
        process.wait()
        assert gone(running, 15)


def test_on_a_terminal_it_draws_and_then_sums_up() -> None:
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 45, 140, 0, 0))
    with demo("--seconds", "4", terminal=theirs) as process:
        os.close(theirs)
        text = b""
        try:
            while piece := os.read(ours, 65536):
                text += piece
        except OSError:  # Linux says EIO when the other side has closed
            pass
        os.close(ours)
        shown = text.decode(errors="replace").replace("\r\n", "\n")
        assert process.wait(30) == 0, shown
    panels = ("from MQTT", "plain MQTT and LoRaWAN", "dead letters by reason", "the newest entity")
    for word in (*panels, "2 gateways", "gateway_state", "urn:ngsi-ld:", "second terminal"):
        assert word in shown, word
    books(shown)
