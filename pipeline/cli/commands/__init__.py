"""The commands: one file each, found by its place, so that nobody edits a list to add one.

A module `name.py` here is the command `headrace name`. It has `add(commands)`, which declares arguments and help, and
`run(parsed)`, which returns the exit code. What a command needs beyond the configuration it imports when it runs.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from time import time
from typing import Any

from pipeline.config.values import seconds
from pipeline.core import times
from pipeline.core.errors import ConfigError, Reason

OK, START_ERROR, CONFIG_ERROR = 0, 1, 2
EXIT_CODES = """exit codes:
  0  all is well
  1  something outside is not as the configuration says (broker, Kafka, topic, file)
  2  the configuration cannot be used; every error is listed
"""

Subparsers = Any
"""What `argparse.ArgumentParser.add_subparsers` returns, which has no public name."""


class Parser(argparse.ArgumentParser):
    """A parser in which the value of an option may begin with a dash, as a negative number or a text may."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:  # noqa: ANN401 - as argparse has it
        """Tie `--option -1e5` together before argparse takes the second for an option of its own."""
        given = sys.argv[1:] if args is None else list(args)
        return super().parse_known_args(self._in_order(self._tied(given)), namespace)

    def _in_order(self, given: list[str]) -> list[str]:
        """Put options first: argparse would fill optional arguments with what stands in front of an option."""
        if self._subparsers is not None or "--" in given:
            return given
        options: list[str] = []
        others: list[str] = []
        rest = iter(given)
        for each in rest:
            if not each.startswith("-") or each == "-":
                others.append(each)
                continue
            options.append(each)
            action = self._option_string_actions.get(each)
            if action is not None and action.nargs is None:
                options.extend(next(([value] for value in rest), []))
        return [*options, *others]

    def _tied(self, given: list[str]) -> list[str]:
        own = self._option_string_actions
        tied: list[str] = []
        for each in given:
            takes = bool(tied) and tied[-1].startswith("--") and tied[-1] in own and own[tied[-1]].nargs is None
            if takes and each.startswith("-") and each not in {"-", "--"} and each.partition("=")[0] not in own:
                tied[-1] += f"={each}"
            else:
                tied.append(each)
        return tied


def parser(make: Callable[..., Any], *arguments: Any, **options: Any) -> argparse.ArgumentParser:  # noqa: ANN401
    """Make a parser whose help keeps its lines; `make` is argparse's own class or `commands.add_parser`."""
    made: argparse.ArgumentParser = make(
        *arguments, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False, **options
    )
    return made


def add_reasons(to: argparse.ArgumentParser, said: str) -> None:
    """Declare `--reason R`, a reason of a dead letter, which may be repeated."""
    reasons = [reason.value for reason in Reason]
    to.add_argument("--reason", action="append", default=[], choices=reasons, metavar="R", help=said)


def since(text: str | None) -> int | None:
    """Read `--since`: a time with a zone, or how long ago; return milliseconds since 1970 UTC.

    Raises:
        ConfigError: the text is neither.
    """
    if text is None:
        return None
    ms = times.parse(text, "iso")
    if ms is not None:
        return ms
    try:
        return round((time() - seconds(text)) * 1000)
    except ValueError:
        raise ConfigError(
            f"Expected --since as a time with a zone (2026-01-21T12:00:00Z) or a duration (2h, 3d), got {text!r}."
        ) from None


def add_format(to: argparse.ArgumentParser) -> None:
    """Declare `--format text|json`."""
    to.add_argument("--format", choices=("text", "json"), default="text", help="for a person, or a program")
