"""What a feed hands over: a message, as it came."""

from __future__ import annotations

from typing import Final, NamedTuple, Self

INVALID_TOPIC: Final = "\ufffd"
"""How the topic of a message begins that MQTT does not allow: no route matches it, no dialect reads it."""


class Message(NamedTuple):
    """One message of a feed.

    topic: the MQTT topic, or what the feed has instead. payload: the bytes as they came; a `Cut` is never decoded.
    arrival: when it was read, in milliseconds since 1970 UTC; also the Kafka timestamp, where Kafka does not
    stamp records itself.
    retained: the broker kept it (MQTT 3.1.1 section 3.3.1.3): an old value sent anew.
    traceparent: the W3C trace context that came with it (an MQTT 5 user property), or None.
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
