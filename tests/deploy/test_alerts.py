"""Every alert fires when it should, is quiet when it should be, and has a page that says what to do."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.dashboards import ROOT, RULES, RUNBOOK, rules, runbook_lines
from tests.support.prometheus import check_config, check_rules, run_rules

PAGE = ("## What it means", "## How to confirm", "## What to do")


ALERTS = {rule["alert"]: rule for rule in rules() if "alert" in rule}
CASES = yaml.safe_load(Path(__file__).with_name("alerts.yaml").read_text(encoding="utf-8"))


def case(name: str, case: dict[str, Any], *, fires: bool) -> dict[str, Any]:
    """Return one test of promtool's: the alert carries exactly this, or nothing is there."""
    rule = ALERTS[name]
    carries = {
        "exp_labels": {**case.get("labels", {}), **rule["labels"]},
        "exp_annotations": {**rule["annotations"], "summary": case.get("says")},
    }
    return {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in case["series"].items()],
        "alert_rule_test": [
            {"eval_time": f"{case['at']}m", "alertname": name, "exp_alerts": [carries] if fires else []}
        ],
    }


@pytest.mark.real
def test_each_alert_fires_and_is_quiet(tmp_path: Path) -> None:
    tests = []
    for name, cases in CASES.items():
        assert cases["quiet"], name
        tests += [case(name, cases["fires"], fires=True), *(case(name, each, fires=False) for each in cases["quiet"])]
    file = tmp_path / "alert.test.yaml"
    file.write_text(yaml.safe_dump({"rule_files": list(map(str, RULES)), "evaluation_interval": "1m", "tests": tests}))
    said = run_rules(file)
    assert not said, said


@pytest.mark.real
@pytest.mark.parametrize(
    "restarted",
    [
        {"received": "0+10x30 0 0+400x30", "dead_lettered": "0+10x30 0 800+400x30"},
        {"received": "0+10x30 _x3 0+10x30", "dead_lettered": "0+10x30 _x3 50+10x30"},
    ],
    ids=["a backlog", "a gap"],
)
def test_the_ratio_of_dead_letters_is_never_above_one(tmp_path: Path, restarted: dict[str, str]) -> None:
    """After a restart two counters of their own had different histories, and 134.6 % were told."""
    labels = 'job="h", instance="a", feed="city"'
    series = [
        {"series": f"headrace_received_messages_total{{{labels}}}", "values": restarted["received"]},
        {"series": f'headrace_messages_total{{{labels}, fate="dead_lettered"}}', "values": restarted["dead_lettered"]},
    ]
    whole: list[dict[str, Any]] = [
        {"expr": "feed:headrace_dead_letters:ratio15m > 1", "eval_time": f"{at}m"} for at in range(20, 60)
    ]
    sample = {"labels": 'feed:headrace_dead_letters:ratio15m{job="h", feed="city"}', "value": 1}
    one = {"expr": "feed:headrace_dead_letters:ratio15m", "eval_time": "45m", "exp_samples": [sample]}
    test = {"interval": "1m", "input_series": series, "promql_expr_test": [*whole, one]}
    file = tmp_path / "ratio.test.yaml"
    file.write_text(yaml.safe_dump({"rule_files": list(map(str, RULES)), "evaluation_interval": "1m", "tests": [test]}))
    said = run_rules(file)
    assert not said, said


def test_every_case_is_an_alert() -> None:
    assert list(CASES) == list(ALERTS)


@pytest.mark.real
def test_promtool_takes_the_rules_and_the_example() -> None:
    for file in RULES:
        assert check_rules(file) == ""
    assert check_config(ROOT / "deploy" / "prometheus" / "prometheus.yaml") == ""


def test_every_alert_has_a_page_and_every_page_an_alert() -> None:
    pages = {page.stem for page in RUNBOOK.glob("Headrace*.md")}
    assert pages == set(ALERTS)
    assert {name: rule["annotations"]["runbook_url"] for name, rule in ALERTS.items()} == {
        name: f"deploy/runbook/{name}.md" for name in ALERTS
    }


@pytest.mark.parametrize("name", ALERTS)
def test_a_page_says_what_it_means_how_to_confirm_and_what_to_do(name: str) -> None:
    text = (RUNBOOK / f"{name}.md").read_text(encoding="utf-8")
    assert text.startswith(f"# {name}\n")
    assert [line for line in text.splitlines() if line.startswith("## ")] == list(PAGE)
    confirm = text.split(PAGE[1])[1].split(PAGE[2])[0]
    assert re.search(r"^    \S", confirm, re.MULTILINE), "a query or a command to copy"
    assert "<tenant>" not in re.sub(r"`[^`]*`", "", text), "a placeholder stands in code"
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", text)
    assert [link for link in links if not (RUNBOOK / link).exists()] == []


def test_the_runbook_names_only_commands_that_there_are() -> None:
    reference = (ROOT / "deploy" / "reference" / "commands.md").read_text(encoding="utf-8")
    known = set(re.findall(r"^## headrace (.+)$", reference, re.MULTILINE))
    lines = [line.split() for _, line in runbook_lines() if line.startswith("headrace ")]
    inline = [
        each.split() for page in RUNBOOK.glob("*.md") for each in re.findall(r"`(headrace [^`]+)`", page.read_text())
    ]
    named = {" ".join(words[1:3]) if words[1] in {"devices", "connectors"} else words[1] for words in lines + inline}
    assert named
    assert named - known == set()


@pytest.mark.parametrize("page", sorted({page for page, line in runbook_lines() if line.startswith("headrace ")}))
def test_a_page_with_a_command_says_where_to_run_it(page: str) -> None:
    assert "](README.md#where-commands-run)" in (RUNBOOK / f"{page}.md").read_text(encoding="utf-8")
    assert "\n## Where commands run\n" in (RUNBOOK / "README.md").read_text(encoding="utf-8")


def test_the_index_lists_every_page() -> None:
    text = (RUNBOOK / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| \[(\w+)\]\((\w+)\.md\) \| (\w+) \|", text, re.MULTILINE)
    assert rows == [(name, name, rule["labels"]["severity"]) for name, rule in ALERTS.items()]
