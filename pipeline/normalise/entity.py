"""What never changes of an entity's records: what all entities of a plan have in common, and what is one's own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

from pipeline.core import times
from pipeline.core.delivery import Message
from pipeline.core.field_path import Fields
from pipeline.core.record import Destination, Record, header, header_start, varint
from pipeline.devices.silence import LastSeen
from pipeline.encode import headers as cloudevents
from pipeline.encode.encoder import Encoder, Template
from pipeline.encode.headers import (
    OWN_HEADERS,
    RULE,
    TIME_START,
    GivenNames,
    StreamTerms,
    device_key,
    entity_id,
    recorded_header,
    suffix,
)
from pipeline.encode.ngsi_ld import NORMALISED
from pipeline.models.base import WORLD, Area, Model
from pipeline.normalise.binding import AttributeRule, Binding
from pipeline.sdk.uplink import Uplink

TIME_DIGITS = 13 + len("-2") + 8  # every millisecond from 2001 to 2286 has thirteen
_KEPT_LENGTHS = 128  # keys of one feed are of few lengths
_KEPT_DIGITS = 64  # a network's names have nearly always between 8 and 30 characters


@dataclass(frozen=True)
class PlanSpec:
    """What a plan is made of, and the constant texts of its records, which the plan and its compiled form share.

    Attributes:
        binding: The device connector.
        model: The data model of the records.
        slots: The rules of the attributes, in the order of the binding.
        tenant: Whose data it is.
        feed: The feed that brings the readings.
        topic: The topic of the records.
        terms: What may be done with the data.
        area: The box that places from payloads must lie in.
        encoder: The form of the records.
    """

    binding: Binding
    model: Model
    slots: tuple[AttributeRule, ...]
    tenant: str
    feed: str
    topic: str
    terms: StreamTerms
    area: Area = WORLD
    encoder: Encoder = NORMALISED

    @property
    def provenance(self) -> str:
        """The connector and its version."""
        return f"{self.binding.name}@{self.binding.version}"

    @cached_property
    def key_start(self) -> int:
        """Where the device's name begins in the key of an entity."""
        return len(entity_id(self.model.name, self.tenant, ""))

    @cached_property
    def head(self) -> bytes:
        """The text of each entity behind its id."""
        binding, encoder = self.binding, self.encoder
        targets = {name: entity_id(to, self.tenant, device_key(key)) for name, (to, key) in binding.related.items()}
        return encoder.head(self.model.name) + encoder.stated(binding.stated) + encoder.related(targets)

    @cached_property
    def tail(self) -> bytes:
        """The end of each entity."""
        return self.encoder.tail(self.model.context)

    @property
    def times(self) -> Template:
        """The times of each entity."""
        return self.encoder.times(self.model.time)

    @property
    def attributes(self) -> list[tuple[AttributeRule, Template]]:
        """The rules of the attributes, each with its text."""
        return [(slot, self.encoder.attribute(slot.name, slot.code)) for slot in self.slots]

    @cached_property
    def headers(self) -> dict[str, str]:
        """The headers that all records share."""
        model, encoder = self.model, self.encoder
        return cloudevents.entity_headers(
            content_type=encoder.content_type,
            tenant=self.tenant,
            ce_type=cloudevents.ce_type(model.subject, model.name),
            schema=model.schema_url if encoder.conforms else None,
            feed=self.feed,
            connector=self.provenance,
            terms=self.terms,
        )

    @cached_property
    def _shared(self) -> bytes:
        return cloudevents.shared(self.headers)

    def headers_start(self, optional: int = 0) -> bytes:
        """Return the count of a record's headers and those that all share; its own name the entity and its times."""
        return varint(len(self.headers) + OWN_HEADERS + optional) + self._shared

    @cached_property
    def headers_size(self) -> int:
        """How many bytes the headers of a record have that do not name its entity, where none is optional."""
        return len(self.headers_start()) + len(TIME_START) + len(times.text(0)) + len(recorded_header(0))


Fast = Callable[[Fields, "Entity", Message, bytes, int], Record | None]
"""Fields, entity, message, the encoded header `ce_recordedtime` and the digest of what came, to the record."""
FastUplink = Callable[[Fields, "Entity", Message, bytes, Uplink], Record | None]
"""As `Fast`, of a reading whose network tells when it was heard (`received_at`) and what tells it apart: no digest."""


class EntityPlan(Protocol):
    """What makes the records of an entity, and is the origin of its `Destination`."""

    spec: PlanSpec
    names: GivenNames
    topic: str
    feed: str
    connector: str
    lasting: bool
    fast: Fast
    seen: Callable[[str], LastSeen]

    @property
    def provenance(self) -> str:
        """The connector and its version."""

    @property
    def fast_uplink(self) -> FastUplink:
        """The fast path of uplinks."""

    def carefully(self, fields: Fields, entity: Entity, message: Message, recorded: bytes, digest: int) -> Record:
        """Return the record of a reading that the fast path has declined."""


class Entity(Destination):
    """One entity of one plan, made when its device is first seen and kept in a bounded cache.

    There is one for each device and model of a city, so what can be told from something else is not kept, and it is
    itself the destination of its records.

    head: the record's value behind the id, up to its first time; one for all devices of which the registry says
    nothing. place: the text of the location that is known of the device beforehand, which stands in the head unless
    the payload may have a better one. seen: when its device spoke.
    """

    __slots__ = ("head", "place", "registered", "seen")
    origin: EntityPlan

    def __init__(self, plan: EntityPlan, key: str, head: bytes, place: bytes = b"") -> None:
        self.key = entity_id(plan.spec.model.name, plan.spec.tenant, key).encode()
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
    def plan(self) -> EntityPlan:
        """The plan of all such entities; the hot path takes it by its other name, which costs no call."""
        return self.origin

    @property
    def device(self) -> str:
        """The device's name, percent-encoded."""
        return self.key[self.plan.spec.key_start :].decode()

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
        return f"{self.plan.spec.model.name}:{self.device}:"


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
