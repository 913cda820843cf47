"""What goes to Kafka, encoded as Kafka stores it.

A record batch (Kafka protocol guide, "Record Batch", magic 2) holds records of variable-length integers and bytes. Most
of a record is the same for every reading of one entity (key, nine of twelve headers), so that part is encoded once, in
its `Destination`, and a record is a join of ready pieces.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple, Protocol

from pipeline.core.delivery import Message

SIZE: Final = "ce_payloadsize"
"""Header of a dead letter whose value is not all that came: how many bytes came."""
KEPT: Final = "ce_payloadkept"
"""Beside SIZE: how many of them are the value, from the first on; such a letter is never replayed."""
OMITTED: Final = "ce_valueomitted"
"""Header of a dead letter that Kafka refused too, and that was sent again without its value: why."""

DEVICE: Final = "Device"
"""The type of the entities that are devices themselves: what is known of each, published whole."""
DEVICE_MODEL: Final = "DeviceModel"
"""The type of the entities that are families of devices."""

_TABLE_SIZE = 16_384
_SEVEN_BITS = 0x7F
_MORE = 0x80


def varint(number: int) -> bytes:
    """Encode `number` as Kafka does: zigzag, then seven bits a byte, lowest first."""
    if 0 <= number < _TABLE_SIZE:
        return VARINTS[number]
    return _varint(number)


def _varint(number: int) -> bytes:
    rest = (number << 1) ^ (number >> 63)
    out = bytearray()
    while rest > _SEVEN_BITS:
        out.append(rest & _SEVEN_BITS | _MORE)
        rest >>= 7
    out.append(rest)
    return bytes(out)


VARINTS = tuple(_varint(number) for number in range(_TABLE_SIZE))
"""`varint` of every number below 16,384: lengths, offsets and time steps are nearly always one of these."""


def header(name: str, value: bytes) -> bytes:
    """Encode one header."""
    return header_start(name, len(value)) + value


def header_start(name: str, size: int) -> bytes:
    """Encode a header up to its value of `size` bytes, which is written behind it."""
    key = name.encode()
    return varint(len(key)) + key + varint(size)


_TIME_SIZE = len("1970-01-01T00:00:00.000Z")
_TIME = header_start("ce_time", _TIME_SIZE)


def encode_headers(pairs: Sequence[tuple[str, bytes]]) -> bytes:
    """Encode headers as they stand in a record: their count, then each in the order given."""
    return varint(len(pairs)) + b"".join(header(name, value) for name, value in pairs)


def decode_headers(encoded: bytes) -> list[tuple[str, bytes]]:
    """Read encoded headers back: for `explain`, the log and tests; never on the hot path."""
    count, at = _read_varint(encoded, 0)
    pairs: list[tuple[str, bytes]] = []
    for _ in range(count):
        size, at = _read_varint(encoded, at)
        name = encoded[at : at + size].decode()
        length, at = _read_varint(encoded, at + size)
        pairs.append((name, encoded[at : at + length]))
        at += length
    return pairs


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while data[at] & _MORE:
        number |= (data[at] & _SEVEN_BITS) << shift
        shift += 7
        at += 1
    number |= data[at] << shift
    return (number >> 1) ^ -(number & 1), at + 1


class Origin(Protocol):
    """What the destinations of one connector on one feed have in common.

    Attributes:
        topic: The Kafka topic.
        feed: The feed, for a dead letter if Kafka refuses a record.
        connector: The connector, for the same.
        lasting: False where each destination is made for a single record, so that the publisher does not remember it.
    """

    topic: str
    feed: str
    connector: str
    lasting: bool


@dataclass(slots=True)
class Named:
    """An `Origin` that is nothing else."""

    topic: str
    feed: str
    connector: str
    lasting: bool


class Destination:
    """Where one entity's records go and whence they come: the same for every reading of it.

    The publisher knows the partition by this object's identity, so the maker keeps it as long as the entity is seen.

    Attributes:
        key: The entity id.
        origin: The rest, which many have in common.
    """

    __slots__ = ("key", "origin")

    def __init__(self, topic: str, key: bytes, feed: str = "", connector: str = "", *, lasting: bool = True) -> None:
        self.key = key
        self.origin: Origin = Named(topic, feed, connector, lasting)

    @property
    def topic(self) -> str:
        """The Kafka topic."""
        return self.origin.topic

    @property
    def feed(self) -> str:
        """The feed that brought the readings."""
        return self.origin.feed

    @property
    def connector(self) -> str:
        """The connector that decoded them, and its version."""
        return self.origin.connector

    @property
    def lasting(self) -> bool:
        """Whether more records than one go there."""
        return self.origin.lasting

    @property
    def size(self) -> int:
        """How many bytes the key takes in a record, with its length before it."""
        return len(varint(len(self.key))) + len(self.key)

    def __repr__(self) -> str:
        return f"Destination({self.topic!r}, {self.key!r})"


class Record(NamedTuple):
    """One record of Kafka.

    body: the value and then the encoded headers, which is how they stand in a record, so that one join makes both.
    value_size: how many bytes of it are the value: the entity, or a dead letter's raw payload.
    timestamp: arrival, milliseconds since 1970 UTC, since a device's clock would make Kafka refuse the batch; the
    publisher changes one that a wrong clock of ours gave.
    message: what a dead letter is made of if Kafka refuses the record; None on a record that is a dead letter itself.
    """

    destination: Destination
    body: bytes
    value_size: int
    timestamp: int
    message: Message | None

    @classmethod
    def make(
        cls, destination: Destination, value: bytes, headers: bytes, timestamp: int, message: Message | None
    ) -> Record:
        """Put a record together; headers: as `encode_headers` gives them."""
        return cls(destination, value + headers, len(value), timestamp, message)

    @property
    def value(self) -> bytes:
        """The entity's bytes, or a dead letter's payload."""
        return self.body[: self.value_size]

    @property
    def time(self) -> float | None:
        """When it was observed (`ce_time`), in seconds since 1970 UTC; None where no such header stands."""
        at = self.body.find(_TIME, self.value_size)
        try:
            return (
                None
                if at < 0
                else datetime.fromisoformat(self.body[at + len(_TIME) :][:_TIME_SIZE].decode()).timestamp()
            )
        except ValueError:
            return None

    @property
    def headers(self) -> bytes:
        """The encoded headers: CloudEvents attributes (Kafka protocol binding 1.0, binary mode)."""
        return self.body[self.value_size :]


def sizes(came: int, kept: int) -> list[tuple[str, bytes]]:
    """Return the headers of a dead letter of whose payload only the first `kept` bytes are its value."""
    return [(SIZE, b"%d" % came), (KEPT, b"%d" % kept)]


def shortened(record: Record, kept: int, why: str) -> Record:
    """Return a dead letter of whose value the first `kept` bytes are left, marked as cut.

    why: what did not let it be longer; it is told where nothing is left (an empty value, not null).
    """
    headers = dict(decode_headers(record.headers))
    came = int(headers.pop(SIZE, b"%d" % record.value_size))
    headers.pop(KEPT, None)
    omitted = [] if kept else [(OMITTED, why.encode())]
    pairs = [*headers.items(), *sizes(came, kept), *omitted]
    return Record.make(record.destination, record.value[:kept], encode_headers(pairs), record.timestamp, None)
