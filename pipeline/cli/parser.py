"""The parser of the whole command line, made of the commands that there are."""

from __future__ import annotations

import argparse
import importlib
import pkgutil
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from pipeline.cli import commands

_EPILOG = f"""examples:
  headrace demo --seconds 20
  headrace init mqtt > city.yaml
  headrace check city.yaml
  headrace explain city.yaml --topic city/aq/0001 --payload reading.json
  headrace run city.yaml
  headrace tail AirQualityObserved city.yaml --from-beginning --count 10
  headrace tail city.yaml --dead-letters --from-beginning
  headrace replay city.yaml --dead-letters

In this order they are a first half hour; `headrace COMMAND --help` has more of each.

{commands.EXIT_CODES}"""


def known() -> Mapping[str, Any]:
    """Return the module of each command, by name."""
    names = sorted(module.name for module in pkgutil.iter_modules(commands.__path__))
    return {name: importlib.import_module(f"{commands.__name__}.{name}") for name in names}


def parser() -> argparse.ArgumentParser:
    """Return the parser; the name of the command that was given is its `command`, or None."""
    top = commands.parser(
        commands.Parser,
        prog="headrace",
        epilog=_EPILOG,
        description="Brings a city's sensor feeds from MQTT to Kafka as NGSI-LD entities, and loses none of them.",
    )
    top.add_argument("--version", action="version", version=f"headrace {_version()}")
    subparsers = top.add_subparsers(dest="command", title="commands", metavar="COMMAND")
    for command in known().values():
        command.add(subparsers)
    return top


def _version() -> str:
    try:
        return version("headrace")
    except PackageNotFoundError:
        return "(not installed)"
