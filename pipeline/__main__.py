"""The command line: finds the commands in `pipeline/commands`, runs one, and says what went wrong."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from errno import EDQUOT, ENOSPC

from pipeline import commands
from pipeline.commandline.parser import known, parser
from pipeline.config.findings import Finding
from pipeline.errors import ConfigError, StartError

_FULL = {ENOSPC, EDQUOT}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    top = parser()
    parsed = top.parse_args(arguments)
    if parsed.command is None:
        top.print_help()
        return commands.CONFIG_ERROR
    try:
        return int(known()[parsed.command].run(parsed))
    except ConfigError as problem:
        _say(parsed, str(problem), list(getattr(problem, "findings", ())))
        return commands.CONFIG_ERROR
    except StartError as problem:
        _say(parsed, str(problem), [])
        return commands.START_ERROR
    except OSError as problem:
        if problem.errno not in _FULL:
            raise
        sys.stderr.write(f"A file, or standard output, cannot be written: {problem.strerror}.\n")
        return commands.START_ERROR


def _say(parsed: argparse.Namespace, sentence: str, findings: list[Finding]) -> None:
    if getattr(parsed, "format", "text") == "json":
        file = getattr(parsed, "config", None)
        report = {"file": file, "ok": False, "error": sentence, "findings": [each.plain() for each in findings]}
        sys.stdout.write(json.dumps(report, indent=2) + "\n")
    else:
        sys.stderr.write(f"{sentence}\n")


if __name__ == "__main__":
    sys.exit(main())
