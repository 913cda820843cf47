"""What the page knows of dead letters beyond their number: whose they are, and what a recent one of each reason was."""

from __future__ import annotations

from collections import Counter, deque
from typing import Any

from pipeline.record import Record, decode_headers

_A_SECOND = 256  # dead letters that are looked at in one second
_LONGEST = 200
_SHOWN = {"feed": "ce_feed", "connector": "ce_connector", "topic": "ce_sourcetopic", "detail": "ce_detail"}


class Letters:
    """Counts all of them by connector, and keeps a recent one of each reason; its payload stays in Kafka."""

    def __init__(self) -> None:
        self.by_connector: Counter[str] = Counter()
        self._fresh: deque[Record] = deque(maxlen=_A_SECOND)
        self._recent: dict[str, dict[str, Any]] = {}

    def note(self, letter: Record) -> None:
        """Take note of a dead letter."""
        self.by_connector[letter.destination.connector.rpartition("@")[0]] += 1
        self._fresh.append(letter)

    def look(self) -> None:
        """Read what came since the last look."""
        fresh = list(self._fresh)
        self._fresh.clear()
        for letter in fresh:
            headers = {name: value.decode()[:_LONGEST] for name, value in decode_headers(letter.headers)}
            shown = {name: headers.get(header, "") for name, header in _SHOWN.items()}
            self._recent[headers["ce_reason"]] = {**shown, "at": letter.timestamp}

    def recent(self) -> dict[str, dict[str, Any]]:
        """Return a recent one of each reason."""
        return dict(self._recent)
