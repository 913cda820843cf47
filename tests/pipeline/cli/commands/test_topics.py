"""`headrace topics`: the three formats, held as they are, and read by those for whom they are meant."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.__main__ import main
from tests.pipeline.cli.commands.golden_text import EXAMPLE, hold


def topics(capsys: pytest.CaptureFixture[str], file: Path, *more: str) -> str:
    assert main(["topics", str(file), *more]) == 0
    return capsys.readouterr().out


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    content: dict[str, Any] = yaml.safe_load(EXAMPLE.read_text())
    settings = {"retention.ms": "604800000", "min.insync.replicas": 2}
    content["kafka"]["create_topics"] = {"partitions": 12, "replication_factor": 3, "configs": settings}
    content["streams"]["AirQualityObserved"]["retention"] = "30d"
    (tmp_path / "city.yaml").write_text(yaml.safe_dump(content))
    monkeypatch.chdir(tmp_path)
    return Path("city.yaml")


@pytest.mark.parametrize("form", ["table", "sh", "strimzi"])
def test_golden_formats(capsys: pytest.CaptureFixture[str], config: Path, form: str) -> None:
    hold(f"topics_{form}.txt", topics(capsys, config, "--format", form))


def test_the_script_calls_kafkas_tools(capsys: pytest.CaptureFixture[str], config: Path, tmp_path: Path) -> None:
    script = topics(capsys, config, "--format", "sh", "--principal", "User:CN=a b$(id)`id`")
    for tool in ("kafka-topics.sh", "kafka-acls.sh"):
        (tmp_path / tool).write_text('#!/bin/sh\nprintf "%s|" "${0##*/}" "$@"; echo\n')
        (tmp_path / tool).chmod(0o755)
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin", "COMMAND_CONFIG": "admin.properties"}

    def calls(**more: str) -> list[list[str]]:
        done = subprocess.run(
            ["sh", "-c", script], env={**environment, **more}, capture_output=True, text=True, check=True
        )
        return [line.split("|")[:-1] for line in done.stdout.splitlines()]

    made = calls()
    assert [call[0] for call in made] == ["kafka-topics.sh"] * 2 + ["kafka-acls.sh"] * 4
    assert made[0][1:5] == ["--bootstrap-server", "127.0.0.1:9092", "--command-config", "admin.properties"]
    assert "retention.ms=2592000000" in made[0]
    assert "retention.ms=604800000" in made[1]
    assert "User:CN=a b$(id)`id`" in made[2]
    assert {call[0] for call in calls(NO_ACLS="1")} == {"kafka-topics.sh"}


def test_strimzis_resources(capsys: pytest.CaptureFixture[str], config: Path) -> None:
    model, letters, user = yaml.safe_load_all(topics(capsys, config, "--format", "strimzi"))
    assert model["spec"]["topicName"] == "bench.AirQualityObserved.v1"
    assert model["metadata"]["name"].islower()
    assert letters["metadata"]["name"] == "bench.dead-letter.v1"
    assert user["spec"]["authorization"]["acls"][-1]["resource"] == {"type": "cluster"}


def test_what_is_left_to_the_brokers_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    for form in ("table", "sh"):
        said = topics(capsys, EXAMPLE, "--format", form)
        assert "as the number of replicas is; --replicas 3 sets it to 2." in said
        assert "`streams.<Model>.retention` of the" in said
        assert "2 of 2 would stop all feeds" in topics(capsys, EXAMPLE, "--format", form, "--replicas", "2")
    durable = topics(capsys, EXAMPLE, "--format", "sh", "--replicas", "3")
    made = [line for line in durable.splitlines() if line.startswith("topic bench")]
    assert len(made) == 2
    assert all("--config min.insync.replicas=2" in line for line in made)
    assert "min.insync.replicas is" not in durable


def test_what_is_configured_goes_before(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    content: dict[str, Any] = yaml.safe_load(EXAMPLE.read_text())
    settings = {"min.insync.replicas": 1, "retention.ms": 1000}
    content["kafka"]["create_topics"] = {"partitions": 1, "replication_factor": 3, "configs": settings}
    (tmp_path / "city.yaml").write_text(yaml.safe_dump(content))
    said = topics(capsys, tmp_path / "city.yaml", "--format", "sh")
    assert "min.insync.replicas=1" in said
    assert "min.insync.replicas=2" not in said
    assert "brokers' own" not in said


def test_what_the_configuration_leaves_open(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    content = yaml.safe_load(EXAMPLE.read_text())
    content["kafka"] = {"bootstrap_servers": "127.0.0.1:9092", "idempotent": False}
    file = tmp_path / "city.yaml"
    file.write_text(yaml.safe_dump(content))

    out = topics(capsys, file)
    assert " 6           default" in out
    assert "Create" not in out
    assert "IdempotentWrite" not in out
    assert " 3           2 " in topics(capsys, file, "--partitions", "3", "--replicas", "2")
    for wrong in (["--partitions", "0"], ["--replicas", "0"], ["--principal", "me"]):
        assert main(["topics", str(file), *wrong]) == 2
