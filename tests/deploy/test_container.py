"""The container's recipe and the trial city of containers, as far as they can be judged without an engine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.toolchain import KAFKA_VERSION, find

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
CONTAINERFILE = DEPLOY / "container" / "Containerfile"
COMPOSE = DEPLOY / "compose"


def tool(name: str, *arguments: str | Path, env: dict[str, str] | None = None) -> tuple[int, str]:
    """Run a command of the developers' .venv."""
    command = [str(Path(sys.executable).with_name(name)), *map(str, arguments)]
    done = subprocess.run(command, env={**os.environ, **(env or {})}, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


@pytest.fixture(scope="module")
def city() -> dict[str, Any]:
    code, text = tool("docker-compose", "-f", COMPOSE / "compose.yaml", "config", "--format", "json")
    assert code == 0, text
    found: dict[str, Any] = json.loads(text)
    return found


def settings(file: Path) -> dict[str, str]:
    lines = file.read_text(encoding="utf-8").splitlines()
    return dict(line.split(maxsplit=1) for line in lines if line and not line.startswith("#"))


def test_the_containerfile_is_clean() -> None:
    assert tool("hadolint", CONTAINERFILE) == (0, "")


def test_hadolint_would_say_so(tmp_path: Path) -> None:
    bad = tmp_path / "Containerfile"
    bad.write_text(CONTAINERFILE.read_text(encoding="utf-8").replace("RUN ", "RUN sudo "), encoding="utf-8")
    code, said = tool("hadolint", bad)
    assert code == 1
    assert "DL3004" in said


def test_the_container_has_a_base_by_version_and_a_user_by_number() -> None:
    lines = CONTAINERFILE.read_text(encoding="utf-8").splitlines()
    assert [line.rpartition(":")[2] for line in lines if line.startswith("ARG BASE=")] == ["3.11-slim-bookworm"]
    assert [line.split()[1] for line in lines if line.startswith("USER ")] == ["10001:10001"]


def test_the_builder_says_for_which_architecture_it_builds() -> None:
    # A default would win over BuildKit's own value (docker/buildx issue 510): wheels of amd64 in an image of arm64.
    text = CONTAINERFILE.read_text(encoding="utf-8")
    assert "\nARG TARGETARCH\nCOPY dist/headrace-linux-${TARGETARCH} " in text


def test_nothing_of_the_city_is_open_beyond_this_machine(city: dict[str, Any]) -> None:
    ports = [port for service in city["services"].values() for port in service.get("ports", [])]
    assert len(ports) == 5
    assert {port["host_ip"] for port in ports} == {"127.0.0.1"}


def test_every_container_of_the_city_is_without_rights(city: dict[str, Any]) -> None:
    for name, service in city["services"].items():
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service.get("read_only") or name == "kafka", name


def test_what_the_city_mounts_is_there(city: dict[str, Any]) -> None:
    mounts = [mount for service in city["services"].values() for mount in service["volumes"]]
    bound = [Path(mount["source"]) for mount in mounts if mount["type"] == "bind"]
    assert {DEPLOY / "grafana", DEPLOY / "prometheus", COMPOSE / "headrace.yaml"} <= set(bound)
    made = {COMPOSE / "admin-token"}  # by whoever starts it, and never committed
    assert [source for source in bound if source not in made and not source.exists()] == []


def test_the_city_has_the_kafka_that_the_tests_run(city: dict[str, Any]) -> None:
    assert city["services"]["kafka"]["image"].endswith(f"/kafka:{KAFKA_VERSION}")


def test_the_citys_configuration_is_good(tmp_path: Path) -> None:
    token = tmp_path / "admin-token"
    token.write_text("0123456789abcdef\n", encoding="utf-8")
    text = (COMPOSE / "headrace.yaml").read_text(encoding="utf-8")
    (tmp_path / "headrace.yaml").write_text(text.replace("/run/secrets/admin-token", str(token)), encoding="utf-8")
    code, said = tool("headrace", "check", tmp_path / "headrace.yaml")
    assert (code, said.splitlines()[-1].rsplit(": ", 1)[-1]) == (0, "ok")


def test_the_citys_broker_keeps_what_the_hardened_one_keeps() -> None:
    hardened, trial = settings(DEPLOY / "mosquitto" / "mosquitto.conf"), settings(COMPOSE / "mosquitto.conf")
    open_to_all = {"listener", "allow_anonymous", "persistence_location", "log_dest"}
    assert {name: hardened.get(name) for name in trial.keys() - open_to_all} == {
        name: value for name, value in trial.items() if name not in open_to_all
    }


def test_grafana_finds_its_source_and_its_dashboards() -> None:
    [source] = yaml.safe_load((COMPOSE / "grafana" / "datasources" / "prometheus.yaml").read_text())["datasources"]
    [provider] = yaml.safe_load((COMPOSE / "grafana" / "dashboards" / "headrace.yaml").read_text())["providers"]
    mounts = yaml.safe_load((COMPOSE / "compose.yaml").read_text())["services"]["grafana"]["volumes"]
    assert (source["type"], source["url"]) == ("prometheus", "http://prometheus:9090")
    assert f"../grafana:{provider['options']['path']}:ro" in mounts


@pytest.mark.real
def test_prometheus_reads_the_citys_configuration() -> None:
    promtool = find("promtool")
    command = [str(promtool.path), "check", "config", str(COMPOSE / "prometheus.yaml")]
    env = {**os.environ, **promtool.env}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
