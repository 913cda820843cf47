"""The log's own thread: nothing waits for a reader who does not read, and what is dropped is counted and told."""

from __future__ import annotations

import fcntl
import os
import threading
import warnings
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from pipeline.core.logs import LogWriter, Unhurried


class Pipe:
    """A pipe of one page, and a writer of at most 4,000 bytes on it."""

    def __init__(self) -> None:
        self.reader, self.end = os.pipe()
        fcntl.fcntl(self.end, fcntl.F_SETPIPE_SZ, 4096)
        self.told: list[int] = []
        self.writer = LogWriter(self.end, self._tell, most=4000)

    def _tell(self, count: int) -> None:
        self.told.append(count)
        self.writer.write(f"{count} dropped")

    def read_until(self, last: str) -> list[str]:
        found = b""
        while not found.endswith(f"{last}\n".encode()):
            found += os.read(self.reader, 65_536)
        return found.decode().splitlines()

    def close(self) -> None:
        for each in (self.reader, self.end):
            with suppress(OSError):
                os.close(each)


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    made = Pipe()
    yield made
    made.close()


def test_lines_come_whole_and_in_order(pipe: Pipe) -> None:
    for number in range(20):
        pipe.writer.write(f"line {number} \u20ac \ud800")
    assert pipe.writer.flush(30)
    assert pipe.read_until("line 19 \u20ac \\ud800") == [f"line {number} \u20ac \\ud800" for number in range(20)]
    assert pipe.writer.dropped == 0


def test_a_reader_who_does_not_read_holds_up_nobody(pipe: Pipe) -> None:
    for number in range(5000):
        pipe.writer.write(f"{number:099}")
    assert pipe.writer.dropped >= 5000 - (4000 + 2 * 4096) // 100
    assert not pipe.writer.flush(0.1)
    lines: list[int] = []
    left = b""
    while len(lines) + sum(pipe.told) < 5000:
        *whole, left = (left + os.read(pipe.reader, 65_536)).split(b"\n")
        lines += [int(each) for each in whole if b"dropped" not in each]
    assert lines == sorted(set(lines))
    assert sum(pipe.told) > 4000
    assert pipe.writer.flush(30)
    pipe.writer.write("again")
    assert pipe.read_until("again")[-1] == "again"


def test_lines_of_many_threads_are_never_mixed(pipe: Pipe) -> None:
    def work(name: str) -> None:
        for _ in range(30):
            pipe.writer.write(name * 20)

    threads = [threading.Thread(target=work, args=(name,)) for name in "abcd"]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    pipe.writer.write("end")
    lines = pipe.read_until("end")
    assert sorted(lines[:-1]) == sorted(name * 20 for name in "abcd" for _ in range(30))


def test_a_reader_who_is_gone_stops_nothing(pipe: Pipe) -> None:
    os.close(pipe.reader)
    pipe.writer.write("into nothing")
    assert pipe.writer.flush(30)
    assert pipe.writer.dropped == 1


def test_a_pipe_that_another_process_made_non_blocking_loses_nothing(pipe: Pipe) -> None:
    os.set_blocking(pipe.end, False)
    line = "x" * 999
    for _ in range(4):
        pipe.writer.write(line)
    assert pipe.writer.flush(30)
    pipe.writer.write(line)  # which finds no room in the pipe
    assert not pipe.writer.flush(0.1)
    pipe.writer.write("end")
    assert pipe.read_until("end") == [line] * 5 + ["end"]
    assert pipe.writer.dropped == 0


def test_a_full_disk_is_counted() -> None:
    with Path("/dev/full").open("wb") as full:
        writer = LogWriter(full.fileno(), lambda _: None)
        writer.write("lost")
        assert writer.flush(30)
        assert writer.dropped == 1


def test_a_stream_takes_text_in_pieces_and_passes_on_lines(pipe: Pipe) -> None:
    with os.fdopen(os.dup(pipe.end), "w") as inner:
        stream = Unhurried(inner, pipe.writer)
        stream.write("one ")
        stream.write("two\n")
        stream.write("three\nfour")
        assert pipe.read_until("three") == ["one two", "three"]
        stream.end()
        assert pipe.read_until("four") == ["four"]
        assert (stream.encoding, stream.fileno(), stream.isatty()) == (inner.encoding, inner.fileno(), False)


def test_a_child_writes_its_own_lines(pipe: Pipe) -> None:
    pipe.writer.write("parent")
    assert pipe.writer.flush(30)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of newer Pythons: it is what this test is about
        child = os.fork()
    if not child:
        pipe.writer.write("child")
        os._exit(0 if pipe.writer.flush(30) else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert pipe.read_until("child") == ["parent", "child"]


def test_a_line_for_a_file_is_there_at_once(tmp_path: Path) -> None:
    with (tmp_path / "log").open("wb") as file:
        LogWriter(file.fileno(), lambda _: None).write("last words")
        assert (tmp_path / "log").read_bytes() == b"last words\n"
