"""What a device connector declares: the vendor's surface, which the root module `headrace` re-exports.

A connector is a pure function from bytes to fields, a table that says which field is which attribute of which common
data model, and examples of real bytes that prove both. Plain data: a module that the loader finds has it as
`connector`, and forgetting to register is impossible. Nothing here reads, waits or remembers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from pipeline.core.errors import PayloadError, Reason
from pipeline.core.field_path import Fields
from pipeline.sdk.uplink import Uplink

__all__ = [
    "Attribute",
    "Connector",
    "Decoded",
    "Example",
    "Fields",
    "Format",
    "FromArrival",
    "Observation",
    "Place",
    "Time",
    "Uplink",
]

Decoded = Fields | Sequence[Fields]
"""One reading, or several, each with its own time: a device may send what it has kept.

An empty list: the frame is as the data sheet says, and tells nothing to publish (settings that were asked for, a reply
to a command). It is filtered, not a dead letter.
"""
MOST_READINGS = 1000
"""Of one message; a connector that makes more has a bug."""
MOST_VALUES = 5 * MOST_READINGS
"""Of one message, in all its readings: so many are read from a payload without holding up the others."""


class FromArrival(int):
    """A time that a decoder has counted from `received_at`: a number, whose unit `Time` says.

    A message that is sent again gets another one, so it cannot tell a reading from others: the id is made from arrival.
    `received_at` is one itself where it is arrival, and stays one when whole numbers are added or taken away.
    """

    __slots__ = ()

    def __add__(self, other: int) -> FromArrival:
        return FromArrival(int(self) + other) if isinstance(other, int) else NotImplemented

    __radd__ = __add__

    def __sub__(self, other: int) -> FromArrival:
        return FromArrival(int(self) - other) if isinstance(other, int) else NotImplemented

    def __floordiv__(self, other: int) -> FromArrival:
        return FromArrival(int(self) // other) if isinstance(other, int) else NotImplemented


@dataclass(frozen=True, slots=True)
class Format:
    """A form of payload that any device may use; routes and `connector.yaml` give its name as `format`.

    Attributes:
        parse: From a payload and its arrival (milliseconds since 1970 UTC) to readings; raises PayloadError.
        examples: Of payloads, with what is `decoded` of each, or `expect=PayloadError`; proved by `headrace connectors
            check`.
    """

    name: str
    parse: Callable[[bytes, int], Decoded]
    examples: tuple[Example, ...] = ()

    def decode(self, uplink: Uplink) -> Decoded:
        """Return the readings of an uplink, as a connector's own decoder does.

        Raises:
            PayloadError: the payload is no such format, or holds too many readings for one message (`too_expensive`).
        """
        readings = self.parse(uplink.payload, uplink.received_at)
        if not isinstance(readings, Mapping) and len(readings) > MOST_READINGS:
            raise too_many(MOST_READINGS, "readings", len(readings))
        if not readings:
            raise PayloadError("Expected at least one reading, got none.", Reason.NOTHING_MEASURED)
        return readings


def too_many(most: int, what: str, got: int) -> PayloadError:
    """Return what refuses a message that holds more than is handled at once."""
    return PayloadError(f"expected at most {most} {what} in one message, got {got}", Reason.TOO_EXPENSIVE)


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute of the model: the field of the decoded payload, and the unit that the device sends.

    Attributes:
        field: A name, or a dotted path (`pm.2_5`, `values[0].v`).
        unit: As people type it (`degC`, `%`, `ug/m3`), None where the attribute has no dimension.
    """

    field: str
    unit: str | None = None


@dataclass(frozen=True, slots=True)
class Time:
    """The field that carries the reading's own time: `iso`, or a number of `s`, `ms`, `us`, `ns` since 1970 UTC."""

    field: str
    unit: str = "iso"


@dataclass(frozen=True, slots=True)
class Place:
    """The fields that carry the position: WGS84, degrees; altitude in metres."""

    longitude: str
    latitude: str
    altitude: str | None = None


@dataclass(frozen=True, slots=True)
class Observation:
    """One entity that a reading makes: a model, and its attributes.

    A reading without any of the attributes makes no such entity.

    Attributes:
        period: Seconds that a reading covers, for a model with a beginning and an end.
    """

    model: str
    attributes: Mapping[str, Attribute]
    period: float | None = None


@dataclass(frozen=True, slots=True)
class Example:
    """A payload and what it must become: `expect` holds the attributes in the model's canonical units.

    Exactly one of hex, text and json is the payload.

    Attributes:
        expect: Attributes of the one observation; by model where there are several; a list where one uplink has several
            readings; or PayloadError for a payload that must be refused.
        source: Where the bytes come from, if not from the connector's data sheet.
        decoded: What decode returns, where an example shows that instead of `expect`, or beside it.
    """

    name: str
    hex: str | None = None
    text: str | None = None
    json: Any = None
    port: int | None = None
    expect: Mapping[str, Any] | Sequence[Mapping[str, Any]] | type[PayloadError] = field(default_factory=dict)
    source: str | None = None
    decoded: Decoded | None = None

    def payload(self) -> bytes:
        """Return the bytes.

        Raises:
            ValueError: none or several of hex, text and json are given, or hex is none.
        """
        given = [value for value in (self.hex, self.text, self.json) if value is not None]
        if len(given) != 1:
            raise ValueError(f"example {self.name!r}: expected one of hex, text and json, got {len(given)}")
        if self.hex is not None:
            return bytes.fromhex(self.hex)
        return self.text.encode() if self.text is not None else orjson.dumps(self.json)


@dataclass(frozen=True, slots=True)
class Connector:
    """One family of devices of one vendor.

    Attributes:
        vendor: The vendor's name, in lower case with digits and dashes.
        devices: The devices' names, spelt so; `vendor/device` names each in a configuration.
        owner: Who answers for it.
        decode: Bytes to fields; it raises PayloadError with a sentence (expected, got), and nothing else.
        model: The model of the one observation; for several, `observations`.
        attributes: The attributes of the one observation.
        device: Attributes of the Device entity (battery, firmware, signal).
        controls: What it measures, in the words of the Device's schema (`fillingLevel`), where attributes and units do
            not tell.
        time: Absent, the reading has arrival's time.
        place: Absent, the registry or the route has it.
    """

    vendor: str
    devices: tuple[str, ...]
    owner: str
    decode: Callable[[Uplink], Decoded]
    model: str | None = None
    attributes: Mapping[str, Attribute] = field(default_factory=dict)
    observations: tuple[Observation, ...] = ()
    device: Mapping[str, Attribute] = field(default_factory=dict)
    time: Time | None = None
    place: Place | None = None
    period: float | None = None
    controls: tuple[str, ...] = ()
    examples: tuple[Example, ...] = ()
    version: str = "1"

    def observed(self) -> tuple[Observation, ...]:
        """Return the observations, however they were declared."""
        if self.model is None:
            return self.observations
        return (Observation(self.model, self.attributes, self.period), *self.observations)
