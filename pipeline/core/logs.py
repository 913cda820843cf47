"""The log: one line an event, on standard error; a constant message, and beside it the fields that tell this case.

Messages never hold values, so that they can be counted, searched and limited. Fields hold names of the configuration,
counts and sentences for an operator: never a payload, a key or a secret. For the same reason an error that nobody
expected is told by its type and its place in the code; its text may quote what a device sent.
"""

from __future__ import annotations

import io
import json
import logging
import os
import select
import stat
import sys
import threading
import traceback
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from time import monotonic
from typing import Final, Literal, TextIO, cast


def printable(text: str) -> str:
    """Escape what a terminal would take for a command, or that would break a line; the rest stays as it is."""
    return text if text.isprintable() else "".join(each if each.isprintable() else _escaped(each) for each in text)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape", "backslashreplace").decode("ascii")


_MOST_BYTES: Final = 1024 * 1024
_AT_ONCE: Final = 64 * 1024


class LogWriter:
    """Takes lines on any thread and never waits. The order of lines is kept.

    Attributes:
        tell: Called from the writing thread with the number of lines that were dropped, once those before are written.
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
        if self._owner != os.getpid():  # a child lacks its parent's thread, and may hold a lock for ever
            self._begin()
        encoded = line.encode(errors="backslashreplace") + b"\n"
        if self._regular:
            self.dropped += not self._put(encoded)
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
            written = self._put(b"".join(taken))
            with self._changed:
                self.dropped += 0 if written else len(taken)
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

    def _put(self, content: bytes) -> bool:
        """Write to the descriptor itself: a stream of Python is locked during a write, at the end of the process too.

        Returns:
            Whether all was written; not where the reader is gone, or the disk full.
        """
        try:
            while content:
                try:
                    content = content[os.write(self._descriptor, content) :]
                except BlockingIOError:  # another process that has this pipe, too, made it non-blocking
                    select.select((), (self._descriptor,), ())
        except (OSError, ValueError):
            return False
        return True


class Unhurried(io.TextIOBase):
    """Takes the place of a stream of Python's, such as `sys.stderr`, and passes its lines on to a writer."""

    def __init__(self, stream: TextIO, writer: LogWriter) -> None:
        self.stream, self.writer = stream, writer
        self._begun = ""  # a line without its end
        self._lock = threading.Lock()

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """How the stream encodes."""
        return self.stream.encoding

    def fileno(self) -> int:
        """Give the stream's descriptor."""
        return self.stream.fileno()

    def isatty(self) -> bool:
        """Say whether the stream is a terminal."""
        return self.stream.isatty()

    def writable(self) -> bool:
        """Say that it takes text."""
        return True

    def write(self, text: str) -> int:
        """Take text; a line is passed on once it ends, or is very long."""
        with self._lock:
            *lines, self._begun = (self._begun + text).split("\n")
            if len(self._begun) > _AT_ONCE:
                lines, self._begun = [*lines, self._begun], ""
        for line in lines:
            self.writer.write(line)
        return len(text)

    def end(self) -> None:
        """Pass on what has no end of line."""
        if self._begun:
            self.write("\n")


Form = Literal["json", "console"]
LEVELS: Final = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
RESERVED: Final = frozenset({"time", "level", "logger", "message", "left_out"})
"""What every line has, or may have; no field of an event is called so."""

_BURST = 20  # lines of one message
_WINDOW = 60.0  # seconds
_MOST = 1000  # messages that are told apart; ours are constant, a library's need not be
_OURS = ("pipeline", "connectors")
_LAST_WORDS = 1.0  # seconds
_WRITERS: list[LogWriter] = []


