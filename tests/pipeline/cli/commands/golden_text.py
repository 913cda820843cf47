"""Golden transcripts of commands: HEADRACE_GOLDEN=write rewrites them; read the difference before you commit it."""

import os
from pathlib import Path

ROOT = Path(__file__).parents[4]
EXAMPLE = ROOT / "deploy" / "examples" / "bench.yaml"
GOLDEN = Path(__file__).parent / "golden"


def hold(name: str, text: str) -> None:
    golden = GOLDEN / name
    if os.environ.get("HEADRACE_GOLDEN") == "write":
        golden.write_text(text, encoding="utf-8")
    assert text == golden.read_text(encoding="utf-8")
