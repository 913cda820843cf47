"""What a feed hands over: a message, as it came."""

from __future__ import annotations

from typing import NamedTuple


class Message(NamedTuple):
    """One message of a feed.

    topic: the MQTT topic, or what the feed has instead. payload: the bytes as they came.
    arrival: when it was read, in milliseconds since 1970 UTC; it becomes the Kafka timestamp.
    retained: the broker kept it (MQTT 3.1.1 section 3.3.1.3): an old value sent anew.
    traceparent: the W3C trace context that came with it (an MQTT 5 user property), or None.
    """

    topic: str
    payload: bytes
    arrival: int
    retained: bool = False
    traceparent: str | None = None
