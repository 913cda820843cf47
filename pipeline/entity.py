"""Which entity a device's readings are: its id, and everything of its records that never changes."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote
from zlib import crc32

from pipeline.errors import PayloadError, Reason
from pipeline.json_words import told, unprintable
from pipeline.message import Message
from pipeline.record import Destination, header, header_start

if TYPE_CHECKING:
    from pipeline.plan import Plan

_MS_DIGITS = 13  # every millisecond from 2001 to 2286 has as many
_LONGEST_NAME = 200


class Entity:
    """One entity of one plan, made when its device is first seen and kept in a bounded cache.

    key: the device's name, percent-encoded. head: the record's value up to its first time. place: the text of the
    location that is known of the device beforehand, which stands in the head unless the payload may have a better one.
    seen: when its device spoke. subject: the headers that name the entity, and `ce_id` up to its discriminator of
    thirteen digits. headers_size: bytes of all headers of a reading in which all is as expected, the same each time.
    start, digits, start_size: the same three where the network tells readings apart, for its latest reading.
    """

    __slots__ = (
        *("destination", "digits", "head", "headers_size", "id", "key", "place", "plan", "registered", "seen", "start"),
        *("start_size", "subject"),
    )

    def __init__(self, plan: Plan, key: str, head: str, place: bytes = b"") -> None:
        self.plan = plan
        self.key = key
        self.id = entity_id(plan.model.name, plan.tenant, key)
        self.destination = Destination(plan.topic, self.id.encode(), plan.feed, plan.provenance)
        self.head = f'{{"id":"{self.id}"{head}'.encode()
        self.place = place
        self.registered: tuple[float, ...] | None = None  # longitude and latitude, by the device registry
        self.seen = plan.seen(key)
        self.subject = self._subject(_MS_DIGITS)
        self.headers_size = len(self.subject) + _MS_DIGITS + plan.headers_size
        self.digits, self.start, self.start_size = _MS_DIGITS, self.subject, self.headers_size

    def _subject(self, digits: int) -> bytes:
        prefix = self.id_prefix().encode()
        start = header_start("ce_id", len(prefix) + digits)
        return header("ce_subject", self.id.encode()) + start + prefix

    def named(self, discriminator: bytes) -> bytes:
        """Return the headers that name the entity and a reading which the network tells apart: DevAddr, FCnt, FPort."""
        if len(discriminator) != self.digits:
            self.expect(len(discriminator))
        return self.start + discriminator

    def expect(self, digits: int) -> None:
        """Make ready for discriminators of so many digits: a counter has as many for long."""
        self.digits, self.start = digits, self._subject(digits)
        self.start_size = len(self.start) + digits + self.plan.headers_size

    def named_by_time(self, observed: int, index: int = 0) -> bytes:
        """Return the headers that name the entity and a reading with a time of its own.

        index: how many readings of the same message came before with the same time.
        """
        return self._named(f"{observed:013d}", index) if index else self.subject + b"%013d" % observed

    def named_by_arrival(self, message: Message, index: int = 0) -> bytes:
        """Return the headers that name the entity and a reading without a time of its own.

        All messages of one read have the same arrival, so a checksum of the payload tells their ids apart.
        """
        return self._named(f"{message.arrival}-{crc32(message.payload):08x}", index)

    def _named(self, discriminator: str, index: int) -> bytes:
        name = f"{self.id_prefix()}{discriminator}" + (f":{index}" if index else "")
        return header("ce_subject", self.id.encode()) + header("ce_id", name.encode())

    def id_prefix(self) -> str:
        """Return `ce_id` up to its discriminator: the type and the key."""
        return f"{self.plan.model.name}:{self.key}:"


def entity_id(model: str, tenant: str, key: str) -> str:
    """Return the entity id, a URN (RFC 8141) that is the same for the same device at any time and on any path."""
    return f"urn:ngsi-ld:{model}:{tenant}:{key}"


def device_key(name: object) -> str:
    """Return a device's name as it stands in an entity id: percent-encoded, so that two names never meet in one.

    Raises:
        PayloadError: the name is absent or empty (`device_missing`), or no usable name (`device_invalid`).
    """
    if name is None or name == "":
        raise PayloadError(
            "Expected the device's name where `device` of the connector says; it is absent or empty.",
            Reason.DEVICE_MISSING,
        )
    if isinstance(name, bool) or not isinstance(name, str | int):
        said = f"Expected the device's name as a text or a whole number, got {told(name)}."
        raise PayloadError(said, Reason.DEVICE_INVALID)
    text = str(name)
    if len(text) > _LONGEST_NAME:
        said = f"Expected a device's name of at most {_LONGEST_NAME} characters, got {len(text)}."
        raise PayloadError(said, Reason.DEVICE_INVALID)
    if not text.isprintable():
        said = f"Expected a device's name that can be printed; it holds {unprintable(text)}."
        raise PayloadError(said, Reason.DEVICE_INVALID)
    return quote(text, safe="")
