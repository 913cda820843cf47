"""The log: one line an event, on standard error; a constant message, and beside it the fields that tell this case.

Messages never hold values, so that they can be counted, searched and limited. Fields hold names of the configuration,
counts and sentences for an operator: never a payload, a key or a secret. For the same reason an error that nobody
expected is told by its type and its place in the code; its text may quote what a device sent.
"""

from __future__ import annotations

import json
import logging
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from time import monotonic
from typing import Final, Literal, TextIO

from pipeline.core.log_writer import LogWriter
from pipeline.core.printable import printable

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
        """Write one line; a log that nobody takes stops nothing."""
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
    """Write the log from now on. level: one of `LEVELS`; None leaves it at warnings.

    Libraries are heard from `warning` on, whatever the level: what they tell of single requests would hold credentials.
    """
    root = logging.getLogger()
    for handler in [each for each in root.handlers if isinstance(each, Lines)]:
        root.removeHandler(handler)
    chosen: Form = ("console" if sys.stderr.isatty() else "json") if form == "auto" else form
    root.addHandler(Lines(chosen, writer=_WRITERS[-1] if _WRITERS else None))
    logging.captureWarnings(capture=True)
    if level is not None:
        set_level(level)


@contextmanager
def in_background() -> Iterator[None]:
    """Write from a thread of its own: for a worker, whose loop must never wait for a reader of its log.

    At the end what still waits is written, for a moment; where nobody reads, it is left.
    """
    try:
        writer = LogWriter(sys.stderr.fileno(), _tell_dropped)
    except (OSError, ValueError):  # no stream of the system's
        yield
        return
    _WRITERS.append(writer)
    _write_by(writer)
    try:
        yield
    finally:
        if writer.flush(_LAST_WORDS):
            _write_by(None)
        _WRITERS.remove(writer)


def _write_by(writer: LogWriter | None) -> None:
    for each in logging.getLogger().handlers:
        if isinstance(each, Lines):
            each.writer = writer


def _tell_dropped(count: int) -> None:
    Log(__name__).warning("Lines of the log were not written, for its reader did not read.", lines=count)


def dropped() -> int:
    """Return how many lines were not written, as nobody read and what may wait was full."""
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
    """Leave logging as it was, at the end: for tests, and whoever runs a worker inside a program of their own."""
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
