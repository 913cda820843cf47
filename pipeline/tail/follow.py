"""Follows one topic: what is there already, if asked for, and what comes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

from pipeline.publish.options import KafkaOptions
from pipeline.publish.reader import Reader, StoredRecord


@dataclass(frozen=True, slots=True)
class Follow:
    """What to follow. key: the whole key, or its end after a colon (the device's name). count: then it is enough."""

    topic: str
    key: str | None = None
    beginning: bool = False
    count: int | None = None

    def takes(self, record: StoredRecord) -> bool:
        """Say whether a record is asked for."""
        if self.key is None:
            return True
        key = (record.key or b"").decode(errors="replace")
        return key == self.key or key.endswith(f":{self.key}")


async def follow(options: KafkaOptions, wanted: Follow) -> AsyncIterator[StoredRecord]:
    """Yield records, those of one partition in order, until there are enough or the caller stops.

    Raises:
        StartError: Kafka or the topic is not there, or may not be read.
    """
    reader = Reader(options, wanted.topic)
    left = wanted.count
    try:
        await reader.open(beginning=wanted.beginning)
        while left is None or left > 0:
            for record in await reader.fetch():
                if wanted.takes(record) and (left is None or left > 0):
                    left = None if left is None else left - 1
                    yield record
    finally:
        await reader.close()
