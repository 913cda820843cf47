"""What a consumer finds in the demo's topics: counts, reasons of dead letters, the newest entity."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass
from time import monotonic
from typing import Final

from pipeline.build import options as wiring
from pipeline.config.root import Config
from pipeline.demo.waiting import until_true
from pipeline.publish.consumer import Reader, StoredRecord
from pipeline.publish.options import KafkaOptions

_A_MOMENT: Final = 0.7


@dataclass(frozen=True, slots=True)
class Topics:
    """The demo's topics. entities: of what was measured. about: of the devices, beside the record of a message."""

    entities: tuple[str, ...]
    events: str
    about: tuple[str, ...]
    dead_letters: str

    @classmethod
    def of(cls, config: Config) -> Topics:
        """Return those that the worker writes to."""
        made = wiring.topics(config)
        about = tuple(made.pop(model) for model in ("Device", "DeviceModel"))
        return cls(tuple(made.values()), config.device_events_topic, about, config.dead_letter_topic)

    @property
    def all(self) -> tuple[str, ...]:
        """Every one of them."""
        return (*self.entities, self.events, *self.about, self.dead_letters)


class Consumer:
    """Reads every record of the demo's topics and counts it; nothing is taken from the worker's own figures.

    By reading, since Tansu's end offsets count the records of the last batch as one.
    """

    def __init__(self, bootstrap: str, topics: Topics) -> None:
        self.records: Counter[str] = Counter(dict.fromkeys((*topics.entities, topics.events), 0))
        self.about: Counter[str] = Counter(dict.fromkeys(topics.about, 0))
        self.events: Counter[str] = Counter()
        self.dead_letters: Counter[str] = Counter()
        self.flagged = 0
        self.heard: dict[bytes, float] = {}
        self.newest: StoredRecord | None = None
        self._topics = topics
        options = KafkaOptions([bootstrap], client_id="headrace-demo-consumer")
        self._readers = [Reader(options, topic) for topic in topics.all]

    @property
    def read(self) -> int:
        """Records that stand for a message: of its entity, or of an event."""
        return self.records.total()

    @property
    def dead(self) -> int:
        """Dead letters."""
        return self.dead_letters.total()

    async def follow(self) -> None:
        """Read from the beginning until cancelled.

        Raises:
            StartError: a topic cannot be read.
        """
        try:
            await asyncio.gather(*map(self._follow, self._readers))
        finally:
            await asyncio.gather(*(reader.close() for reader in self._readers), return_exceptions=True)

    async def caught_up(self, expected: int, patience: float) -> None:
        """Wait until so many records came, and a moment longer, since more would be as wrong as fewer."""
        await until_true(lambda: self.read + self.dead >= expected, patience)
        await asyncio.sleep(_A_MOMENT)

    def quiet(self, seconds: float) -> int:
        """Count the entities that were heard of, but not for so long."""
        before = monotonic() - seconds
        return sum(last < before for last in self.heard.values())

    async def _follow(self, reader: Reader) -> None:
        await reader.open(beginning=True)
        while True:
            for record in await reader.fetch():
                self._count(record)

    def _count(self, record: StoredRecord) -> None:
        headers, topics = dict(record.headers), self._topics
        if record.topic == topics.dead_letters:
            self.dead_letters[headers.get("ce_reason", b"?").decode()] += 1
        elif record.topic in topics.about:
            self.about[record.topic] += 1
        elif record.topic == topics.events:
            self.records[record.topic] += 1
            self.events[headers.get("ce_type", b"?").decode().rpartition(".")[2]] += 1
        else:
            self._entity(record, headers)

    def _entity(self, record: StoredRecord, headers: dict[str, bytes]) -> None:
        self.records[record.topic] += 1
        self.newest = record
        self.flagged += "ce_quality" in headers
        if record.key is not None:
            self.heard[record.key] = monotonic()
