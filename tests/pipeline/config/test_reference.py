"""The generated pages are what the code says."""

from pathlib import Path

import pytest

from pipeline.reference import config as reference

REFERENCE = Path(__file__).parents[3] / "deploy" / "reference"


def test_the_page_of_the_configuration() -> None:
    assert (REFERENCE / "config.md").read_text() == reference.config()


def test_the_page_of_the_reasons() -> None:
    assert (REFERENCE / "reasons.md").read_text() == reference.reasons()


def test_every_key_is_described_with_an_example_or_a_section_of_its_own() -> None:
    rows = [line.split(" | ") for line in reference.config().splitlines() if line.startswith("| `")]

    assert len(rows) > 80
    assert not [row for row in rows if not row[-1].removesuffix(" |").strip().endswith(".")]
    assert not [row for row in rows if "section" not in row[1] and not row[3]]


def test_the_pages_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert reference.main([]) == 0
    assert reference.main(["reasons"]) == 0

    assert capsys.readouterr().out == reference.config() + reference.reasons()