class Log:
    """The log of one module. Names of fields are free but for `RESERVED`; values are texts, numbers and lists."""

    def __init__(self, name: str) -> None:
        self._logger = logging.getLogger(name)

    def debug(self, message: str, /, **fields: object) -> None:
        """Note what helps to understand a fault; written only when asked for."""
        self._logger.debug(message, extra={"fields": fields})

    def info(self, message: str, /, **fields: object) -> None:
        """Note what is as it should be."""
        self._logger.info(message, extra={"fields": fields})

    def warning(self, message: str, /, **fields: object) -> None:
        """Note what needs a look, some day."""
        self._logger.warning(message, extra={"fields": fields})

    def error(self, message: str, /, **fields: object) -> None:
        """Note what needs a person."""
        self._logger.error(message, extra={"fields": fields})

    def bug(self, message: str, /, **fields: object) -> None:
        """Note the exception that is handled now, which is a bug of ours."""
        self._logger.error(message, exc_info=sys.exc_info(), extra={"fields": fields})


class Lines(logging.Handler):
    """Writes lines to standard error, as JSON or for a terminal; few of one message a minute."""

    def __init__(
        self,
        form: Form,
        *,
        stream: TextIO | None = None,
        clock: Callable[[], float] = monotonic,
        writer: LogWriter | None = None,
    ) -> None:
        super().__init__()
        self.form = form
        self.writer = writer
        self._stream = stream
        self.addFilter(Limit(clock))

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line; a log that is not read stops nothing."""
        stream = self._stream or sys.stderr
        line = as_json(record) if self.form == "json" else as_text(record)
        if self.writer is not None:
            self.writer.write(line)
            return
        try:
            stream.write(line + "\n")
            stream.flush()
        except (OSError, ValueError):
            pass


class Limit(logging.Filter):
    """Lets 20 lines of one message through a minute; the next one after that says how many were left out."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._seen: dict[tuple[str, str], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Say whether the line is written."""
        key, now = (record.name, str(record.msg)), self._clock()
        since, count = self._seen.get(key, (now, 0))
        left_out = 0
        if now - since >= _WINDOW:
            since, count, left_out = now, 0, max(0, count - _BURST)
        if len(self._seen) >= _MOST:
            self._seen.clear()
        self._seen[key] = since, count + 1
        if left_out:
            record.left_out = left_out
        return count < _BURST


def begin(form: Form | Literal["auto"] = "auto", level: str | None = None) -> None:
    """Write the log from now on.

    Libraries are heard from `warning` on, whatever the level: what they tell of single requests would hold credentials.

    Args:
        level: One of `LEVELS`; None leaves it at warnings.
    """
    root = logging.getLogger()
    for handler in [each for each in root.handlers if isinstance(each, Lines)]:
        root.removeHandler(handler)
    chosen: Form = ("console" if sys.stderr.isatty() else "json") if form == "auto" else form
    root.addHandler(Lines(chosen, writer=sys.stderr.writer if isinstance(sys.stderr, Unhurried) else None))
    logging.captureWarnings(capture=True)
    if level is not None:
        set_level(level)


@contextmanager
def in_background() -> Iterator[None]:
    """Write from threads of their own whatever a worker says: its loop must never wait for a reader of its output.

    That is the log, and all else that is written to standard error and output: errors, what a connector prints. At the
    end what still waits is written, for a moment; where the reader does not read, it is left, and what is said after
    that waits for nothing either.
    """
    before = sys.stdout, sys.stderr
    writers: dict[tuple[int, int], LogWriter] = {}  # one for both where they are one pipe, whose lines would be mixed
    sys.stdout, sys.stderr = (_unhurried(stream, writers) for stream in before)
    _WRITERS.extend(writers.values())
    _write_by(sys.stderr.writer if isinstance(sys.stderr, Unhurried) else None)
    try:
        yield
    finally:
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, Unhurried):
                stream.end()
        written = [writer.flush(_LAST_WORDS) for writer in writers.values()]
        if all(written):
            sys.stdout, sys.stderr = before
            _write_by(None)
        for writer in writers.values():
            _WRITERS.remove(writer)


