"""Dashboards are what their descriptions say, and they, rules and runbook name only metrics that there are."""

import re
from typing import Any

import pytest

from pipeline.core.delivery import Fate
from pipeline.core.errors import Reason
from pipeline.devices.silence import SilenceCounts
from pipeline.feeds.semtech_udp import HeardGateways
from pipeline.lorawan.statistics import FrameOutcome
from tests.deploy.dashboards import (
    GRAFANA,
    RUNBOOK,
    catalogue,
    dashboards,
    generator,
    names,
    panel_queries,
    panels,
    rules,
    runbook_queries,
)

EXCUSED: dict[str, str] = {}
"""Metrics that neither a panel nor a rule uses, and why."""
VALUES = {
    "fate": [each.name.lower() for each in Fate],
    "reason": [each.value for each in Reason],
    "outcome": [each.value for each in FrameOutcome],
    "age": [*SilenceCounts().silent],
    "kind": ["received", "ok", "duplicate", "reset", "refused", *(each.value for each in HeardGateways)],
}
"""The closed lists of labels."""
SELECTOR = re.compile(r"headrace_\w+\{([^}]*)\}")
MATCHER = re.compile(r'(\w+)\s*(?:=~|!~|!=|=)\s*"([^"]*)"')
VARIABLE = re.compile(r"\$\{?(\w+)")
BUILT_IN = {"__rate_interval"}


def known() -> set[str]:
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    return recorded.union(*catalogue().values())


def test_the_json_is_what_the_descriptions_say() -> None:
    """After a change: `python deploy/grafana/generate.py`."""
    written = {file.stem: file.read_text(encoding="utf-8") for file in GRAFANA.glob("*.json")}
    assert written == dict(generator().dashboards())


def test_every_metric_is_in_the_catalogue() -> None:
    asked = panel_queries()
    asked |= {rule["alert"] if "alert" in rule else rule["record"]: rule["expr"] for rule in rules()}
    for name, dashboard in dashboards().items():
        asked |= {f"{name}/${each['name']}": str(each["query"]) for each in dashboard["templating"]["list"]}
    assert {where: strange for where, query in asked.items() if (strange := names(query) - known())} == {}


def test_the_runbook_names_only_metrics_that_there_are() -> None:
    strange = {page.stem: names(page.read_text(encoding="utf-8")) - known() for page in RUNBOOK.glob("*.md")}
    assert {page: found for page, found in strange.items() if found} == {}


def test_every_metric_is_used_or_excused() -> None:
    used = set[str]().union(*map(names, panel_queries().values()), *(names(rule["expr"]) for rule in rules()))
    unused = {name for name, series in catalogue().items() if not series & used}
    assert unused == set(EXCUSED)


def test_what_is_asked_for_by_a_label_is_a_value_that_it_has() -> None:
    """A misspelt value is no error to Prometheus: its alert is quiet for ever."""
    asked = [*panel_queries().values(), *(rule["expr"] for rule in rules()), *runbook_queries()]
    named = {
        (label, value)
        for selector in SELECTOR.findall(" ".join(asked))
        for label, wanted in MATCHER.findall(selector)
        for value in wanted.split("|")
        if not wanted.startswith("$")
    }
    assert len(named) > 10
    assert {
        (label, value) for label, value in named if not any(re.fullmatch(value, has) for has in VALUES[label])
    } == set()


def test_every_recording_is_used() -> None:
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    assert recorded == recorded & set[str]().union(*(names(rule["expr"]) for rule in rules()))


@pytest.mark.parametrize("name", dashboards())
def test_a_dashboard_is_whole(name: str) -> None:
    dashboard = dashboards()[name]
    assert dashboard["uid"] == f"headrace-{name}"
    declared = {each["name"] for each in dashboard["templating"]["list"]}
    asked = {found for query in panel_queries().values() for found in VARIABLE.findall(query)}
    assert asked - BUILT_IN <= {"job", "instance", "feed"}
    mine = {found for panel in panels(dashboard) for found in VARIABLE.findall(str(panel["targets"]))}
    assert mine - BUILT_IN == declared, "each variable is declared, and each declared one chooses something"
    numbers = [panel["id"] for panel in dashboard["panels"]]
    assert len(set(numbers)) == len(numbers)
    assert all(panel["description"] for panel in panels(dashboard))
    assert not overlaps(dashboard["panels"])


def overlaps(laid: list[dict[str, Any]]) -> list[tuple[int, int]]:
    """Return cells of the grid that two panels want, or that the grid has not."""
    taken: set[tuple[int, int]] = set()
    twice = []
    for panel in laid:
        at = panel["gridPos"]
        for cell in ((x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])):
            twice += [cell] if cell in taken or cell[0] >= 24 else []
            taken.add(cell)
    return twice
