"""What a feed's stages do with a message that cannot be used: one dead letter, counted, to the publisher."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from pipeline.core.delivery import Batch, Delivery, Fate, Stage
from pipeline.core.errors import PayloadError, Reason, as_refusal
from pipeline.core.message import Broken, Message
from pipeline.core.record import Record
from pipeline.encode.dead_letter import DeadLetters


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

        A message of several frames has one: a datagram's would multiply it by a thousand. What else is refused of it
        shares its fate, since the message is settled when the last of its frames is.
        """
        if self.refused and self.refused[0] is message:
            delivery.seal(Fate.DEAD_LETTERED)
            return
        self.refused[:] = [message]
        self.publisher.put(Batch(delivery, [self.letter(message, error, stage, connector)]))

    def letter(self, message: Message, error: Exception, stage: str, connector: str = "") -> Record:
        """Count a message as dead, and return its dead letter.

        error: a PayloadError, or a bug of ours. stage: the hop that found out. connector: its name@version, if known.
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
