"""The generated page of the commands is what argparse says; every command has examples and exit codes."""

from pipeline.cli.parser import every, root, tree
from pipeline.reference.commands import page
from tests.pipeline.cli.commands.golden_text import ROOT

HOW = "python -m pipeline.reference.commands > deploy/reference/commands.md"


def test_the_page_of_the_commands() -> None:
    assert (ROOT / "deploy" / "reference" / "commands.md").read_text(encoding="utf-8") == page(), HOW


def test_every_command_has_examples_and_exit_codes() -> None:
    for command in tree():
        assert command.description.endswith("."), command.path
        assert "exit codes:" in command.epilog, command.path
    for command in every(tree()):
        assert command.examples(), command.path
        assert all(" ".join(["headrace", *command.path]) in example for example in command.examples()), command.path
        assert all(each.help for each in (*command.arguments, *command.options)), command.path


def test_the_first_half_hour_names_its_commands() -> None:
    named = {example.split()[1] for example in root().examples()}
    assert named >= {"demo", "init", "check", "explain", "run", "tail", "replay"}
    assert named <= {command.name for command in tree()}
