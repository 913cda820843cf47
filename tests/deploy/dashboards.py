"""What dashboards, rules and the runbook ask Prometheus for, and the catalogue that says what it can answer."""

import importlib.util
import json
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
GRAFANA = ROOT / "deploy" / "grafana"
RULES = sorted((ROOT / "deploy" / "prometheus").glob("*.rules.yaml"))
RUNBOOK = ROOT / "deploy" / "runbook"
CATALOGUE = ROOT / "tests" / "pipeline" / "golden" / "metrics.catalogue"
SUFFIXES = {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_sum", "_count")}
NAME = re.compile(r"\b(?:\w+:)?headrace_\w+(?::\w+)?")


def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate", GRAFANA / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def dashboards() -> dict[str, dict[str, Any]]:
    return {file.stem: json.loads(file.read_text(encoding="utf-8")) for file in sorted(GRAFANA.glob("*.json"))}


def panels(dashboard: dict[str, Any]) -> Iterator[dict[str, Any]]:
    return (panel for panel in dashboard["panels"] if panel["type"] != "row")


def panel_queries() -> dict[str, str]:
    """Return each query of a panel under its dashboard's, panel's and target's names."""
    return {
        f"{name}/{panel['title']}/{target['refId']}": target["expr"]
        for name, dashboard in dashboards().items()
        for panel in panels(dashboard)
        for target in panel["targets"]
    }


def rules() -> list[dict[str, Any]]:
    return [
        rule
        for file in RULES
        for group in yaml.safe_load(file.read_text(encoding="utf-8"))["groups"]
        for rule in group["rules"]
    ]


def catalogue() -> dict[str, set[str]]:
    """Return each family's name and what Prometheus calls its series."""
    found: dict[str, set[str]] = {}
    for line in CATALOGUE.read_text(encoding="utf-8").splitlines():
        name, kind = line.split(" ")[:2]
        found[name] = {name + suffix for suffix in SUFFIXES[kind]}
    return found


SHELL = (
    "df",
    "kafka-console-consumer.sh",
    "headrace",
    "kubectl",
    "curl",
    "systemctl",
    "journalctl",
    "mosquitto_sub",
    "sysctl",
    "top",
    "timeout",
)


def runbook_lines() -> list[tuple[str, str]]:
    """Return what the runbook has a person copy: the page, and a query of PromQL or a command."""
    pages = {page.stem: page.read_text(encoding="utf-8").splitlines() for page in sorted(RUNBOOK.glob("Headrace*.md"))}
    return [(page, line.strip()) for page, lines in pages.items() for line in lines if line.startswith("    ")]


def runbook_queries() -> list[str]:
    return [line for _, line in runbook_lines() if line.split()[0] not in SHELL]


def names(expression: str) -> set[str]:
    return set(NAME.findall(expression))
