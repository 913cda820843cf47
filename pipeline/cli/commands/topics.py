"""`headrace topics`: what Kafka must have before a worker starts."""

from __future__ import annotations

import argparse
import sys

from pipeline import config
from pipeline.cli import commands
from pipeline.core.errors import ConfigError

_HELP = f"""examples:
  headrace topics city.yaml
  headrace topics city.yaml --format sh > topics.sh
  headrace topics city.yaml --format strimzi --principal User:headrace --partitions 12 --replicas 3

Nothing is asked of Kafka: what is written follows from the configuration alone, and is for an administrator to apply.

{commands.EXIT_CODES}"""


def add(to: commands.Subparsers) -> None:
    """Declare the command."""
    parser = commands.parser(
        to.add_parser,
        "topics",
        help="list every topic and access right that Kafka must have",
        epilog=_HELP,
        description="List every topic with partitions, retention and cleanup policy, and the least rights that a "
        "worker needs: as a table, or ready to apply.",
    )
    parser.add_argument("config", metavar="CONFIG", help="the configuration, a YAML file")
    parser.add_argument("--format", choices=("table", "sh", "strimzi"), default="table", help="(default: table)")
    parser.add_argument("--principal", metavar="P", help="the worker's principal at Kafka (default: from `sasl`)")
    parser.add_argument("--partitions", type=int, metavar="N", help="(default: as `create_topics` says, else 6)")
    parser.add_argument("--replicas", type=int, metavar="N", help="(default: as `create_topics` says)")


def run(parsed: argparse.Namespace) -> int:
    """Write the plan and return the exit code."""
    for name in ("partitions", "replicas"):
        value = getattr(parsed, name)
        if value is not None and value < 1:
            raise ConfigError(f"Expected --{name} of 1 or more, got {value}.")
    principal = parsed.principal
    if principal is not None and (not principal.startswith("User:") or not principal.isprintable()):
        raise ConfigError(f"Expected --principal as Kafka writes it, such as User:headrace; got {principal!r}.")
    loaded = config.read(parsed.config)
    from pipeline.tools import topics as provision

    made = provision.plan(
        loaded.config,
        loaded.file,
        principal=parsed.principal,
        partitions=parsed.partitions,
        replicas=parsed.replicas,
    )
    sys.stdout.write(provision.WRITERS[parsed.format](made) + "\n")
    return commands.OK
