"""`headrace doctor`: connects, measures and judges, and says which line to change."""

from __future__ import annotations

import argparse
import json
import sys

from pipeline import config
from pipeline.cli import commands
from pipeline.core import logs
from pipeline.core.errors import ConfigError

WARNED = 3
_EXIT_CODES = """exit codes:
  0  nothing that is worse than worth knowing
  1  something is critical: messages are lost, refused or too slow, or soon will be
  2  the configuration cannot be used; every error is listed
  3  warnings, and nothing critical
"""
_HELP = f"""examples:
  headrace doctor city.yaml
  headrace doctor city.yaml --rate 2000
  headrace doctor city.yaml --format json

Nothing is written: no message is published, no topic made, no session kept. Run it where the worker runs, as its user,
and while it runs: how long Kafka takes to confirm, and whether two clients have one id, only the worker knows.

{_EXIT_CODES}"""


def add(to: commands.Subparsers) -> None:
    """Declare the command."""
    parser = commands.parser(
        to.add_parser,
        "doctor",
        help="connect, measure and judge: what is wrong, how bad it is, and which line to change",
        epilog=_HELP,
        description="Judge brokers, Kafka, topics, certificates, registry, connectors and this machine against the "
        "configuration; each judgement with what was seen and the line to change.",
    )
    parser.add_argument("config", metavar="CONFIG", help="the configuration, a YAML file")
    parser.add_argument("--rate", type=float, metavar="N", help="messages a second that each feed shall bring")
    commands.add_format(parser)


def run(parsed: argparse.Namespace) -> int:
    """Examine, write the report, and return the exit code."""
    if parsed.rate is not None and not 0 < parsed.rate < float("inf"):
        raise ConfigError(f"Expected --rate above 0, got {parsed.rate:g}.")
    loaded = config.read(parsed.config)
    logs.leave_out("aiokafka")
    from pipeline.tools import doctor

    found = doctor.examine(loaded, parsed.rate)
    worst = doctor.worst(found)
    if parsed.format == "json":
        plain = {"file": loaded.file, "worst": worst, "findings": [each.plain() for each in found]}
        sys.stdout.write(json.dumps(plain, indent=2) + "\n")
    else:
        sys.stdout.write(doctor.text(loaded.file, found) + "\n")
    return {"critical": commands.START_ERROR, "warning": WARNED}.get(worst, commands.OK)
