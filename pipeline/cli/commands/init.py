"""`headrace init`: a configuration to begin with."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from pipeline.cli import commands
from pipeline.core.errors import ConfigError
from pipeline.tools.init import KINDS, template

_HELP = f"""kinds:
{chr(10).join(f"  {kind:<12}{what}" for kind, what in KINDS.items())}

examples:
  headrace init mqtt > city.yaml
  headrace init lorawan > lorawan.yaml
  headrace init tls --output new.yaml
  headrace init kafka-sasl

What is marked with `<-` is to be changed; every configuration passes `headrace check` as it is. A file that is there is
never written over.

{commands.EXIT_CODES}"""


def add(to: commands.Subparsers) -> None:
    """Declare the command."""
    parser = commands.parser(
        to.add_parser,
        "init",
        help="write a commented configuration to begin with",
        epilog=_HELP,
        description="Write a commented configuration that passes `check`, to standard output or to a new file.",
    )
    parser.add_argument("kind", choices=tuple(KINDS), metavar="KIND", help=", ".join(KINDS))
    parser.add_argument("--output", metavar="FILE", help="a new file, instead of standard output")


def run(parsed: argparse.Namespace) -> int:
    """Write the configuration and return the exit code."""
    text = template(parsed.kind)
    if parsed.output is None:
        sys.stdout.write(text)
        return commands.OK
    try:
        with Path(parsed.output).open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise ConfigError(f"{parsed.output} is there already, and is never written over. Name a new file.") from None
    except OSError as problem:
        raise ConfigError(f"{parsed.output} cannot be written: {problem.strerror}.") from None
    sys.stdout.write(
        f"{parsed.output} is written. Change what is marked with <-, then: headrace check {parsed.output}\n"
    )
    return commands.OK
