"""`headrace run`: the worker."""

from __future__ import annotations

import argparse
import signal
import sys

from pipeline import config
from pipeline.cli import commands
from pipeline.config.findings import listed
from pipeline.core import logs
from pipeline.core.errors import StartError
from pipeline.core.logs import Log

_LOG = Log(__name__)
_WISHES = frozenset({signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2})

_HELP = f"""examples:
  headrace run city.yaml
  KAFKA_PASSWORD=... headrace run city.yaml --loop asyncio

SIGTERM or SIGINT stops reading, waits up to `drain_timeout` until Kafka has confirmed what was read, and exits.
SIGUSR1 makes the log tell everything (`debug`); SIGUSR2 takes the configuration's `log.level` again.
SIGHUP reads the configuration and all that it names again (devices, connectors, secrets). Only what differs is touched,
and connections whose keys are the same survive; a file with errors is refused, and what is in use stays. A change of
`tenant`, `kafka`, `state_dir` or `admin.listen` needs a restart.
Metrics and health are served at `admin.listen`: http://127.0.0.1:9464/metrics, /livez, /readyz,
/startupz and /healthz. As a systemd service of Type=notify it says when it is ready, and that it lives.

{commands.EXIT_CODES}"""


def add(to: commands.Subparsers) -> None:
    """Declare the command."""
    parser = commands.parser(
        to.add_parser,
        "run",
        help="run until SIGTERM or SIGINT",
        epilog=_HELP,
        description="Take messages from the feeds and publish them, until SIGTERM or SIGINT.",
    )
    parser.add_argument("config", metavar="CONFIG", help="the configuration, a YAML file")
    parser.add_argument("--loop", choices=("uvloop", "asyncio"), default="uvloop", help="event loop (default: uvloop)")


def run(parsed: argparse.Namespace) -> int:
    """Run the worker and return the exit code."""
    # What is asked for while it starts waits until it can be served: until then these signals would end the process.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _WISHES)
    try:
        return _run(parsed)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _run(parsed: argparse.Namespace) -> int:
    logs.begin()
    loaded = config.read(parsed.config)
    logs.begin(loaded.config.log.format, loaded.config.log.level)
    _warn(loaded)
    from pipeline.worker import worker as app  # late: `check` needs neither paho nor aiokafka

    try:
        return int(app.run(loaded, loop=parsed.loop))
    except StartError as problem:
        if logs.form() == "console":
            raise
        _LOG.error("The worker cannot start.", problem=str(problem))
        return commands.START_ERROR


def _warn(loaded: config.Loaded) -> None:
    """Say what works, but most likely not as meant: to a person as `check` does, to a program as lines of the log."""
    if logs.form() == "console" and loaded.warnings:
        sys.stderr.write(listed(loaded.file, loaded.warnings) + "\n")
        return
    for each in loaded.warnings:
        where = {"file": each.file or loaded.file, "line": each.line, "place": each.path}
        _LOG.warning(
            "The configuration works, but most likely not as meant.", **where, problem=each.message, fix=each.fix
        )
