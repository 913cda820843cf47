"""The command line: what it prints, where, and how it exits."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml

from pipeline.__main__ import main
from pipeline.config.findings import Finding
from pipeline.config.loading import schema
from pipeline.core.errors import ConfigError, StartError
from tests.support.log import events

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "deploy" / "examples" / "bench.yaml"
WRONG = Path(__file__).parents[1] / "config" / "golden" / "everything_wrong.yaml"


@pytest.fixture
def wrong(tmp_path: Path) -> Path:
    file = tmp_path / "wrong.yaml"
    file.write_text(EXAMPLE.read_text().replace("qos: 1", "qos: 9"))
    return file


def app(monkeypatch: pytest.MonkeyPatch, outcome: Any) -> list[tuple[Any, str]]:
    calls: list[tuple[Any, str]] = []

    def run(loaded: Any, *, loop: str) -> int:
        calls.append((loaded.config, loop))
        if isinstance(outcome, Exception):
            raise outcome
        return int(outcome)

    monkeypatch.setattr("pipeline.worker.worker.run", run)
    return calls


def test_check_says_ok(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(EXAMPLE)]) == 0

    out, err = capsys.readouterr()
    assert out.endswith("bench.yaml: ok\n")
    assert "humidity 45.2 % -> relativeHumidity 0.452 (C62)" in out
    assert err == ""


def test_check_lists_every_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(WRONG)]) == 2

    out, err = capsys.readouterr()
    assert out == ""
    assert err.count(f"{WRONG}:") > 30


def test_check_for_a_program(capsys: pytest.CaptureFixture[str], wrong: Path) -> None:
    assert main(["check", str(wrong), "--format", "json"]) == 2
    report = json.loads(capsys.readouterr().out)
    assert report["ok"] is False
    assert [(each["path"], each["line"]) for each in report["findings"]] == [("feeds.city.qos", 12)]

    assert main(["check", str(EXAMPLE), "--format", "json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["ok"] is True
    assert report["topics"] == ["bench.AirQualityObserved.v1", "bench.dead-letter.v1"]
    assert report["connectors"][0]["connector"] == "city-aq"

    assert main(["check", str(ROOT / "nothing.yaml"), "--format", "json"]) == 2
    assert "cannot be read" in json.loads(capsys.readouterr().out)["error"]


def test_check_looks_at_files(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "city.yaml"
    file.write_text(EXAMPLE.read_text().replace("qos: 1", "qos: 2\n    password_file: nothing"))

    assert main(["check", str(file)]) == 1

    out = capsys.readouterr().out
    assert f"warnings:\n{file}:12  feeds.city.qos  2 is lowered" in out
    assert f"errors:\n{file}:13  feeds.city.password_file" in out
    assert "ok\n" not in out


def test_check_connects_when_asked(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    asked: list[str] = []

    def connect(config: Any) -> list[Finding]:
        asked.append(config.tenant)
        return [Finding(("feeds", "city", "url"), "cannot be reached.")] if len(asked) > 1 else []

    monkeypatch.setattr("pipeline.tools.check.connect.check", connect)

    assert main(["check", str(EXAMPLE), "--connect"]) == 0
    assert main(["check", str(EXAMPLE), "--connect"]) == 1
    assert asked == ["bench", "bench"]
    assert "bench.yaml:9  feeds.city.url  cannot be reached." in capsys.readouterr().out


def test_the_schema_accepts_the_example(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--schema"]) == 0

    validator = jsonschema_rs.validator_for(json.loads(capsys.readouterr().out))
    example = yaml.safe_load(EXAMPLE.read_text())
    assert validator.is_valid(example)
    assert not validator.is_valid({**example, "tenant": "Bench"})
    assert not validator.is_valid({**example, "drain_timeout": 30})


def test_the_defaults_of_the_schema_are_written_as_in_a_file() -> None:
    made = schema()

    assert made["properties"]["drain_timeout"]["default"] == "30s"
    assert made["$defs"]["MqttFeedConfig"]["properties"]["max_payload"]["default"] == "256KiB"


def test_check_without_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check"]) == 2
    assert "path" in capsys.readouterr().err


def test_run(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = app(monkeypatch, 0)

    assert main(["run", str(EXAMPLE)]) == 0
    assert main(["run", str(EXAMPLE), "--loop", "asyncio"]) == 0
    assert [(config.tenant, loop) for config, loop in calls] == [("bench", "uvloop"), ("bench", "asyncio")]


@pytest.mark.parametrize(("problem", "code"), [(StartError("No broker."), 1), (ConfigError("No route."), 2)])
def test_errors_are_sentences(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], problem: Exception, code: int
) -> None:
    app(monkeypatch, problem)

    assert main(["run", str(EXAMPLE)]) == code
    said = capsys.readouterr().err
    refused = events(said, "The worker cannot start.")
    assert bool(refused) == isinstance(problem, StartError)  # nobody reads on a terminal
    assert [each["problem"] for each in refused] == [str(problem)] if refused else said == f"{problem}\n"


def test_run_starts_nothing_with_a_wrong_configuration(monkeypatch: pytest.MonkeyPatch, wrong: Path) -> None:
    calls = app(monkeypatch, 0)

    assert main(["run", str(wrong)]) == 2
    assert calls == []


def test_run_warns(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    app(monkeypatch, 0)
    file = tmp_path / "city.yaml"
    file.write_text(EXAMPLE.read_text().replace("qos: 1", "qos: 2"))

    assert main(["run", str(file)]) == 0
    assert "2 is lowered to 1" in capsys.readouterr().err


def test_help_shows_examples_and_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["--help"], ["run", "--help"], ["check", "--help"]):
        with pytest.raises(SystemExit) as stop:
            main(arguments)
        assert stop.value.code == 0
        out = capsys.readouterr().out
        assert "examples:" in out
        assert "exit codes:" in out
    assert main([]) == 2


def test_the_command_as_a_process() -> None:
    command = [sys.executable, "-m", "pipeline"]

    version = subprocess.run([*command, "--version"], capture_output=True, text=True, check=True, cwd=ROOT)
    assert version.stdout.startswith("headrace ")
    refused = subprocess.run([*command, "check", str(WRONG)], capture_output=True, text=True, check=False, cwd=ROOT)
    assert refused.returncode == 2
    assert "Traceback" not in refused.stderr


@pytest.mark.parametrize("arguments", [["init", "mqtt"], ["check", "--schema"]])
@pytest.mark.parametrize("buffered", [True, False])
def test_a_reader_that_has_enough_is_no_error(arguments: list[str], *, buffered: bool) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    env = {**os.environ, "PYTHONUNBUFFERED": "" if buffered else "1"}
    command = [sys.executable, "-m", "pipeline", *arguments]
    done = subprocess.run(command, env=env, stdout=writing, stderr=subprocess.PIPE, text=True, check=False, cwd=ROOT)
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("arguments", [["init", "mqtt"], ["check", "--schema"], ["connectors", "list"]])
@pytest.mark.parametrize("buffered", [True, False])
def test_a_full_disk_behind_standard_output(arguments: list[str], *, buffered: bool) -> None:
    env = {**os.environ, "PYTHONUNBUFFERED": "" if buffered else "1"}
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "pipeline", *arguments],
            env=env,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            cwd=ROOT,
        )
    assert done.returncode == 1
    assert done.stderr == "A file, or standard output, cannot be written: No space left on device.\n"


@pytest.mark.parametrize("closed", ["1>&-", "2>&-", ">&- 2>&-"])
def test_a_closed_output_costs_the_text_only(closed: str) -> None:
    command = f'exec "$0" -m pipeline check "$1" {closed}'
    done = subprocess.run(
        ["sh", "-c", command, sys.executable, str(EXAMPLE)], cwd=ROOT, capture_output=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")
