"""What a feed's stages do with a message that cannot be used: one dead letter, counted, to the publisher."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.dead_letter import DeadLetters
from pipeline.decode import DecodeEvents
from pipeline.delivery import Batch, Delivery, Stage
from pipeline.errors import as_refusal
from pipeline.message import Message
from pipeline.record import Record


@dataclass(frozen=True, slots=True)
class Refusals:
    """The dead letters of one feed."""

    feed: str
    letters: DeadLetters
    publisher: Stage[Record]
    events: DecodeEvents

    def refuse(self, delivery: Delivery, message: Message, error: Exception, stage: str, connector: str = "") -> None:
        """Publish the dead letter of a message, under its own delivery."""
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
