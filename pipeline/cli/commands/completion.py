"""`headrace completion`: lets a shell complete commands and options."""

from __future__ import annotations

import argparse
import sys

from pipeline.cli import commands

_HELP = f"""examples:
  headrace completion bash > headrace.bash
  headrace completion zsh > _headrace
  headrace completion fish > headrace.fish

The first line of each script says where it belongs.

{commands.EXIT_CODES}"""


def add(to: commands.Subparsers) -> None:
    """Declare the command."""
    parser = commands.parser(
        to.add_parser,
        "completion",
        help="write a completion script for a shell",
        epilog=_HELP,
        description="Write a script that lets a shell complete commands, options and their values.",
    )
    parser.add_argument("shell", choices=("bash", "zsh", "fish"), metavar="SHELL", help="bash, zsh or fish")


def run(parsed: argparse.Namespace) -> int:
    """Write the script and return the exit code."""
    from pipeline.cli import completion, tree

    sys.stdout.write(completion.SHELLS[parsed.shell](tree.tree()) + "\n")
    return commands.OK
