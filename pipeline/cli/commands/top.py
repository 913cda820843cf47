"""`headrace top`: what a running worker does, in a terminal."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import time
from collections.abc import Callable
from typing import Any

from pipeline import config
from pipeline.cli import commands
from pipeline.core.errors import ConfigError, StartError

_HOME, _REST_OF_LINE, _BELOW = "\x1b[H", "\x1b[K", "\x1b[J"
_OTHER_SCREEN, _BACK = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"
_WAITING = "The worker does not answer; these figures are its last. Waiting for it."
_HELP = f"""examples:
  headrace top city.yaml
  headrace top city.yaml --count 1
  headrace top city.yaml --count 1 --format json

The figures are those of the status page, which stands at `/` of `admin.listen`; the token of `admin.token_file` is
sent where there is one. Ctrl-C ends it; a worker that is restarted is waited for.

{commands.EXIT_CODES}"""


def add(to: commands.Subparsers) -> None:
    """Declare the command."""
    parser = commands.parser(
        to.add_parser,
        "top",
        help="show what the running worker does, second by second",
        epilog=_HELP,
        description="Show throughput, latency, feeds with their lanes, dead letters and silent devices of the "
        "worker that runs with this configuration on this machine.",
    )
    parser.add_argument("config", metavar="CONFIG", help="the configuration, a YAML file")
    parser.add_argument("--count", type=int, metavar="N", help="end after N seconds' figures")
    commands.add_format(parser)


def run(parsed: argparse.Namespace) -> int:
    """Show figures until there are enough or Ctrl-C, and return the exit code."""
    if parsed.count is not None and parsed.count < 1:
        raise ConfigError(f"Expected --count of 1 or more, got {parsed.count}.")
    loaded = config.read(parsed.config)
    from pipeline.build import options as wiring
    from pipeline.observe.page import ask as asking

    address, token = wiring.admin_address(loaded.config), wiring.admin_token(loaded.config)
    live = sys.stdout.isatty() and parsed.format == "text" and parsed.count is None
    try:
        _follow(lambda: asking.ask(*address, token and token()), parsed, live=live)
    except KeyboardInterrupt:
        pass
    except (LookupError, TypeError, ValueError, AttributeError) as problem:  # a figure that is not what it should be
        raise asking.no_worker(*address, "no snapshot") from problem
    except BrokenPipeError:  # `| head` has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return commands.OK


def _follow(ask: Callable[[], dict[str, Any]], parsed: argparse.Namespace, *, live: bool) -> None:
    told = ask()  # that no worker answers at all is an error
    sys.stdout.write(_OTHER_SCREEN if live else "")
    try:
        shown = 0
        while True:
            sys.stdout.write(_drawn(told, parsed.format, live=live))
            sys.stdout.flush()
            shown += 1
            if shown == parsed.count:
                return
            time.sleep(1.0)
            told = _next(ask, live=live)
    finally:
        sys.stdout.write(_BACK if live else "")


def _next(ask: Callable[[], dict[str, Any]], *, live: bool) -> dict[str, Any]:
    """Return the next figures, and wait for a worker that is restarted, saying so."""
    said = False
    while True:
        try:
            return ask()
        except StartError as away:
            if live:
                sys.stdout.write(f"{_HOME}{_WAITING}{_REST_OF_LINE}\n")
            elif not said:
                sys.stderr.write(f"{away}\n{_WAITING}\n")
            sys.stdout.flush()
            said = True
            time.sleep(1.0)


def _drawn(told: dict[str, Any], form: str, *, live: bool) -> str:
    if form == "json":
        return json.dumps(told) + "\n"
    from pipeline.observe.page.text import lines

    size = shutil.get_terminal_size((120, 60))
    if not live:
        return "\n".join(lines(told, size.columns)) + "\n\n"
    shown = lines(told, size.columns)[: size.lines - 1]
    return _HOME + "".join(f"{line}{_REST_OF_LINE}\n" for line in shown) + _BELOW
