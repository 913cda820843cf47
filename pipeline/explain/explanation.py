"""What `explain` says of one message: plain values, in the order of the hops, ready to be JSON."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Field:
    """One value of the payload. used_by: what takes it, or None."""

    path: str
    value: Any
    used_by: str | None


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute of the plan. change: the value on its way. verdict: `fits`, or what is wrong with it."""

    name: str
    field: str
    change: str
    verdict: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Partition:
    """Where the key leads. number is None where nobody has said how many partitions there are."""

    number: int | None
    count: int | None


@dataclass(frozen=True, slots=True)
class Published:
    """A record. value: the entity, decoded."""

    topic: str
    key: str
    partition: Partition
    timestamp: str
    size: int
    headers: dict[str, str]
    value: Any


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """What the message becomes instead. fix: what the reason means, and how to mend it."""

    topic: str
    key: str
    stage: str
    reason: str
    detail: str
    fix: str
    headers: dict[str, str]


@dataclass(slots=True)
class Explanation:
    """One message, hop by hop; what a hop has not been asked is None.

    subscription: the feed's filter that brings it, None where none does. route: its pattern. position: which of how
    many routes. outcome: published, dead-lettered or filtered.
    """

    topic: str
    size: int
    arrival: str
    feed: str
    subscription: str | None
    route: str | None = None
    position: str = ""
    connector: str | None = None
    model: str | None = None
    decoder: str = ""
    fields: list[Field] = field(default_factory=list)
    device: str = ""
    time: str = ""
    location: str = ""
    attributes: list[Attribute] = field(default_factory=list)
    records: list[Published] = field(default_factory=list)
    dead_letter: DeadLetter | None = None
    outcome: str = "filtered"
    notes: list[str] = field(default_factory=list)
