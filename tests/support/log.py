"""What was logged: in this process, or in the file of another one."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pipeline.core.logs import as_text


def told(caplog: pytest.LogCaptureFixture) -> str:
    """Return the lines as a person reads them, with their fields."""
    return "\n".join(map(as_text, caplog.records))


def events(text: str, message: str | None = None) -> list[dict[str, Any]]:
    """Read a log of JSON lines; message: only those that say so. What is no JSON stood there before the log began."""
    lines = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    return [line for line in lines if message in {None, line["message"]}]
