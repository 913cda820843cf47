"""The parser of the whole command line, made of the commands that there are."""

from __future__ import annotations

import argparse
import importlib
import pkgutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.cli import commands
from pipeline.core.version import installed_version

_EXAMPLES = "examples:\n"


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument or option.

    Attributes:
        names: `--key`, or empty for an argument.
        value: Its placeholder; empty for a switch.
    """

    names: tuple[str, ...]
    value: str
    help: str
    choices: tuple[str, ...]
    required: bool
    repeated: bool

    @property
    def usage(self) -> str:
        """Write it as a line of usage does."""
        text = " ".join([*self.names[-1:], *([self.value] if self.value else [])])
        text = text if self.required else f"[{text}]"
        return f"{text}..." if self.repeated else text


@dataclass(frozen=True, slots=True)
class Command:
    """One command.

    Attributes:
        path: Its words behind `headrace`.
        epilog: Examples, notes, exit codes.
    """

    path: tuple[str, ...]
    description: str
    epilog: str
    arguments: tuple[Argument, ...]
    options: tuple[Argument, ...]
    subcommands: tuple[Command, ...]

    @property
    def name(self) -> str:
        """The last word."""
        return ["headrace", *self.path][-1]

    @property
    def usage(self) -> str:
        """The line of usage."""
        below = ["COMMAND"] if self.subcommands else []
        parts = [each.usage for each in (*self.arguments, *self.options)]
        return " ".join(["headrace", *self.path, *below, *parts])

    def examples(self) -> list[str]:
        """Return the examples of the help, each a line for a shell."""
        _, _, rest = self.epilog.partition(_EXAMPLES)
        lines = rest.split("\n\n")[0].splitlines()
        return [line.strip() for line in lines if line.strip()]


def root() -> Command:
    """Return `headrace` itself, with every command below it."""
    return _command((), parser())


def tree() -> tuple[Command, ...]:
    """Return every command, by name."""
    return root().subcommands


def every(of: tuple[Command, ...]) -> Iterator[Command]:
    """Yield commands and those below them."""
    for command in of:
        yield command
        yield from every(command.subcommands)


def _command(path: tuple[str, ...], made: argparse.ArgumentParser) -> Command:
    actions = made._actions  # noqa: SLF001 - argparse has no public way to ask
    below: list[Command] = []
    found: list[Argument] = []
    for action in actions:
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            choices: dict[str, Any] = dict(action.choices)
            below += [_command((*path, name), each) for name, each in choices.items()]
        elif action.help is not argparse.SUPPRESS and "--help" not in action.option_strings:
            found.append(_argument(action))
    return Command(
        path=path,
        description=made.description or "",
        epilog=made.epilog or "",
        arguments=tuple(each for each in found if not each.names),
        options=tuple(each for each in found if each.names),
        subcommands=tuple(below),
    )


def _argument(action: argparse.Action) -> Argument:
    names = tuple(action.option_strings)
    choices = tuple(str(choice) for choice in action.choices or ())
    metavar = action.metavar if isinstance(action.metavar, str) else None
    value = metavar or "|".join(choices) or action.dest.upper().replace("_", "-")
    return Argument(
        names=names,
        value="" if action.nargs == 0 else value,
        help=action.help or "",
        choices=choices,
        required=action.required if names else action.nargs not in {"?", "*"},
        repeated=action.nargs in {"*", "+"} or type(action).__name__ == "_AppendAction",
    )


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
    top.add_argument("--version", action="version", version=f"headrace {installed_version()}")
    subparsers = top.add_subparsers(dest="command", title="commands", metavar="COMMAND")
    for command in known().values():
        command.add(subparsers)
    return top
