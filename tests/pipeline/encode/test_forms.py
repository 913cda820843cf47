"""The forms of a record's value: golden records of every model.

HEADRACE_GOLDEN=write rewrites the golden records; read the difference before you commit it.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pipeline.core.record import Record, decode_headers
from pipeline.encode import FORMS, Form
from tests.pipeline.encode.examples import examples

GOLDEN = Path(__file__).parent / "golden"


def written(name: str, record: Record) -> str:
    headers = "".join(f"{name}: {value.decode()}\n" for name, value in decode_headers(record.headers))
    return f"# {name}\n{headers}\n{record.value.decode()}\n"


@pytest.mark.parametrize("form", FORMS)
def test_the_golden_records_of_every_model(form: Form) -> None:
    made = "\n".join(written(each.name, each.record(FORMS[form])) for each in examples())
    golden = GOLDEN / f"{form}.txt"
    if os.environ.get("HEADRACE_GOLDEN") == "write":
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(made, encoding="utf-8")
    assert made == golden.read_text(encoding="utf-8")
