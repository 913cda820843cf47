"""Dead letters: what cannot be published is kept as it came, with the reason, in a topic of its own."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import Literal

from pipeline import cloudevents, times
from pipeline.errors import Reason
from pipeline.message import Message
from pipeline.record import Destination, Record, encode_headers

Keep = Literal["full", "hash", "none"]

TYPE = "org.headrace.DeadLetter"
_LONGEST_DETAIL = 1024
_LONGEST_TOPIC = 1024  # characters: MQTT allows 64 KiB, which no topic of Kafka would have to take


@dataclass(frozen=True, slots=True)
class DeadLetters:
    """Makes the records of one tenant's dead-letter topic.

    keep: what of the payload is kept: all of it, its SHA-256, or nothing.
    """

    tenant: str
    topic: str
    keep: Keep = "full"

    def record(self, message: Message, *, feed: str, connector: str, stage: str, reason: Reason, detail: str) -> Record:
        """Return the dead letter of a message; its key is the source topic, so that a device's stay in order.

        stage: the hop that found out. detail: a sentence for a person. Both texts from outside, it and the source
        topic, are cut at 1,024 characters, so that a dead letter without its payload fits anywhere.
        """
        topic = _printable(message.topic[:_LONGEST_TOPIC])[:_LONGEST_TOPIC]
        digest = sha256(message.topic.encode() + b"\0" + message.payload).hexdigest()
        pairs = [
            ("content-type", b"application/octet-stream"),
            ("ce_specversion", cloudevents.SPEC_VERSION.encode()),
            ("ce_id", f"dead-letter:{feed}:{message.arrival}:{digest[:16]}".encode()),
            ("ce_source", cloudevents.source(self.tenant).encode()),
            ("ce_type", TYPE.encode()),
            ("ce_time", times.text(message.arrival)),
            ("ce_dataclassification", b"restricted"),
            ("ce_idclass", b"arrival"),
            ("ce_feed", feed.encode()),
            ("ce_connector", connector.encode()),
            ("ce_sourcetopic", topic.encode()),
            ("ce_stage", stage.encode()),
            ("ce_reason", reason.value.encode()),
            ("ce_detail", _printable(detail[:_LONGEST_DETAIL]).encode()),
        ]
        if self.keep == "hash":
            pairs.append(("ce_payloadhash", sha256(message.payload).hexdigest().encode()))
        value = message.payload if self.keep == "full" else b""
        destination = Destination(self.topic, topic.encode(), feed, connector, lasting=False)
        return Record.make(destination, value, encode_headers(pairs), message.arrival, None)

    def refused(self, record: Record, reason: Reason, detail: str) -> Record | None:
        """Return the dead letter of a record that Kafka refused, or None if it is a dead letter itself."""
        if record.message is None:
            return None
        destination = record.destination
        return self.record(
            record.message,
            feed=destination.feed,
            connector=destination.connector,
            stage="publish",
            reason=reason,
            detail=detail,
        )


def _printable(text: str) -> str:
    """Escape what would break a log line or is no UTF-8."""
    if text.isprintable():
        return text
    return text.encode("unicode_escape", "backslashreplace").decode("ascii")
