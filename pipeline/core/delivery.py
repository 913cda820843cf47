"""The delivery contract: who owes whom an acknowledgement, and when it may be given.

A feed reads a batch of messages and receives one `Delivery` for it from its `Lane`. The batch travels through the
stages with its delivery beside it. Whoever decides a message's fate seals it; when the last message of a delivery is
sealed, the delivery is settled, and the lane acknowledges settled deliveries in the order of receipt. Nothing here
awaits, and everything runs on the event loop's thread.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from itertools import chain
from time import monotonic
from typing import Final, Generic, NamedTuple, Protocol, Self, TypeVar

from pipeline.core.errors import DeliveryError

INVALID_TOPIC: Final = "\ufffd"
"""How the topic of a message begins that MQTT does not allow: no route matches it, no dialect reads it."""


class Message(NamedTuple):
    """One message of a feed.

    Attributes:
        topic: The MQTT topic, or what the feed has instead.
        payload: The bytes as they came; a `Cut` is never decoded.
        arrival: When it was read, in milliseconds since 1970 UTC; also the Kafka timestamp, where Kafka does not stamp
            records itself.
        retained: The broker kept it (MQTT 3.1.1 section 3.3.1.3): an old value sent anew.
        traceparent: The W3C trace context that came with it (an MQTT 5 user property), or None.
    """

    topic: str
    payload: bytes
    arrival: int
    retained: bool = False
    traceparent: str | None = None


class Cut(bytes):
    """The start of a payload that was too long to be held whole; `size` bytes came.

    It is longer than the feed's `max_payload`, so that the check that each payload passes refuses it too, and no stage
    has to ask what it is.
    """

    size: int

    def __new__(cls, start: bytes | bytearray, size: int) -> Self:
        """Keep the start of `size` bytes."""
        self = super().__new__(cls, start)
        self.size = size
        return self


class Broken(Cut):
    """The start of a packet of `size` bytes that breaks the rules of its protocol, and `why` in a few words.

    There is no payload to decode: the topic beside it is INVALID_TOPIC and what could be read of its own.
    """

    why: str

    def __new__(cls, start: bytes | bytearray, size: int, why: str = "") -> Self:
        """Keep the start of `size` bytes."""
        self = super().__new__(cls, start, size)
        self.why = why
        return self


T = TypeVar("T")
Token = TypeVar("Token")
MAX_WEIGHT = 64 * 1024**2
"""Bytes of one lane's unacknowledged messages, and of the records that they became: 13 KiB for each of 5,000."""


class Fate(IntEnum):
    """What became of a message; ordered from best to worst, so that one message's several records have a worst fate."""

    PUBLISHED = 0
    DEDUPLICATED = 1
    FILTERED = 2
    SPOOLED = 3
    DEAD_LETTERED = 4
    SHED = 5


class Ledger:
    """One feed's counts, in messages, for the life of the process.

    At every moment `received == sum(fates) + in_flight()`: the conservation law. `in_flight` is read from the lanes,
    never computed by subtraction, so that a message nobody seals or somebody seals twice shows.
    """

    def __init__(self) -> None:
        self.received = 0
        self.fates = [0] * len(Fate)
        self.acknowledged = 0
        self.stale = 0  # settled after their lane was closed: never acknowledged, so the source sends them again
        self.lanes: list[_AnyLane] = []

    def in_flight(self) -> int:
        """Messages received and not yet sealed."""
        self.lanes = [lane for lane in self.lanes if not lane.finished()]
        return sum(lane.in_flight() for lane in self.lanes)

    def unacknowledged(self) -> int:
        """Messages that the source would send again if the process died now."""
        return sum(lane.outstanding for lane in self.lanes if not lane.closed)

    def weight(self) -> int:
        """Bytes of the messages that lanes still hold, and of what they became; closed lanes' too."""
        return sum(lane.weight for lane in self.lanes)

    def oldest(self) -> float:
        """Seconds that the oldest unsettled message has waited; 0 when none waits."""
        waits = [since for lane in self.lanes if (since := lane.waiting_since()) is not None]
        return monotonic() - min(waits) if waits else 0.0

    def conserved(self) -> bool:
        """Say whether every received message is accounted for."""
        return self.received == sum(self.fates) + self.in_flight()


def _unweighed(_: int) -> None:
    pass


