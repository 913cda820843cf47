"""A device connector as the engine uses it: bound to a feed's way of naming devices, telling times and places.

Plain data, made from the config's `connectors:` and, through them, from what vendors declare. Nothing here reads, waits
or remembers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pipeline.core.field_path import Fields, Path

MAX_AGE = 30 * 86_400.0
"""Seconds; an older time is a wrong clock's, unless the configuration says otherwise."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where one attribute of the model comes from: the path of its value, and the unit that the device sends."""

    path: Path
    unit: str | None = None


@dataclass(frozen=True, slots=True)
class FromField:
    """The device's name stands in the payload."""

    path: Path


@dataclass(frozen=True, slots=True)
class FromTopic:
    """The device's name is the topic level that the route's `{name}` stands for."""

    name: str


@dataclass(frozen=True, slots=True)
class ObservedAt:
    """The payload carries its own time.

    format: `iso` (RFC 3339 text), or the unit of a number since 1970 UTC: `s`, `ms`, `us`, `ns`.
    max_age: seconds; an older time, or one over five minutes ahead of arrival, is replaced by arrival. optional: a
    reading without it was just made, and has the network's time, or else arrival's.
    """

    path: Path
    format: str = "iso"
    max_age: float = MAX_AGE
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Position:
    """Where in the payload the coordinates stand (WGS84, degrees; altitude in metres)."""

    longitude: Path
    latitude: Path
    altitude: Path | None = None


@dataclass(frozen=True, slots=True)
class Fixed:
    """Coordinates that are known beforehand, longitude first (RFC 7946 section 3.1.1)."""

    coordinates: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Binding:
    """How the messages of one kind of device become entities of one model.

    name, version: `ce_connector` is `name@version`. observed_at: None means that arrival is the time.
    period: seconds that one reading covers, ending at its time (a noise level has a beginning and an end).
    location: None where the model does not require one, or the registry has it. located: whether the entity has a place
    at all; the Device entity has none. decode: None means the payload is a JSON object.
    stated: attributes that are known beforehand, each with its value; nobody observed them, so they have no time.
    related: relationships, each with the model and the name of the entity that it leads to.
    """

    name: str
    version: str
    model: str
    device: FromField | FromTopic
    attributes: Mapping[str, Source]
    observed_at: ObservedAt | None = None
    period: float | None = None
    location: Position | Fixed | None = None
    located: bool = True
    decode: Callable[[bytes], Fields] | None = field(default=None)
    stated: Mapping[str, Any] = field(default_factory=dict)
    related: Mapping[str, tuple[str, str]] = field(default_factory=dict)
