"""The dialects of a package are found; what is broken in it is named, and hides none of the others."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from pipeline.plugins.discovery import dialects
from pipeline.plugins.registry import BrokenConnector
from pipeline.sdk.dialect import Dialect

GOOD = """
from pipeline.sdk.dialect import Dialect
dialect = Dialect("good", lambda topic: lambda payload, received_at: (), lambda topic, payload, document: False)
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    folder = tmp_path / "some_servers"
    folder.mkdir()
    sources = {
        "__init__": "",
        "broken": "import nothing_of_that_name",
        "good": GOOD,
        "helpers": "WORDS = 1",
        "leaves": "raise SystemExit(3)",
        "wrong": "dialect = 'text'",
    }
    for name, source in sources.items():
        (folder / f"{name}.py").write_text(source, encoding="utf-8")
    (folder / "proto").mkdir()
    (folder / "proto" / "__init__.py").write_text("raise RuntimeError", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "modules", dict(sys.modules))
    return "some_servers"


def test_a_broken_module_does_not_hide_the_others(package: str) -> None:
    found = list(dialects(package))
    assert [each.name for each in found if isinstance(each, Dialect)] == ["good"]
    broken = {Path(each.file).name: each.error for each in found if isinstance(each, BrokenConnector)}
    assert sorted(broken) == ["broken.py", "leaves.py", "wrong.py"]
    assert "nothing_of_that_name" in broken["broken.py"]
    assert "expected a Dialect" in broken["wrong.py"]


def test_the_tree_has_dialects_of_different_names_and_nothing_broken() -> None:
    found = list(dialects())
    assert [each for each in found if isinstance(each, BrokenConnector)] == []
    names = [each.name for each in found if isinstance(each, Dialect)]
    assert len(names) == len(set(names))
