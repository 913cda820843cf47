"""`headrace completion`: bash completes; the others are at least scripts of their shell."""

import shutil
import subprocess
from pathlib import Path

import pytest

from pipeline.__main__ import main
from pipeline.cli.parser import every, tree


def script(capsys: pytest.CaptureFixture[str], shell: str) -> str:
    assert main(["completion", shell]) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("", {"check", "run", "explain", "--version"}),
        ("ex", {"explain"}),
        ("explain city.yaml --f", {"--feed", "--format"}),
        ("explain --format ", {"text", "json"}),
        ("init ", {"mqtt", "tls", "kafka-sasl"}),
        ("check cit", {"city.yaml"}),
        ("check --connect cit", {"city.yaml"}),
    ],
)
def test_bash_completes(capsys: pytest.CaptureFixture[str], tmp_path: Path, typed: str, offered: set[str]) -> None:
    words = " ".join(f"'{word}'" for word in ["headrace", *typed.split(" ")])
    (tmp_path / "city.yaml").touch()
    ask = (
        f'COMP_WORDS=({words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); _headrace; printf "%s\\n" "${{COMPREPLY[@]}}"'
    )
    done = subprocess.run(
        ["bash", "-c", script(capsys, "bash") + ask], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert offered <= set(done.stdout.split())
    assert done.stderr == ""


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_command_and_option_is_in_every_script(capsys: pytest.CaptureFixture[str], shell: str) -> None:
    text = script(capsys, shell)
    for command in every(tree()):
        assert command.name in text
        for option in command.options:
            assert option.names[-1].removeprefix("--") in text
    if (found := shutil.which(shell)) is not None:
        subprocess.run([found, "-n"], input=text, text=True, check=True)
