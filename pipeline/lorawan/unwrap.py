"""The unwrap stage: a feed's dialect says what each message holds, and uplinks, frames and events go their ways."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.core.delivery import INVALID_TOPIC, Batch, Delivery, Fate, Message, Stage, split_records
from pipeline.core.errors import PayloadError, Reason
from pipeline.core.recent import Recent, Room
from pipeline.core.strict_json import document
from pipeline.encode.dead_letter import Refusals, invalid_topic
from pipeline.normalise.decode import too_large
from pipeline.normalise.route import LONGEST_KEPT, TOPICS
from pipeline.sdk.connector import MOST_READINGS, too_many
from pipeline.sdk.dialect import Dialect, Event, Frame, Reader, Said
from pipeline.sdk.uplink import Uplink

Heard = tuple[Uplink, Message]
"""An uplink, beside the message that brought it."""
Caught = tuple[Frame, Message]
"""A raw frame, beside the message that brought it."""
Told = tuple[Event, Message]
"""An event, beside the message that told it."""


@dataclass(frozen=True, slots=True)
class Outputs:
    """Where what is unwrapped goes.

    Attributes:
        frames: None where no dialect of the feed brings any.
    """

    uplinks: Stage[Heard]
    events: Stage[Told]
    frames: Stage[Caught] | None = None


Sorted = dict[type[Said], list[tuple[Any, Message]]]
"""What one delivery's messages held, by kind; the order within a kind is the order of receipt."""


def _nothing() -> Sorted:
    return {Uplink: [], Frame: [], Event: []}


class Unwrap(Stage[Message]):
    """Unwraps one feed's messages.

    Args:
        dialects: The feed's one, or those among which each topic's is recognised.
    """

    def __init__(
        self,
        dialects: Sequence[Dialect],
        ways: Outputs,
        refusals: Refusals,
        *,
        max_payload: int,
        room: Room | None = None,
    ) -> None:
        self._dialects = list(dialects)
        self._ways = ways
        self._refusals = refusals
        self._max_payload = max_payload
        self._readers: Recent[str, Reader] = Recent(room or Room("topics", TOPICS))

    def put(self, batch: Batch[Message]) -> None:
        """Unwrap each message; what cannot be read is a dead letter."""
        found = _nothing()
        readers, delivery, limit = self._readers.young, batch.delivery, self._max_payload
        for message in batch.items:
            topic, payload, arrival, retained, _ = message
            if len(payload) > limit:
                self._refuse(message, too_large(payload, limit), delivery, found)
                continue
            try:
                reader = readers.get(topic) or self._readers.get(topic)
                said = self._recognised(message) if reader is None else reader(payload, arrival)
            except Exception as error:  # noqa: BLE001 - nothing in a message may stop the ones beside it
                again = self._again(message, error)
                if isinstance(again, Exception):
                    self._refuse(message, again, delivery, found)
                    continue
                said = again
            if len(said) == 1 and not retained:  # nearly each
                [only] = said
                if only.__class__ is Event:
                    self._event(only, message, delivery, found)
                else:
                    found[only.__class__].append((only, message))
            elif not said or (retained and not all(_dated(each) for each in said)):
                delivery.seal(Fate.FILTERED)  # nothing, or an old value sent anew, and nothing tells how old
            elif len(said) > MOST_READINGS:
                refusal = too_many(MOST_READINGS, "uplinks, frames and events", len(said))
                self._refusals.refuse(delivery, message, refusal, "unwrap")
            else:
                self._pass_on(delivery, found)
                self._several(delivery, said, message)
        self._pass_on(delivery, found)

    def _refuse(self, message: Message, error: Exception, delivery: Delivery, found: Sorted) -> None:
        self._pass_on(delivery, found)  # what waits may become a dead letter of the same topic: the older one
        self._refusals.refuse(delivery, message, error, "unwrap")

    def pending(self) -> int:
        """How many frames wait behind here."""
        return 0 if self._ways.frames is None else self._ways.frames.pending()

    async def drain(self, deadline: float) -> None:
        """Pass on the frames that wait."""
        if self._ways.frames is not None:
            await self._ways.frames.drain(deadline)

    def _several(self, parent: Delivery, said: Sequence[Said], message: Message) -> None:
        found, delivery = _nothing(), split_records(parent, len(said))
        for each in said:
            if isinstance(each, Event):
                self._event(each, message, delivery, found)
            else:
                found[each.__class__].append((each, message))
        self._pass_on(delivery, found)

    def _event(self, event: Event, message: Message, delivery: Delivery, found: Sorted) -> None:
        """Keep an event beside what was found, or pass all on if it tells a device's state, as uplinks do too."""
        if event.device is None or not event.state:
            found[Event].append((event, message))
            return
        self._pass_on(delivery, found)
        self._ways.events.put(Batch(delivery, [(event, message)]))

    def _pass_on(self, delivery: Delivery, found: Sorted) -> None:
        """Pass on all that was found; nothing of one kind leads to an entity that another kind leads to."""
        uplinks, frames, events = found.values()
        found.update(_nothing())
        if uplinks:
            self._ways.uplinks.put(Batch(delivery, uplinks))
        if events:
            self._ways.events.put(Batch(delivery, events))
        if frames and self._ways.frames is not None:
            self._ways.frames.put(Batch(delivery, frames))

    def _recognised(self, message: Message) -> Sequence[Said]:
        """Find the dialect of a topic's first message, and read it."""
        topic = message.topic
        if topic.startswith(INVALID_TOPIC):
            raise invalid_topic(message)
        dialect = recognised(self._dialects, message)
        if dialect is not self._dialects[0]:  # at most one says yes, and the next topic is likely to speak the same
            self._dialects.remove(dialect)
            self._dialects.insert(0, dialect)
        reader = dialect.reader(topic)
        said = reader(message.payload, message.arrival)
        if len(topic) <= LONGEST_KEPT:
            self._readers.put(topic, reader)
        return said

    def _again(self, message: Message, error: Exception) -> Sequence[Said] | Exception:
        """Return what a message says in another dialect than its topic spoke before, or why it is to be refused."""
        if len(self._dialects) > 1 and self._readers.drop(message.topic) is not None:
            try:
                return self._recognised(message)
            except Exception as second:  # noqa: BLE001 - as above
                error = second
        return error


def recognised(dialects: Sequence[Dialect], message: Message) -> Dialect:
    """Return the dialect of a message, which is the feed's if that has only one.

    Raises:
        PayloadError: none recognises it (`dialect_unknown`).
    """
    if len(dialects) == 1:
        return dialects[0]
    fields = _fields(message.payload)
    for dialect in dialects:
        if dialect.recognises(message.topic, message.payload, fields):
            return dialect
    raise PayloadError("No dialect recognises the message by its shape.", Reason.DIALECT_UNKNOWN)


def _dated(said: Said) -> bool:
    return isinstance(said, Event) or (isinstance(said, Uplink) and said.time is not None)


def _fields(payload: bytes) -> Mapping[str, Any] | None:
    if not payload.lstrip().startswith(b"{"):
        return None
    try:
        return document(payload)
    except PayloadError:
        return None
