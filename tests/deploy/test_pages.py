"""The pages for operators lead where they say, and count right."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = ("deploy/README.md", "SECURITY.md", "deploy/runbook/README.md")
RESULTS = (ROOT / "loadtests" / "RESULTS.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES)
def test_every_link_and_path_leads_somewhere(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    links = [(ROOT / page).parent / each for each in re.findall(r"\]\(([^)#]+)\)", text)]
    paths = [ROOT / each for each in re.findall(r"`((?:tests|deploy|loadtests|pipeline)/[^` ]+)`", text)]
    assert links
    assert [path for path in links + paths if not path.exists()] == []


def test_every_verb_and_command_that_operators_are_told_exists() -> None:
    text = (ROOT / "deploy" / "README.md").read_text(encoding="utf-8")
    verbs = set(re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE))
    commands = (ROOT / "deploy" / "reference" / "commands.md").read_text(encoding="utf-8")
    told = set(re.findall(r"(?:bin/|`)headrace(?:-as-service)? ([a-z]+)", text))
    assert told >= {"init", "check", "topics"}
    assert {each for each in told if f"## headrace {each}" not in commands} == set()
    assert set(re.findall(r"(?:`|^    )make ([a-z-]+)", text, flags=re.MULTILINE)) <= verbs


@pytest.mark.parametrize("figure", ["105,732", "13.51", "27.92", "14.9 ms", "69 MiB"])
def test_capacity_rests_on_measured_figures(figure: str) -> None:
    page = (ROOT / "deploy" / "README.md").read_text(encoding="utf-8")
    assert figure in page
    assert figure in RESULTS, "measured anew: do the arithmetic of deploy/README.md again"


def test_the_arithmetic_is_right() -> None:
    page = (ROOT / "deploy" / "README.md").read_text(encoding="utf-8")
    waiting = 256 * 1024**2 / 300
    assert f"= {round(20_000 * 13.51e-6, 2)} of a core. 27.92 us at 5,000/s = {round(5_000 * 27.92e-6, 2)}" in page
    assert f"5,000 / 14.9 ms = {5_000 / 14.9e-3 / 1000:.0f},000/s" in page
    assert f"100/s = {waiting / 100:,.0f} s, 2.5 hours" in page
    assert f"{waiting / 1000:.0f},000 waiting / 105,732/s = {waiting / 105_732:.1f} s" in page
    assert f"3 copies = {100 * 1.6e3 * 86_400 * 7 * 3 / 1e9:.0f} GB" in page
