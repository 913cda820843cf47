"""The reference page in deploy/ is made from the definitions."""

import subprocess
import sys
from pathlib import Path

from pipeline.models import MODELS
from pipeline.models.base import Bounds, ModelAttribute, between
from pipeline.reference.models import attribute_row, reference

ROOT = Path(__file__).resolve().parents[3]
PAGE = ROOT / "deploy" / "reference" / "models.md"


def test_the_page_is_the_one_that_the_definitions_make() -> None:
    assert reference(MODELS.values()) == PAGE.read_text(encoding="utf-8"), (
        "run: python -m pipeline.reference.models > " + str(PAGE.relative_to(ROOT))
    )


def test_the_command_prints_the_page() -> None:
    command = [sys.executable, "-m", "pipeline.reference.models"]
    printed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True)

    assert printed.stdout.decode("utf-8") == PAGE.read_text(encoding="utf-8")


def test_a_row_names_each_unit_with_its_own_bounds() -> None:
    plausible = {"GQ": between(0, 4000), "61": between(None, 2000)}
    attribute = ModelAttribute(
        name="no2", kind="number", description="Gas.", units=("GQ", "61"), allowed=between(0), plausible=plausible
    )

    assert attribute_row(attribute) == (
        "| `no2` | number | µg/m3 (`GQ`) or ppb (`61`) | 0 or more | 0 to 4000 or up to 2000 | Gas. |"
    )


def test_a_row_without_unit_or_bounds_says_any() -> None:
    attribute = ModelAttribute(name="x", kind="number", description="Some.", allowed=Bounds())

    assert attribute_row(attribute) == "| `x` | number |  | any |  | Some. |"
