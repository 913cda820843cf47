"""Follows one topic: what is there already, if asked for, and what comes."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass

from pipeline.publish.consumer import Reader, StoredRecord
from pipeline.publish.options import KafkaOptions


@dataclass(frozen=True, slots=True)
class Follow:
    """What to follow, and when it is enough.

    Attributes:
        topic: The topic.
        key: Only this key, or keys that end in it after a colon (the device's name).
        beginning: Also what the topic holds already.
        since: Also what the topic holds from this time on, in milliseconds since 1970 UTC.
        until_end: End after what the topic held at the start.
        reasons: Only dead letters of these reasons; empty for every record.
        count: End after so many records.
    """

    topic: str
    key: str | None = None
    beginning: bool = False
    since: int | None = None
    until_end: bool = False
    reasons: frozenset[str] = frozenset()
    count: int | None = None

    def takes(self, record: StoredRecord) -> bool:
        """Say whether a record is asked for."""
        if self.reasons and dict(record.headers).get("ce_reason", b"").decode(errors="replace") not in self.reasons:
            return False
        if self.key is None:
            return True
        key = (record.key or b"").decode(errors="replace")
        return key == self.key or key.endswith(f":{self.key}")


async def follow(options: KafkaOptions, wanted: Follow) -> AsyncGenerator[StoredRecord, None]:
    """Yield records, those of one partition in order, until there are enough or the caller stops.

    Raises:
        StartError: Kafka or the topic is not there, or may not be read.
    """
    reader = Reader(options, wanted.topic)
    left = wanted.count
    try:
        beginning = wanted.beginning or (wanted.until_end and wanted.since is None)
        await reader.open(beginning=beginning, since=wanted.since)
        while (left is None or left > 0) and not (wanted.until_end and await reader.at_end()):
            for record in await reader.fetch():
                late = wanted.until_end and record.offset >= reader.ends[record.partition]
                if wanted.takes(record) and not late and (left is None or left > 0):
                    left = None if left is None else left - 1
                    yield record
    finally:
        await reader.close()
