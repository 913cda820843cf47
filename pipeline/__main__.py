"""The command line: finds the commands in `pipeline/commands`, runs one, and says what went wrong."""

from __future__ import annotations

import argparse
import importlib
import json
import pkgutil
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from pipeline import commands
from pipeline.config.findings import Finding
from pipeline.errors import ConfigError, StartError

_EPILOG = f"""examples:
  headrace check deploy/examples/bench.yaml
  headrace run deploy/examples/bench.yaml

{commands.EXIT_CODES}"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    known = _commands()
    parser = _parser(known)
    parsed = parser.parse_args(arguments)
    if parsed.command is None:
        parser.print_help()
        return commands.CONFIG_ERROR
    try:
        return int(known[parsed.command].run(parsed))
    except ConfigError as problem:
        _say(parsed, str(problem), list(getattr(problem, "findings", ())))
        return commands.CONFIG_ERROR
    except StartError as problem:
        _say(parsed, str(problem), [])
        return commands.START_ERROR


def _commands() -> Mapping[str, Any]:
    names = [module.name for module in pkgutil.iter_modules(commands.__path__)]
    return {name: importlib.import_module(f"{commands.__name__}.{name}") for name in names}


def _parser(known: Mapping[str, Any]) -> argparse.ArgumentParser:
    parser = commands.parser(
        argparse.ArgumentParser,
        prog="headrace",
        epilog=_EPILOG,
        description="Brings a city's sensor feeds from MQTT to Kafka as NGSI-LD entities, and loses none of them.",
    )
    parser.add_argument("--version", action="version", version=f"headrace {_version()}")
    subparsers = parser.add_subparsers(dest="command", title="commands", metavar="COMMAND")
    for command in known.values():
        command.add(subparsers)
    return parser


def _version() -> str:
    try:
        return version("headrace")
    except PackageNotFoundError:
        return "(not installed)"


def _say(parsed: argparse.Namespace, sentence: str, findings: list[Finding]) -> None:
    if getattr(parsed, "format", "text") == "json":
        file = getattr(parsed, "config", None)
        report = {"file": file, "ok": False, "error": sentence, "findings": [each.plain() for each in findings]}
        sys.stdout.write(json.dumps(report, indent=2) + "\n")
    else:
        sys.stderr.write(f"{sentence}\n")


if __name__ == "__main__":
    sys.exit(main())
