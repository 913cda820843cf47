"""Which entity a device's readings are: its id, and everything of its records that never changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.core.record import Destination, header, header_start
from pipeline.encode.headers import RULE, entity_id, suffix

if TYPE_CHECKING:
    from pipeline.normalise.plan import Plan

TIME_DIGITS = 13 + len("-2") + 8  # every millisecond from 2001 to 2286 has thirteen
_KEPT_LENGTHS = 128  # keys of one feed are of few lengths
_KEPT_DIGITS = 64  # a network's names have nearly always between 8 and 30 characters


class Entity(Destination):
    """One entity of one plan, made when its device is first seen and kept in a bounded cache.

    There is one for each device and model of a city, so what can be told from something else is not kept, and it is
    itself the destination of its records.

    head: the record's value behind the id, up to its first time; one for all devices of which the registry says
    nothing. place: the text of the location that is known of the device beforehand, which stands in the head unless
    the payload may have a better one. seen: when its device spoke.
    """

    __slots__ = ("head", "place", "registered", "seen")
    origin: Plan

    def __init__(self, plan: Plan, key: str, head: bytes, place: bytes = b"") -> None:
        self.key = entity_id(plan.model.name, plan.tenant, key).encode()
        self.origin = plan
        self.head = head
        self.place = place
        self.registered: tuple[float, ...] | None = None  # longitude and latitude, by the device registry
        self.seen = plan.seen(key)

    @property
    def id(self) -> str:
        """The entity id."""
        return self.key.decode()

    @property
    def plan(self) -> Plan:
        """The plan of all such entities; the hot path takes it by its other name, which costs no call."""
        return self.origin

    @property
    def device(self) -> str:
        """The device's name, percent-encoded."""
        return self.key[self.plan.key_start :].decode()

    def named(self, discriminator: bytes) -> bytes:
        """Return the headers that name the entity and a reading which the network tells apart: DevAddr, FCnt, FPort."""
        name = self.id_prefix().encode() + discriminator
        return header("ce_subject", self.key) + header("ce_id", name)

    def named_by_time(self, observed: int, digest: int, index: int = 0) -> bytes:
        """Return the headers that name the entity and a reading with a time of its own.

        index: how many readings of the same message came before with the same time and digest.
        """
        return self._named(f"{observed:013d}-{RULE + digest:x}", index)

    def named_by_arrival(self, arrival: int, digest: int) -> bytes:
        """Return the headers that name the entity and a reading without a time of its own.

        All messages of one read have the same arrival: the digest tells their ids apart, and an index equal ones.
        """
        discriminator = f"{arrival}-{RULE + digest:x}"
        return self._named(discriminator, self.plan.names.index(self.id_prefix() + discriminator))

    def _named(self, discriminator: str, index: int) -> bytes:
        name = f"{self.id_prefix()}{discriminator}{suffix(index)}"
        return header("ce_subject", self.key) + header("ce_id", name.encode())

    def id_prefix(self) -> str:
        """Return `ce_id` up to its discriminator: the type and the key."""
        return f"{self.plan.model.name}:{self.device}:"


class Starts(dict[int, tuple[bytes, bytes, int]]):
    """By the length of an entity's key: what its headers have before the key, and between key and device's name.

    So these headers need not be kept for each entity. The third is the size of the headers that name it, with the key,
    the device's name, a colon behind it and a discriminator of `digits` characters.
    """

    def __init__(self, model: str, key_start: int, digits: int) -> None:
        super().__init__()
        self._model = model
        self._key_start = key_start
        self._digits = digits

    def __missing__(self, length: int) -> tuple[bytes, bytes, int]:
        if len(self) >= _KEPT_LENGTHS:
            self.clear()
        name = f"{self._model}:".encode()
        device = length - self._key_start + 1
        subject = header_start("ce_subject", length)
        start = header_start("ce_id", len(name) + device + self._digits) + name
        made = self[length] = subject, start, len(subject) + length + len(start) + device + self._digits
        return made


class StartsByDigits(dict[int, Starts]):
    """`Starts` by how many characters the discriminator has, which a network gives."""

    def __init__(self, model: str, key_start: int) -> None:
        super().__init__()
        self._of = model, key_start

    def __missing__(self, digits: int) -> Starts:
        if len(self) >= _KEPT_DIGITS:
            self.clear()
        made = self[digits] = Starts(*self._of, digits)
        return made
