"""The published messages of shared/data/samples, and their topics."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson


def sample(shared_data: Path, name: str) -> tuple[str, bytes]:
    """Return the topic and the payload of `<format>/<file>`; a topic that only a person can read is none."""
    written: dict[str, Any] = orjson.loads((shared_data / "samples" / f"{name}.json").read_bytes())
    topic = written.get("_topic", "")
    return "" if " " in topic or "(" in topic else topic, _payload(written)


def _payload(written: dict[str, Any]) -> bytes:
    return orjson.dumps(written["payload"]) if "payload" in written else str(written["payload_raw"]).encode()
