"""Judges a run under faults: what the source was told is safe, against what Kafka holds.

A message is `(device, ts)` and is sent once. The words are Jepsen's: lost (acknowledged, never seen), recovered (not
acknowledged, but seen), unexpected (seen, never sent), duplicated. A verdict is a JSON file in `verdicts/`, or in the
folder that HEADRACE_VERDICTS names.
"""

import json
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from tests.support.kafka_client import Consumed

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = 5

_DIGEST = re.compile(r"2[0-9a-f]{8}")

Key = tuple[str, int]


@dataclass
class Counts:
    """What became of the messages; `examples` names the first few of each defect."""

    sent: int = 0
    records: int = 0
    distinct: int = 0
    lost: int = 0
    duplicated: int = 0
    reordered: int = 0  # first occurrences that come after one of the same device that was sent later
    scattered: int = 0  # records of a device outside the partition of its first one, where no order is promised
    recovered: int = 0
    unexpected: int = 0
    examples: dict[str, list[str]] = field(default_factory=dict)

    def note(self, defect: str, what: object) -> None:
        setattr(self, defect, getattr(self, defect) + 1)
        if len(named := self.examples.setdefault(defect, [])) < EXAMPLES:
            named.append(str(what))


def count(
    sent: Iterable[Key],
    records: Iterable[Consumed],
    unacknowledged: Iterable[Key] = (),
    *,
    reading: Callable[[Consumed], Key] | None = None,
) -> Counts:
    """Compare. sent: acknowledged, in the order of sending. unacknowledged: may be there or not, sent after those.

    reading: which message became a record; ValueError where it contradicts itself.
    """
    reading = reading or reading_of
    owed = list(sent)
    places = {key: place for place, key in enumerate([*owed, *unacknowledged])}
    counts = Counts(sent=len(owed))
    seen: set[Key] = set()
    latest: dict[str, int] = {}
    homes: dict[str, tuple[str, int]] = {}
    for record in sorted(records, key=lambda each: (each.topic, each.partition, each.offset)):
        counts.records += 1
        where = f"{record.topic}-{record.partition}@{record.offset}"
        try:
            key = reading(record)
        except ValueError as problem:
            counts.note("unexpected", f"{where}: {problem}")
            continue
        if key not in places:
            counts.note("unexpected", f"{where}: {key}")
            continue
        if homes.setdefault(key[0], (record.topic, record.partition)) != (record.topic, record.partition):
            counts.note("scattered", f"{where}: {key}")
        if key in seen:
            counts.note("duplicated", f"{where}: {key}")
            continue
        seen.add(key)
        if places[key] < latest.get(key[0], -1):
            counts.note("reordered", f"{where}: {key}")
        latest[key[0]] = max(places[key], latest.get(key[0], -1))
    _missing(counts, owed, seen)
    return counts


def _missing(counts: Counts, owed: Sequence[Key], seen: set[Key]) -> None:
    if len(set(owed)) != len(owed):
        raise ValueError("a message is named twice among those sent: the run cannot be judged")
    for key in owed:
        if key not in seen:
            counts.note("lost", key)
    counts.distinct = len(seen)
    counts.recovered = len(seen.difference(owed))


def reading_of(record: Consumed) -> Key:
    """Say which message became this record; ValueError where its key, entity and headers disagree."""
    try:
        entity = json.loads(record.value or b"")
        kind, entity_id = entity["type"], entity["id"]
        observed = datetime.fromisoformat(entity["dateObserved"]["value"]["@value"])
    except (ValueError, KeyError, TypeError) as problem:
        raise ValueError(f"no entity with a time of observation: {problem!r}") from problem
    device, ts = entity_id.rpartition(":")[2], round(observed.timestamp() * 1000)
    event = dict(record.headers).get("ce_id", b"").decode()
    name, _, digest = event.rpartition("-")
    if record.key != entity_id.encode() or name != f"{kind}:{device}:{ts}" or not _DIGEST.fullmatch(digest):
        raise ValueError(f"key {record.key!r}, ce_id {event!r}, but entity {entity_id} at {ts}")
    return device, ts


@dataclass(frozen=True)
class Life:
    """What one process said last of its messages, over all its feeds."""

    received: int
    fates: Mapping[str, int]
    in_flight: int
    acknowledged: int
    stale: int
    conserved: bool

    @classmethod
    def of(cls, exposition: str) -> "Life":
        """Read one scrape of /metrics; the law is recomputed, and what the worker itself says of it must be true."""
        sums: dict[str, int] = {}
        fates: dict[str, int] = {}
        exported = True
        for family in text_string_to_metric_families(exposition):
            for sample in family.samples:
                sums[sample.name] = sums.get(sample.name, 0) + int(sample.value)
                if sample.name == "headrace_messages_total":
                    fate = sample.labels["fate"]
                    fates[fate] = fates.get(fate, 0) + int(sample.value)
                if sample.name == "headrace_conserved":
                    exported = exported and sample.value == 1
        received, in_flight = sums["headrace_received_messages_total"], sums["headrace_in_flight_messages"]
        return cls(
            received=received,
            fates={fate: number for fate, number in fates.items() if number},
            in_flight=in_flight,
            acknowledged=sums["headrace_acknowledged_messages_total"],
            stale=sums["headrace_stale_messages_total"],
            conserved=exported and received == sum(fates.values()) + in_flight,
        )


@dataclass(frozen=True)
class Verdict:
    """One run, judged."""

    name: str
    counts: Counts
    faults: Sequence[str]
    lives: Sequence[Life]
    dead_lettered: int
    duplicates_allowed: int
    notes: Mapping[str, Any] = field(default_factory=dict)
    lost_allowed: int = 0  # of a source that cannot send again

    @property
    def conservation(self) -> bool:
        """Say whether every life that was seen accounted for every message, and at least one was seen."""
        return bool(self.lives) and all(life.conserved for life in self.lives)

    def defects(self) -> list[str]:
        """Say in words what is not as promised."""
        counts = self.counts
        wrong = {name: getattr(counts, name) for name in ("lost", "reordered", "scattered", "unexpected")}
        wrong["lost"] = counts.lost if counts.lost > self.lost_allowed else 0
        wrong["dead_lettered"] = self.dead_lettered
        found = [f"{number} {name}: {counts.examples.get(name, '')}" for name, number in wrong.items() if number]
        if counts.duplicated > self.duplicates_allowed:
            found.append(f"{counts.duplicated} duplicated, {self.duplicates_allowed} allowed")
        if not self.conservation:
            found.append(f"not conserved: {[life for life in self.lives if not life.conserved]}")
        return found

    def as_json(self) -> dict[str, Any]:
        counts = asdict(self.counts)
        return {
            "name": self.name,
            "good": not self.defects(),
            **{name: value for name, value in counts.items() if name != "examples"},
            "dead_lettered": self.dead_lettered,
            "duplicates_allowed": self.duplicates_allowed,
            "lost_allowed": self.lost_allowed,
            "conservation": self.conservation,
            "faults": list(self.faults),
            "lives": [asdict(life) for life in self.lives],
            "notes": dict(self.notes),
            "examples": counts["examples"],
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
        }

    def write(self) -> Path:
        folder = Path(os.environ.get("HEADRACE_VERDICTS") or ROOT / "verdicts")
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / f"{re.sub(r'[^a-z0-9]+', '-', self.name.lower()).strip('-')}.json"
        file.write_text(json.dumps(self.as_json(), indent=2) + "\n", encoding="utf-8")
        return file

    def assert_good(self) -> None:
        assert not self.defects(), f"{self.name}: {'; '.join(self.defects())}"
