"""The captured traffic of a real ChirpStack v4 (shared/data/chirpstack): messages, and the truth about each frame."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

KINDS = ("up", "join", "status", "ack", "txack", "log")


def rows(shared_data: Path, name: str) -> list[dict[str, Any]]:
    written = (shared_data / "chirpstack" / f"{name}.jsonl").read_bytes()
    return [orjson.loads(line) for line in written.splitlines()]


def published(shared_data: Path, name: str) -> Iterator[tuple[str, bytes]]:
    """Yield topic and payload of each message of an MQTT file."""
    for row in rows(shared_data, name):
        yield row["topic"], b64decode(row["payload_b64"])


def posted(shared_data: Path, name: str) -> Iterator[tuple[str, bytes]]:
    """Yield the same events in the other encoding, as the HTTP integration sent them, with topics that end alike."""
    for row in rows(shared_data, name):
        yield f"posted/{row['event']}", b64decode(row["body_b64"])
