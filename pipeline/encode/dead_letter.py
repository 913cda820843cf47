"""Dead letters: what cannot be published is kept as it came, with the reason, in a topic of its own."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final, Literal, Protocol

from pipeline.core import times
from pipeline.core.delivery import INVALID_TOPIC, Batch, Broken, Cut, Delivery, Fate, Message, Stage
from pipeline.core.errors import PayloadError, Reason, as_refusal
from pipeline.core.record import KEPT, OMITTED, SIZE, Destination, Record, encode_headers, sizes
from pipeline.encode import headers as cloudevents
from pipeline.encode.headers import GivenNames, suffix

Keep = Literal["full", "hash", "none"]

TYPE = "org.headrace.DeadLetter"
HEADERS: Final = {
    "ce_feed": "The feed that received the message.",
    "ce_sourcetopic": "Its topic, at most 1,024 characters; what is not printable is escaped. The record's key, too.",
    "ce_connector": "The connector as `name@version`, once a route or the registry has chosen one.",
    "ce_stage": "The hop that refused it: `feed`, `route`, `unwrap`, `identify`, `decode`, `normalise` or `publish`.",
    "ce_reason": "One of the reasons above.",
    "ce_detail": "What was expected and what came, a sentence of at most 1,024 characters.",
    "ce_time": "When the message arrived.",
    "ce_payloadhash": "With `dead_letters: {payload: hash}`: the SHA-256 of the payload, unless it was cut.",
    SIZE: "Only where the value is not the whole payload: how many bytes came.",
    KEPT: "Beside it: how many of them the value holds, from the first on. `replay` refuses such a letter.",
    OMITTED: "Why Kafka took the letter only without its value, by the name of Kafka's error.",
}
"""Each header of a dead letter and its meaning, beside those that every record has."""
_LONGEST_DETAIL = 1024
_LONGEST_TOPIC = 1024  # characters: MQTT allows 64 KiB, which no topic of Kafka would have to take


@dataclass(frozen=True, slots=True)
class DeadLetters:
    """Makes the records of one tenant's dead-letter topic.

    Attributes:
        keep: What the letter holds of the payload: all of it, its SHA-256, or nothing.
        names: The names given recently, since only an index distinguishes equal messages of one read.
    """

    tenant: str
    topic: str
    keep: Keep = "full"
    names: GivenNames = field(default_factory=GivenNames, repr=False, compare=False)

    def record(self, message: Message, *, feed: str, connector: str, stage: str, reason: Reason, detail: str) -> Record:
        """Return the dead letter of a message; its key is the source topic, so that a device's stay in order.

        Both texts from outside, the detail and the source topic, are cut at 1,024 characters, so that a dead letter
        without its payload fits anywhere. Where the value is not the whole payload, two headers give both sizes.

        Args:
            message: The message that was refused.
            feed: Its feed.
            connector: The connector's `name@version`, if known.
            stage: The stage that refused it.
            reason: Why, for machines.
            detail: Why, a sentence for a person.
        """
        payload, source = message.payload, message.topic
        if isinstance(payload, Broken):
            source = source.removeprefix(INVALID_TOPIC)
        topic = _escaped(source[:_LONGEST_TOPIC])[:_LONGEST_TOPIC]
        digest = sha256(message.topic.encode() + b"\0" + payload).hexdigest()[:16]
        index = self.names.index(f"{feed}:{message.arrival}:{digest}")
        pairs = [
            ("content-type", b"application/octet-stream"),
            ("ce_specversion", cloudevents.SPEC_VERSION.encode()),
            ("ce_id", f"dead-letter:{feed}:{message.arrival}{suffix(index)}:{digest}".encode()),
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
            ("ce_detail", _escaped(detail[:_LONGEST_DETAIL]).encode()),
        ]
        size = payload.size if isinstance(payload, Cut) else len(payload)
        if self.keep == "hash" and size == len(payload):  # of a payload that was cut there is no hash
            pairs.append(("ce_payloadhash", sha256(payload).hexdigest().encode()))
        value = bytes(payload) if self.keep == "full" else b""
        if len(value) < size:
            pairs += sizes(size, len(value))
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


def _escaped(text: str) -> str:
    """Escape a text that is not printable as a whole, so that it can be undone: `printable` of the log cannot."""
    if text.isprintable():
        return text
    return text.encode("unicode_escape", "backslashreplace").decode("ascii")


class RefusalEvents(Protocol):
    """What the metrics are told."""

    def dead_lettered(self, feed: str, reason: Reason) -> None:
        """Count a message that became a dead letter."""


@dataclass(frozen=True, slots=True)
class Refusals:
    """The dead letters of one feed. refused: the message that was refused last."""

    feed: str
    letters: DeadLetters
    publisher: Stage[Record]
    events: RefusalEvents
    refused: list[Message] = field(default_factory=list, repr=False, compare=False)

    def refuse(self, delivery: Delivery, message: Message, error: Exception, stage: str, connector: str = "") -> None:
        """Publish the dead letter of a message, under its own delivery.

        What else is refused of a message shares the fate of its letter, since it is settled when the last of its
        frames is.
        """
        if self.first(message):
            self.publisher.put(Batch(delivery, [self.letter(message, error, stage, connector)]))
        else:
            delivery.seal(Fate.DEAD_LETTERED)

    def first(self, message: Message) -> bool:
        """Say whether nothing of a message was refused before.

        A message of several frames has one dead letter: each would hold all of it, and a datagram has 255 frames.
        """
        if self.refused and self.refused[0] is message:
            return False
        self.refused[:] = [message]
        return True

    def letter(self, message: Message, error: Exception, stage: str, connector: str = "") -> Record:
        """Count a message as dead, and return its dead letter.

        Args:
            message: The message that was refused.
            error: A PayloadError, or a bug of the worker.
            stage: The stage that refused it.
            connector: The connector's `name@version`, if known.
        """
        refusal = as_refusal(error)
        self.events.dead_lettered(self.feed, refusal.reason)
        return self.letters.record(
            message,
            feed=self.feed,
            connector=connector,
            stage=stage,
            reason=refusal.reason,
            detail=str(refusal),
        )


def invalid_topic(message: Message) -> PayloadError:
    """Say what is wrong with a message whose topic MQTT does not allow, or whose packet breaks its rules."""
    if isinstance(message.payload, Broken):
        return PayloadError(f"The PUBLISH breaks a rule of MQTT: {message.payload.why}.", Reason.PACKET_INVALID)
    said = "The topic is not valid UTF-8, or holds wildcards or control characters."
    return PayloadError(said, Reason.TOPIC_INVALID)
