"""The command line: finds the commands in `pipeline/cli/commands`, runs one, and says what went wrong."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from collections.abc import Sequence
from errno import EDQUOT, ENOSPC
from pathlib import Path

from pipeline.cli import commands
from pipeline.cli.parser import known, parser
from pipeline.config.findings import Finding
from pipeline.core import logs
from pipeline.core.errors import ConfigError, StartError
from pipeline.core.logs import Log

_LOG = Log(__name__)
_FULL = {ENOSPC, EDQUOT}


def _open_streams() -> None:
    """Give a process that was started with a closed output (`2>&-`) somewhere to write: only the text is lost."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115 - for the process's life


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    _open_streams()
    given = sys.argv[1:] if arguments is None else list(arguments)
    if given[:1] != ["run"]:
        return _main(given)
    _heed_sigterm()
    with logs.in_background():  # a worker ends although the reader of its output has stopped; other commands wait
        try:
            return _main(given)
        except Exception:  # noqa: BLE001 - its text may quote what a device sent
            _LOG.bug("The worker ended by a bug of ours. Please report it.")
            return commands.START_ERROR


def _heed_sigterm() -> None:
    """Let SIGTERM end a worker that still reads its configuration: the first process of a container would ignore it.

    Any other process has the kernel's own way to end, until the event loop takes over here and there.
    """
    if os.getpid() == 1:
        signal.signal(signal.SIGTERM, lambda number, _: os._exit(128 + number))


def _main(given: Sequence[str]) -> int:
    top = parser()
    parsed = top.parse_args(given)
    if parsed.command is None:
        top.print_help()
        return commands.CONFIG_ERROR
    try:
        code = int(known()[parsed.command].run(parsed))
        _flush()
    except ConfigError as problem:
        _say(parsed, str(problem), list(getattr(problem, "findings", ())))
        return commands.CONFIG_ERROR
    except StartError as problem:
        _say(parsed, str(problem), [])
        return commands.START_ERROR
    except BrokenPipeError:
        _drop_what_is_left()  # of `headrace ... | head`: the reader has what it wanted
        return commands.OK
    except OSError as problem:
        if problem.errno not in _FULL:
            raise
        sys.stderr.write(f"A file, or standard output, cannot be written: {problem.strerror}.\n")
        _drop_what_is_left()
        return commands.START_ERROR
    return code


def _flush() -> None:
    """Write out what is left, here, where it can be said what went wrong, and not as Python ends."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:  # of `headrace ... | head`: the reader has what it wanted
        _drop_what_is_left()


def _drop_what_is_left() -> None:
    """Let Python's own flush at the end succeed: its failure would be a second message, and exit code 120."""
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        os.dup2(nowhere.fileno(), sys.stdout.fileno())


def _say(parsed: argparse.Namespace, sentence: str, findings: list[Finding]) -> None:
    if getattr(parsed, "format", "text") == "json":
        file = getattr(parsed, "config", None)
        report = {"file": file, "ok": False, "error": sentence, "findings": [each.plain() for each in findings]}
        sys.stdout.write(json.dumps(report, indent=2) + "\n")
    else:
        sys.stderr.write(f"{sentence}\n")


if __name__ == "__main__":
    sys.exit(main())
