"""`headrace completion`: lets a shell complete commands and options."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping
from shlex import quote

from pipeline.cli import commands
from pipeline.cli.parser import Argument, Command, every

_BASH = """# headrace completion bash > ~/.local/share/bash-completion/completions/headrace
_headrace() {{
    local current=${{COMP_WORDS[COMP_CWORD]}} previous=${{COMP_WORDS[COMP_CWORD-1]}} path="" words="" word
    for word in "${{COMP_WORDS[@]:1:COMP_CWORD-1}}"; do
        case "$path|$word" in
{steps}
        esac
    done
    case "$path|$previous" in
{values}
    esac
    case "$path" in
{words}
    esac
    COMPREPLY=($(compgen -W "$words" -- "$current"))
    if [[ -n $path && $current != -* && ${{#COMPREPLY[@]}} -eq 0 ]]; then
        COMPREPLY=($(compgen -f -- "$current"))
    fi
}}
complete -o filenames -F _headrace headrace"""
_ZSH = """#compdef headrace
# headrace completion zsh > a folder of $fpath, as _headrace
_headrace() {{
    local context state state_descr line
    typeset -A opt_args
    _arguments -C '--version[print the version]' '--help[print help]' '1:command:->command' '*::argument:->argument'
    case $state in
    command)
        local -a commands
        commands=(
{commands}
        )
        _describe command commands
        ;;
    argument)
        case $line[1] in
{cases}
        esac
        ;;
    esac
}}
_headrace "$@\""""
_FISH = "# headrace completion fish > ~/.config/fish/completions/headrace.fish"


def bash(commands: tuple[Command, ...]) -> str:
    """Write the script for bash."""
    steps = [
        f'        "{" ".join(each.path[:-1])}|{each.name}") path="{" ".join(each.path)}" ;;' for each in every(commands)
    ]
    values = [line for each in every(commands) for line in _bash_values(each)]
    top = " ".join([*(each.name for each in commands), "--help", "--version"])
    words = [f'    "") words="{top}" ;;']
    words += [f'    "{" ".join(each.path)}") words="{" ".join(_words(each))}" ;;' for each in every(commands)]
    return _BASH.format(steps="\n".join(steps), values="\n".join(values), words="\n".join(words))


def zsh(commands: tuple[Command, ...]) -> str:
    """Write the script for zsh."""
    described = [f"            {quote(f'{each.name}:{_plain(each.description)}')}" for each in commands]
    cases = [f"        {each.name}) _arguments {' '.join(_zsh(each))} ;;" for each in commands]
    return _ZSH.format(commands="\n".join(described), cases="\n".join(cases))


def fish(commands: tuple[Command, ...]) -> str:
    """Write the script for fish."""
    return "\n".join([_FISH, *(line for each in commands for line in _fish(each))])


SHELLS: Mapping[str, Callable[[tuple[Command, ...]], str]] = {"bash": bash, "zsh": zsh, "fish": fish}
"""Every shell, by its name."""


def _words(command: Command) -> list[str]:
    """Return what may be typed behind a command: what is below it, choices, options."""
    choices = [choice for each in command.arguments for choice in each.choices]
    options = [name for each in command.options for name in each.names]
    return [*(each.name for each in command.subcommands), *choices, *options, "--help"]


def _bash_values(command: Command) -> Iterator[str]:
    for option in command.options:
        if option.value:
            patterns = "|".join(f'"{" ".join(command.path)}|{name}"' for name in option.names)
            made = f'compgen -W "{" ".join(option.choices)}"' if option.choices else "compgen -f"
            yield f'    {patterns}) COMPREPLY=($({made} -- "$current")); return ;;'


def _zsh(command: Command) -> Iterator[str]:
    for option in _options(command):
        for name in option.names:
            value = f":{_plain(option.value)}:{_zsh_values(option)}" if option.value else ""
            many = "*" if option.repeated else ""
            yield quote(f"{many}{name}[{_plain(option.help)}]{value}")
    if command.subcommands:
        yield quote(f"1:command:({' '.join(each.name for each in command.subcommands)})")
        yield "'*:file:_files'"
    for argument in command.arguments:
        number = "" if argument.required else ":"
        yield quote(f":{number}{_plain(argument.value)}:{_zsh_values(argument)}")


def _zsh_values(argument: Argument) -> str:
    return f"({' '.join(argument.choices)})" if argument.choices else "_files"


def _fish(command: Command) -> Iterator[str]:
    yield f"complete -c headrace -n __fish_use_subcommand -f -a {command.name} -d {_fish_text(command.description)}"
    seen = f"complete -c headrace -n '__fish_seen_subcommand_from {command.name}'"
    below = [each.name for each in command.subcommands] + [one for each in command.arguments for one in each.choices]
    if below:
        yield f"{seen} -f -a '{' '.join(below)}'"
    for option in _options(command):
        for name in option.names:
            long = f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}"
            value = f" -xa '{' '.join(option.choices)}'" if option.choices else " -r" if option.value else ""
            yield f"{seen} {long}{value} -d {_fish_text(option.help)}"


def _options(command: Command) -> list[Argument]:
    """Return a command's options, and those of what is below it, each once."""
    found = {option.names: option for each in every((command,)) for option in each.options}
    return list(found.values())


def _plain(text: str) -> str:
    """Leave out what zsh would take for its own; a dash stands for a colon."""
    return "".join(each for each in text.replace(":", " -") if each not in "[]'\"`\\").replace("\n", " ")


def _fish_text(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", " ") + "'"


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
    from pipeline.cli import parser

    sys.stdout.write(SHELLS[parsed.shell](parser.tree()) + "\n")
    return commands.OK
