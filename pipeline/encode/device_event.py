"""The form of a record of `<tenant>.device-events.v1`: a CloudEvent of what happened to a device or a gateway."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.core import times
from pipeline.core.delivery import Message
from pipeline.core.record import DEVICE, Destination, Record, encode_headers
from pipeline.encode import headers as cloudevents
from pipeline.encode.headers import entity_id

TYPE = "org.headrace.DeviceEvent"
_CONTENT_TYPE = "application/json"


@dataclass(frozen=True, slots=True)
class About:
    """The subject of an event.

    Attributes:
        feed: The feed that brought it; empty for an event of the worker itself.
        key: The device's, as in entity ids.
        observed: When it happened, in milliseconds since 1970 UTC.
        verified: False where the sender is not proven.
    """

    tenant: str
    topic: str
    feed: str
    kind: str
    key: str
    observed: int
    verified: bool = True

    @property
    def subject(self) -> str:
        """The id of the Device entity."""
        return entity_id(DEVICE, self.tenant, self.key)


def event_record(about: About, value: bytes, discriminator: str, message: Message, *, arrived: bool = False) -> Record:
    """Return the record of one event; its key is the id of the Device entity.

    Args:
        about: The event's subject.
        value: JSON.
        discriminator: Distinguishes the event from others of its kind and device.
        message: The message that brought it; it becomes a dead letter if Kafka refuses the record.
        arrived: Whether the discriminator is made of the time of arrival.
    """
    subject = about.subject
    pairs = [
        ("content-type", _CONTENT_TYPE.encode()),
        ("ce_specversion", cloudevents.SPEC_VERSION.encode()),
        ("ce_id", f"DeviceEvent:{about.key}:{about.kind}:{discriminator}".encode()),
        ("ce_source", cloudevents.source(about.tenant).encode()),
        ("ce_type", f"{TYPE}.{about.kind}".encode()),
        ("ce_time", times.text(about.observed)),
        ("ce_subject", subject.encode()),
        ("ce_recordedtime", times.text(message.arrival)),
        ("ce_dataclassification", b"internal"),
        ("ce_feed", about.feed.encode()),
    ]
    if not about.verified:
        pairs.append((cloudevents.VERIFIED, b"false"))
    if arrived:
        pairs.append((cloudevents.ID_CLASS, b"arrival"))
    if message.traceparent is not None:
        pairs.append((cloudevents.TRACEPARENT, message.traceparent.encode()))
    destination = Destination(about.topic, subject.encode(), about.feed, lasting=False)
    return Record.make(destination, value, encode_headers(pairs), message.arrival, message)
