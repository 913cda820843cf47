"""`headrace replay`: dead letters through the present configuration again."""

from __future__ import annotations

import argparse
import json
import sys
from time import monotonic

from pipeline import config
from pipeline.cli import commands
from pipeline.core import event_loop, logs

_EACH = 0.2
_EACH_LINE = 5.0
_BAR = 30
_INTERRUPTED = 130
_HELP = """examples:
  headrace replay city.yaml --dead-letters --dry-run
  headrace replay city.yaml --dead-letters
  headrace replay city.yaml --dead-letters --reason no_route --reason malformed --since 2d
  headrace replay city.yaml --dead-letters --since 2026-01-21T12:00:00Z --again
  headrace replay city.yaml --dead-letters --dismiss --reason malformed --reason no_route

Each dead letter goes through route, connector and model as they are now, with the time at which it first arrived. What
comes out is published; what fails again stays where it is. What was replayed is remembered in `state_dir`, so that a
second replay takes only what the first could not.

Letters that nothing can mend are dismissed (--dismiss, with --reason or --since to choose): they stay in the topic,
and no later replay tries them, so that exit code 0 means that all is done.

A replay that is killed may publish its last second twice, with the same `ce_id`. What a message tells of its device
itself is left out: a worker has published a newer state. A worker may run meanwhile.

exit codes:
  0  everything that was asked for came out, or is dismissed
  1  something failed again or could not be replayed; or Kafka, a topic or a file is not as the configuration says
  2  the configuration, or an argument, cannot be used
"""


def add(to: commands.Subparsers) -> None:
    """Declare the command."""
    parser = commands.parser(
        to.add_parser,
        "replay",
        help="take dead letters through the present configuration again",
        epilog=_HELP,
        description="Take dead letters through the present configuration again, publish what comes out, and say what "
        "fails again and why.",
    )
    parser.add_argument("config", metavar="CONFIG", help="the configuration, a YAML file")
    parser.add_argument("--dead-letters", action="store_true", required=True, help="replay the dead-letter topic")
    commands.add_reasons(parser, "only this reason, by its name in the reference; may be repeated")
    parser.add_argument("--since", metavar="T", help="only what arrived since: a time with a zone, or 2h, 3d")
    parser.add_argument("--again", action="store_true", help="also what was replayed before")
    said = "replay nothing: count these letters as done, so that no later replay tries them"
    parser.add_argument("--dismiss", action="store_true", help=said)
    parser.add_argument("--dry-run", action="store_true", help="publish nothing, and only say what would come out")
    commands.add_format(parser)


def run(parsed: argparse.Namespace) -> int:
    """Replay and return the exit code."""
    since = commands.since(parsed.since)
    loaded = config.read(parsed.config)
    logs.leave_out("aiokafka")
    from pipeline.tools import replay

    chosen = {"again": parsed.again, "dismiss": parsed.dismiss, "dry_run": parsed.dry_run}
    wanted = replay.ReplaySelection(reasons=frozenset(parsed.reason), since=since, **chosen)
    try:
        report = event_loop.run(replay.replay(loaded.config, wanted, _Progress().told))
    except KeyboardInterrupt:
        sys.stderr.write("Interrupted; what Kafka had confirmed is remembered as replayed.\n")
        return _INTERRUPTED
    if parsed.format == "json":
        sys.stdout.write(json.dumps(replay.plain(report), indent=2) + "\n")
    else:
        sys.stdout.write(replay.text(report) + "\n")
    return commands.OK if report.clean else commands.START_ERROR


class _Progress:
    """A bar on a terminal, a line now and then elsewhere; on standard error, so that the report stays alone."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._next = 0.0 if self._terminal else monotonic() + _EACH_LINE

    def told(self, seen: int, total: int) -> None:
        """Show how many of how many have been looked at."""
        if monotonic() < self._next and not (self._terminal and seen >= total):
            return
        self._next = monotonic() + (_EACH if self._terminal else _EACH_LINE)
        if self._terminal:
            filled = _BAR * seen // max(total, 1)
            bar = "#" * filled + "." * (_BAR - filled)
            sys.stderr.write(f"\r[{bar}] {seen} of {total}" + ("\n" if seen >= total else ""))
        else:
            sys.stderr.write(f"{seen} of {total} dead letters\n")
        sys.stderr.flush()
