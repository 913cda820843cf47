"""What the page knows of dead letters beyond their number: whose they are, and what a recent one of each reason was."""

from __future__ import annotations

from collections import Counter, deque
from typing import Any

from pipeline.core.errors import Reason
from pipeline.core.printable import printable
from pipeline.core.record import Record, decode_headers

_A_SECOND = 256  # dead letters that are looked at in one second
_LONGEST = 200
_SHOWN = {"feed": "ce_feed", "connector": "ce_connector", "topic": "ce_sourcetopic", "detail": "ce_detail"}
_FOREIGN = {each.value for each in (Reason.PAYLOAD_ERROR, Reason.CONNECTOR_FAILED, Reason.INTERNAL_ERROR)}
_SOURCES = 1000  # topics; more of them, and those that were quiet for longest are forgotten
_WRONG = 8

Told = dict[str, Any]


class Letters:
    """Counts all of them by connector and by source topic, and keeps a recent one of each reason.

    Payloads stay in Kafka, and so does what quotes them, unless the operator allows that it is shown
    (`admin.payload_samples`).
    """

    def __init__(self) -> None:
        self.by_connector: Counter[str] = Counter()
        self._fresh: deque[Record] = deque(maxlen=_A_SECOND)
        self._recent: dict[str, Told] = {}
        self._sources: dict[tuple[str, bytes], int] = {}
        self._wrong: dict[tuple[str, bytes], Told] = {}
        self._showed = False

    def note(self, letter: Record) -> None:
        """Take note of a dead letter."""
        self.by_connector[letter.destination.connector.rpartition("@")[0]] += 1
        source = letter.destination.feed, letter.destination.key
        self._sources[source] = self._sources.pop(source, 0) + 1
        if len(self._sources) > _SOURCES:
            del self._sources[next(iter(self._sources))]
        self._fresh.append(letter)

    def look(self, *, samples: bool) -> None:
        """Read what came since the last look. samples: whether payloads may be shown."""
        if self._showed and not samples:  # what was allowed once is not for ever
            self._recent.clear()
            self._wrong.clear()
        self._showed = samples
        fresh = list(self._fresh)
        self._fresh.clear()
        for letter in fresh:
            self._learn(letter, samples=samples)
        for source in list(self._wrong)[:-_WRONG]:
            del self._wrong[source]

    def _learn(self, letter: Record, *, samples: bool) -> None:
        headers = {name: value.decode()[:_LONGEST] for name, value in decode_headers(letter.headers)}
        shown: Told = {name: headers.get(header, "") for name, header in _SHOWN.items()}
        shown |= {"at": letter.timestamp, "reason": headers["ce_reason"]}
        if not samples:
            shown["detail"] = _unquoted(shown["detail"], shown["reason"])
        self._recent[shown["reason"]] = {**shown, "sample": _sample(letter.value) if samples else ""}
        source = letter.destination.feed, letter.destination.key
        self._wrong.pop(source, None)
        self._wrong[source] = shown

    def recent(self) -> dict[str, Told]:
        """Return a recent one of each reason."""
        return dict(self._recent)

    def wrong(self) -> list[Told]:
        """Return a few sources whose messages could not be used, of late first, and how many those were."""
        return [{**told, "count": self._sources.get(source, 1)} for source, told in reversed(self._wrong.items())]


def _unquoted(detail: str, reason: str) -> str:
    """Return what a sentence says without what the payload held; nothing of one that is not ours."""
    if reason in _FOREIGN:
        return ""
    said, got, _ = detail.partition(", got ")
    return f"{said}." if got else said


def _sample(payload: bytes) -> str:
    """Return the beginning of a payload: as text where it is some, else as hexadecimal digits."""
    beginning = payload[:_LONGEST]
    try:
        text = beginning.decode()
    except UnicodeDecodeError:
        return beginning[: _LONGEST // 2].hex()
    return printable(text)