def _unhurried(stream: TextIO, writers: dict[tuple[int, int], LogWriter]) -> TextIO:
    try:
        stream.flush()
        descriptor = stream.fileno()
        found = os.fstat(descriptor)
    except (OSError, ValueError):  # no stream of the system's
        return stream
    same = found.st_dev, found.st_ino
    writers[same] = writers.get(same) or LogWriter(descriptor, _tell_dropped)
    return cast("TextIO", Unhurried(stream, writers[same]))


def _write_by(writer: LogWriter | None) -> None:
    for each in logging.getLogger().handlers:
        if isinstance(each, Lines):
            each.writer = writer


def _tell_dropped(count: int) -> None:
    Log(__name__).warning("Lines of the log were not written, for its reader did not read.", lines=count)


def dropped() -> int:
    """Return how many lines were dropped because the reader stalled and the queue was full."""
    return sum(each.dropped for each in _WRITERS)


def set_level(level: str) -> None:
    """Write what is at least that important, from now on."""
    for name in _OURS:
        logging.getLogger(name).setLevel(LEVELS[level])
    logging.getLogger().setLevel(max(logging.WARNING, LEVELS[level]))


def leave_out(library: str) -> None:
    """Write nothing of what a library says: for commands that say it themselves, in a sentence."""
    logging.getLogger(library).setLevel(logging.CRITICAL)


def form() -> Form:
    """Return how lines are written."""
    found = [each.form for each in logging.getLogger().handlers if isinstance(each, Lines)]
    return found[0] if found else "console"


@contextmanager
def undone() -> Iterator[None]:
    """Leave logging as it was, at the end: for tests, and for programs that run a worker inside them."""
    root, names = logging.getLogger(), ("", *_OURS)
    handlers, levels = list(root.handlers), {name: logging.getLogger(name).level for name in names}
    try:
        yield
    finally:
        root.handlers[:] = handlers
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
        logging.captureWarnings(capture=False)


def fields(record: logging.LogRecord) -> dict[str, object]:
    """Return what a line has beside time, level, logger and message. A library's arguments are one text."""
    found: dict[str, object] = dict(getattr(record, "fields", {}))
    if record.args:
        found["text"] = _text(record)
    if record.exc_info and record.exc_info[1] is not None:
        error = record.exc_info[1]
        found["error"] = type(error).__qualname__
        frames = traceback.extract_tb(error.__traceback__)
        found["at"] = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
    left_out = getattr(record, "left_out", 0)
    return {**found, "left_out": left_out} if left_out else found


def _text(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except (TypeError, ValueError, KeyError):
        return "its arguments do not fit it"


def as_json(record: logging.LogRecord) -> str:
    """Return the line for a program: one JSON object (RFC 8259), with the time as RFC 3339 in UTC."""
    moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
    head = {"time": moment.replace("+00:00", "Z"), "level": record.levelname.lower(), "logger": record.name}
    return _json({**head, "message": _message(record), **fields(record)})


def as_text(record: logging.LogRecord) -> str:
    """Return the line for a person: local time, level, message, fields."""
    moment = datetime.fromtimestamp(record.created, UTC).astimezone().strftime("%H:%M:%S")
    told = "".join(f" {name}={_shown(value)}" for name, value in fields(record).items())
    return f"{moment} {record.levelname:<7} {printable(_message(record))}{told and ' '}{told}"


def _message(record: logging.LogRecord) -> str:
    """Return the message; of a library's long one, the first line: what follows may quote what it worked on."""
    return str(record.msg).partition("\n")[0]


def _shown(value: object) -> str:
    if isinstance(value, int | float | list | tuple):
        return _json(value)
    text = str(value)
    return text if text and text.isprintable() and not any(each in text for each in ' "=') else _json(text)


def _json(value: object) -> str:
    """Return JSON that no terminal obeys, no reader of lines cuts, and no encoding of the terminal or file refuses."""
    text = json.dumps(value, default=str, ensure_ascii=not _unicode())
    return text if text.isprintable() else json.dumps(value, default=str)


def _unicode() -> bool:
    return (getattr(sys.stderr, "encoding", "") or "").lower().replace("-", "") == "utf8"