class Delivery:
    """The unit of acknowledgement: how many messages of one batch still have no fate.

    Attributes:
        made: The bytes that its messages have become, which its lane holds until the delivery settles.
    """

    __slots__ = ("_settled", "_weighed", "fates", "left", "made", "received_at", "size")

    def __init__(
        self,
        size: int,
        fates: list[int],
        settled: Callable[[Delivery], None],
        received_at: float,
        weighed: Callable[[int], None] = _unweighed,
    ) -> None:
        self.size = size
        self.left = size
        self.made = 0
        self.fates = fates  # a lane's deliveries share their feed's ledger: sealing is counting
        self.received_at = received_at
        self._settled = settled
        self._weighed = weighed

    def weigh(self, made: int) -> None:
        """Add `made` bytes to what the messages of this batch have become; their lane pauses when it is too much."""
        self.made += made
        self._weighed(made)

    def seal(self, fate: Fate, n: int = 1) -> None:
        """Decide the fate of `n` messages of this batch; the last one settles the delivery.

        Raises:
            DeliveryError: more messages were sealed than received.
        """
        left = self.left - n
        if left < 0 or n < 1:
            raise DeliveryError(
                f"Sealed {n} message(s) as {fate.name}, but only {self.left} of {self.size} had no fate."
            )
        self.left = left
        self.fates[fate] += n
        if not left:
            self._settled(self)


class _AnyLane(Protocol):
    """What a ledger asks of its lanes, whatever their token."""

    @property
    def closed(self) -> bool: ...
    @property
    def outstanding(self) -> int: ...
    @property
    def weight(self) -> int: ...
    def in_flight(self) -> int: ...
    def waiting_since(self) -> float | None: ...
    def finished(self) -> bool: ...


def _nothing() -> None:
    pass


class Lane(Generic[Token]):
    """One order of acknowledgement: an MQTT connection, a Kafka partition, a socket.

    `acknowledge` takes the tokens of settled deliveries in order of receipt; None where the source cannot resend.
    At `max_in_flight` messages received and not acknowledged, or `max_weight` bytes of them and of what they became,
    `pause` is called; at half of both, `resume`.
    """

    def __init__(
        self,
        acknowledge: Callable[[Sequence[Token]], None] | None,
        max_in_flight: int,
        pause: Callable[[], None] = _nothing,
        resume: Callable[[], None] = _nothing,
        ledger: Ledger | None = None,
        *,
        max_weight: int = MAX_WEIGHT,
    ) -> None:
        self.ledger = ledger if ledger is not None else Ledger()
        self.ledger.lanes.append(self)
        self.max_in_flight = max_in_flight
        self.max_weight = max_weight
        self.outstanding = 0
        self.weight = 0
        self.closed = False
        self.paused = False
        self._acknowledge = acknowledge
        self._pause = pause
        self._resume = resume
        self._waiting: deque[tuple[Delivery, Token, int]] = deque()

    @property
    def room(self) -> int:
        """How many messages may still be received before the lane is full."""
        return self.max_in_flight - self.outstanding if self.weight < self.max_weight else 0

    def receive(self, size: int, token: Token, weight: int = 0) -> Delivery:
        """Take responsibility for a batch of `size` messages and `weight` bytes; `token` acknowledges them all.

        Raises:
            DeliveryError: the lane is closed, or the batch is empty.
        """
        if self.closed or size < 1:
            raise DeliveryError(f"Received {size} message(s) on a lane that is {'closed' if self.closed else 'open'}.")
        delivery = Delivery(size, self.ledger.fates, self._settle, monotonic(), self._weigh)
        self.ledger.received += size
        self.outstanding += size
        self._waiting.append((delivery, token, weight))
        self._weigh(weight)
        return delivery

    def _weigh(self, weight: int) -> None:
        self.weight += weight
        full = self.outstanding >= self.max_in_flight or self.weight >= self.max_weight
        if full and not self.paused and not self.closed:
            self.paused = True
            self._pause()

    def close(self) -> None:
        """Forget the source: what settles from now on is stale, counted, and never acknowledged."""
        self.closed = True

    def in_flight(self) -> int:
        """Messages received here that have no fate yet."""
        return sum(delivery.left for delivery, _, _ in self._waiting)

    def waiting_since(self) -> float | None:
        """When the oldest unsettled batch was received (monotonic seconds), or None."""
        return self._waiting[0][0].received_at if self._waiting else None

    def finished(self) -> bool:
        """Say whether the lane is closed and nothing of it is under way."""
        return self.closed and not self._waiting

    def _settle(self, _: Delivery) -> None:
        waiting = self._waiting
        if waiting[0][0].left:
            return  # an older batch is not settled: acknowledgements keep the order of receipt
        tokens: list[Token] = []
        size = 0
        while waiting and not waiting[0][0].left:
            delivery, token, weight = waiting.popleft()
            tokens.append(token)
            size += delivery.size
            self.weight -= weight + delivery.made
        self.outstanding -= size
        if self.closed:
            self.ledger.stale += size
            return
        self.ledger.acknowledged += size
        if self._acknowledge is not None:
            self._acknowledge(tokens)
        if self.paused and self.outstanding <= self.max_in_flight // 2 and self.weight <= self.max_weight // 2:
            self.paused = False
            self._resume()


def split_records(parent: Delivery, records: int) -> Delivery:
    """One message became `records` records: the returned delivery seals it once, with the worst of their fates."""

    def settled(child: Delivery) -> None:
        parent.seal(max(fate for fate in Fate if child.fates[fate]))

    return Delivery(records, [0] * len(Fate), settled, parent.received_at, parent.weigh)


def merge_copies(groups: Sequence[Sequence[Delivery]]) -> Delivery:
    """Several copies became one: the returned delivery has one message for each group of copies.

    When it settles, the first copy of each group takes one of the fates given and every other copy is DEDUPLICATED.
    Which group takes which fate is not tracked: the counts are exact, and a copy is never settled before the output.
    What the output becomes weighs on the lane of the first copy, as if all came from there.
    """
    firsts = [group[0] for group in groups]
    owed = Counter(chain.from_iterable(groups))

    def settled(output: Delivery) -> None:
        at = 0
        for fate in Fate:
            given = output.fates[fate]
            if given:  # many groups are of one batch: its messages are sealed at once
                for first, times in Counter(firsts[at : at + given]).items():
                    owed[first] -= times
                    first.seal(fate, times)
                at += given
        for copy, times in owed.items():
            if times:
                copy.seal(Fate.DEDUPLICATED, times)

    return Delivery(len(groups), [0] * len(Fate), settled, min([each.received_at for each in owed]), firsts[0].weigh)


def sub_delivery(parent: Delivery, size: int, settled: Callable[[Delivery], None]) -> Delivery:
    """Let some of the parent's messages go their own way: `settled` is called with them when each has a fate.

    It seals them in the parent (`seal_alike`), now or later: what else is to be done first is done first.
    """
    return Delivery(size, [0] * len(Fate), settled, parent.received_at, parent.weigh)


def copy_fates(parent: Delivery, settled: Delivery) -> None:
    """Give as many messages of the parent the fates that those of a settled part got."""
    for fate in Fate:
        if settled.fates[fate]:
            parent.seal(fate, settled.fates[fate])


@dataclass(slots=True)
class Batch(Generic[T]):
    """Items that travel together, and the one delivery that they owe."""

    delivery: Delivery
    items: list[T]


class Stage(Protocol[T]):
    """One hop. `put` is synchronous, never raises for data, may keep items, and passes on in order per device."""

    def put(self, batch: Batch[T]) -> None:
        """Take a batch; every item ends in exactly one `seal` on the batch's delivery."""

    def pending(self) -> int:
        """How many items are kept here now: bounded, and exported."""

    async def drain(self, deadline: float) -> None:
        """Pass on what is kept, until `deadline` (monotonic seconds)."""


class PassThrough(Stage[T]):
    """A stage in which nothing stays: all of a batch is passed on or sealed before `put` returns."""

    def pending(self) -> int:
        """Say that nothing is kept."""
        return 0

    async def drain(self, deadline: float) -> None:
        """Return at once: there is nothing to pass on."""


class Feed(Protocol[T]):
    """Where messages come from. A feed owns its lanes."""

    name: str
    resends: bool
    """Whether its source sends again what was not acknowledged."""
    problem: str
    """Why it does not read, a sentence; empty while it does, and of feeds that do not say."""

    async def run(self, out: Stage[T]) -> None:
        """Read until cancelled; reconnect by itself; raise only what no retry can mend."""

    def stop_reading(self) -> None:
        """Take no more messages; acknowledgements still go out while the pipeline drains."""

    async def disconnect(self, timeout: float) -> None:  # noqa: ASYNC109
        """Send the acknowledgements that are due and leave; give up after `timeout` seconds."""
