"""A plan: device connector + model + tenant, made once; it turns the fields of one reading into one record.

Two paths give the same bytes. `carefully` reads as the rules are written (quality, times, location) and takes
whatever comes. `fast`, compiled from the same pieces, takes the reading in which all is as expected, which is nearly
every one, in a third of the time, and returns None for any other. A property test holds the two equal.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property

import orjson

from pipeline.core import times
from pipeline.core.delivery import Message
from pipeline.core.errors import PayloadError, Reason
from pipeline.core.field_path import Fields, Path, lack, lacking, told
from pipeline.core.recent import MOST_NAMES, Recent, Room
from pipeline.core.record import DEVICE, Record, header
from pipeline.devices.registry import Device
from pipeline.devices.silence import UNSEEN, LastSeen
from pipeline.encode import headers as cloudevents
from pipeline.encode.encoder import ALTITUDE, BEGINNING, LATITUDE, LONGITUDE, MOMENT, VALUE, Encoder, Pattern
from pipeline.encode.headers import TIME_START, GivenNames, device_key, entity_id
from pipeline.normalise.binding import MAX_AGE, AttributeRule, Fixed, ObservedAt, Position, ValueRefusedError
from pipeline.normalise.entity import Entity, Fast, FastUplink, PlanSpec, StartsByDigits
from pipeline.normalise.plan_compiled import AHEAD_MS, SWAPPED_DEGREES, compile_fast, compile_fast_uplink
from pipeline.sdk.connector import FromArrival
from pipeline.sdk.uplink import Uplink

ENTITIES = MOST_NAMES
"""How many entities are always known, of all connectors and feeds together."""
_FLAT = 2  # coordinates of a place without an altitude
_LONGEST_LATITUDE, _LONGEST_LONGITUDE = 90.0, 180.0


Lookup = Callable[[object], Device | None]
"""The device registry: finds a device by any of its names."""


def _no_device(_: object) -> None:
    return None


def _unseen(_: str) -> LastSeen:
    return UNSEEN


class Plan:
    """Everything known beforehand about the readings of one connector on one feed.

    Attributes:
        spec: What it is made of.
        seen: Returns where it is noted that a device spoke, by its key.
        names: The names that were made of an arrival lately.
        fast: The compiled plan.
    """

    def __init__(
        self,
        spec: PlanSpec,
        *,
        lookup: Lookup = _no_device,
        seen: Callable[[str], LastSeen] = _unseen,
        names: GivenNames | None = None,
        presented: bool = False,
        room: Room | None = None,
    ) -> None:
        """Compile the plan.

        Args:
            spec: What it is made of.
            lookup: Finds a device in the registry.
            seen: Returns where it is noted that a device spoke.
            names: The names that were made of an arrival lately.
            presented: Whether the Device entity of each device is published, too.
            room: Holds the entities, with those of other plans.
        """
        self.spec = spec
        self.binding, self.model, self.slots = spec.binding, spec.model, spec.slots
        self.provenance = self.connector = spec.provenance
        self.topic, self.feed, self.lasting = spec.topic, spec.feed, True  # the origin of its entities' records
        self._lookup = lookup
        self.seen = seen
        self.names = names or GivenNames()
        self._presented = presented
        self._covers = spec.model.covers
        self._times = Pattern(spec.times, MOMENT, BEGINNING)
        self._places = [_place_pattern(spec.encoder, altitude=above, observed=True) for above in (False, True)]
        self._attribute_patterns = [(slot, Pattern(text, VALUE, MOMENT)) for slot, text in spec.attributes]
        self._starts = StartsByDigits(spec.model.name, spec.key_start)
        self.fast: Fast = compile_fast(spec, self._starts)
        self._entities: Recent[str | int, Entity] = Recent(room or Room("entities", ENTITIES))

    def entity(self, name: object) -> Entity:
        """Return the entity of the device of that name.

        Raises:
            PayloadError: no entity can have that name.
        """
        device = self._lookup(name)
        key = device_key(name if device is None else device.key)
        constants, head = self._device(key) + self._constants(device), self.spec.head
        entity = Entity(self, key, head + constants if constants else head, self._place(device))
        entity.registered = None if device is None or device.location is None else device.location[:2]
        if isinstance(name, str | int):
            self._entities.put(name, entity, len(key))
        return entity

    def _device(self, key: str) -> bytes:
        """Return the relation to the Device entity where that is published; elsewhere it would lead nowhere."""
        if not self._presented or self.model.device is None:
            return b""
        return self.spec.encoder.related({self.model.device: entity_id(DEVICE, self.spec.tenant, key)})

    def _constants(self, device: Device | None) -> bytes:
        """Return what the registry says of a device, but not of what it measures itself."""
        known = {} if device is None else device.attributes
        if not known:
            return b""
        measured = {slot.name for slot in self.slots}
        kept = {n: v for n, v in known.items() if n not in measured and self.model.attribute(n) is not None}
        return self.spec.encoder.stated(kept)

    def _place(self, device: Device | None) -> bytes:
        """Return the location known beforehand: the registry's before the connector's; a Device entity has none."""
        place = self.binding.location
        if device is not None and device.location is not None and self.binding.located:
            return self._known(device.location)
        return self._known(place.coordinates) if isinstance(place, Fixed) else b""

    def _known(self, coordinates: tuple[float, ...]) -> bytes:
        pattern = _place_pattern(self.spec.encoder, altitude=len(coordinates) > _FLAT, observed=False)
        return _located(pattern, coordinates)

    def forget(self) -> None:
        """Look every device up again: the registry is a new one."""
        self._entities.clear()

    @cached_property
    def fast_uplink(self) -> FastUplink:
        """The fast path of readings whose network tells their time and what tells them apart."""
        return compile_fast_uplink(self.spec, self._starts)

    def known(self, name: object) -> Entity:
        """Return the entity of the device of that name, seen before or not; raises as `entity` does."""
        known = self._entities.get(name) if isinstance(name, str | int) and not isinstance(name, bool) else None
        return known or self.entity(name)

    @property
    def entities(self) -> dict[str | int, Entity]:
        """The entities seen lately, by the device's name: what the decode stage looks into first."""
        return self._entities.young

    def normalise(
        self,
        fields: Fields,
        entity: Entity,
        message: Message,
        recorded: bytes,
        digest: int,
        *,
        uplink: Uplink | None = None,
    ) -> Record:
        """Return what the fast path makes, or else `carefully`; for callers with one reading."""
        record = None
        if message.traceparent is None:
            if uplink is None:
                record = self.fast(fields, entity, message, recorded, digest)
            else:
                record = self.fast_uplink(fields, entity, message, recorded, uplink)
        return record or self.carefully(fields, entity, message, recorded, digest, uplink=uplink)

    def measures(self, fields: Fields) -> bool:
        """Say whether a reading has any of the attributes that are measured."""
        return any(slot.measured and slot.path.find(fields) is not None for slot in self.slots)

    def discriminator(self, fields: Fields, arrival: int, digest: int) -> tuple[int, ...]:
        """Return what tells a reading's `ce_id` from others of its message; raises as `carefully` does."""
        observed, own = self._observed(fields, arrival, [], None)
        return (observed, digest) if own else ()

    def carefully(
        self,
        fields: Fields,
        entity: Entity,
        message: Message,
        recorded: bytes,
        digest: int,
        *,
        index: int = 0,
        uplink: Uplink | None = None,
    ) -> Record:
        """Return the record of one reading that the fast path has declined.

        Args:
            fields: The fields of the reading.
            entity: What the record is about.
            message: What brought it.
            recorded: The encoded header `ce_recordedtime`.
            digest: Of what came: the payload, or this reading's fields (encode/headers.py).
            index: How many earlier readings of the message would have the same id.
            uplink: What brought the reading, if a network tells its time and counter.

        Raises:
            PayloadError: nothing of the reading can be published; its `reason` says why.
        """
        flags: list[str] = []
        spec = self.spec
        observed, own = self._observed(fields, message.arrival, flags, uplink)
        moment = times.text(observed)
        parts = [spec.encoder.opening, entity.key, entity.head, self._times.filled(moment, self._beginning(observed))]
        parts.append(self._location(fields, entity, moment, flags))
        parts += self._attributes(fields, moment, flags)
        parts.append(spec.tail)
        optional: list[bytes] = []
        name = None if uplink is None else uplink.id
        if own:
            named = entity.named_by_time(observed, digest, index)
        elif name is not None:
            named = entity.named(name + (b":%d" % index if index else b""))
        else:
            named = entity.named_by_arrival(message.arrival, digest)
            optional.append(header(cloudevents.ID_CLASS, b"arrival"))
        if flags:
            optional.append(header(cloudevents.QUALITY, ",".join(flags).encode()))
        if message.traceparent is not None:
            optional.append(header(cloudevents.TRACEPARENT, message.traceparent.encode()))
        start = spec.headers_start(len(optional))
        headers = (start, named, TIME_START, moment, recorded, *optional)
        value = b"".join(parts)
        return Record(entity, value + b"".join(headers), len(value), message.arrival, message)

    def _observed(self, fields: Fields, arrival: int, flags: list[str], uplink: Uplink | None) -> tuple[int, bool]:
        """Return the time of observation in ms, and whether it is the device's own."""
        source = self.binding.observed_at
        told = None if uplink is None else uplink.time
        value = None if source is None else source.path.find(fields)
        if source is None or (value is None and source.optional):
            if told is not None and not _near(told, arrival, MAX_AGE if source is None else source.max_age):
                flags.append("clock")
                told = None
            return (arrival if told is None else told), False
        ms = times.parse(value, source.format)
        if ms is None:
            raise _no_time(source, fields, value)
        if not _near(ms, arrival, source.max_age):
            flags.append("clock")
            return arrival, False
        return ms, not isinstance(value, FromArrival)

    def _beginning(self, observed: int) -> bytes:
        """Return when what a reading covers began."""
        return times.text(max(0, observed - round((self.binding.period or 0.0) * 1000))) if self._covers else b""

    def _location(self, fields: Fields, entity: Entity, moment: bytes, flags: list[str]) -> bytes:
        place = self.binding.location
        coordinates = _coordinates(place, fields) if isinstance(place, Position) else None
        if coordinates is None:
            if self.model.location_required and not entity.place:
                raise _placeless(place, fields)
            return entity.place
        longitude, latitude = coordinates[:2]
        if not self.spec.area.holds(longitude, latitude):
            raise PayloadError(f"{self.spec.area.refusal(longitude, latitude)}.", Reason.LOCATION_OUTSIDE)
        if entity.registered is not None and _swapped((longitude, latitude), entity.registered):
            flags.append("swapped:location")
        return _located(self._places[len(coordinates) > _FLAT], coordinates, moment)

    def _attributes(self, fields: Fields, moment: bytes, flags: list[str]) -> list[bytes]:
        parts: list[bytes] = []
        seen = measured = False
        for slot, pattern in self._attribute_patterns:
            value = slot.path.find(fields)
            if value is None:
                continue
            seen = seen or slot.measured
            try:
                text = slot.render(value, flags)
            except ValueRefusedError as refusal:
                flags.append(f"{refusal}:{slot.name}")
                continue
            parts.append(pattern.filled(text, moment))
            measured = measured or slot.measured
        if self.slots and not measured and not self.binding.stated:  # a Device is there, whatever it tells
            raise _nothing_left(flags, self.slots, fields) if seen else nothing_measured([self.slots], [fields])
        return parts


def _place_pattern(encoder: Encoder, *, altitude: bool, observed: bool) -> Pattern:
    places = (LONGITUDE, LATITUDE, ALTITUDE) if altitude else (LONGITUDE, LATITUDE)
    return Pattern(encoder.location(altitude=altitude, observed=observed), MOMENT, *places)


def _located(pattern: Pattern, coordinates: tuple[float, ...], moment: bytes = b"") -> bytes:
    return pattern.filled(moment, *orjson.dumps(coordinates)[1:-1].split(b","))


def _near(ms: int, arrival: int, max_age: float) -> bool:
    return arrival - max_age * 1000 <= ms <= arrival + AHEAD_MS


def _no_time(source: ObservedAt, fields: Fields, value: object) -> PayloadError:
    expected = "an RFC 3339 time with a zone" if source.format == "iso" else f"a number of {source.format}"
    return PayloadError(f"Expected {expected} in {_instead(source.path, fields, value)}.", Reason.TIME_INVALID)


def _instead(path: Path, fields: Fields, value: object) -> str:
    """Name a field, and what stands there instead of what was expected."""
    return f"{path.text}; {lack(path, fields)}" if value is None else f"{path.text}, got {told(value)}"


def _placeless(place: Position | Fixed | None, fields: Fields) -> PayloadError:
    detail = "The model requires a location; neither the payload nor the device registry has one."
    if isinstance(place, Position):
        lacks = " and ".join(lack(path, fields) for path in (place.longitude, place.latitude))
        detail = f"The model requires a location; {lacks}, and the device registry has none."
    return PayloadError(detail, Reason.LOCATION_MISSING)


def _coordinates(place: Position, fields: Fields) -> tuple[float, ...] | None:
    longitude, latitude = place.longitude.find(fields), place.latitude.find(fields)
    if longitude is None and latitude is None:
        return None
    if not _degrees(longitude, _LONGEST_LONGITUDE):
        expected = f"Expected a longitude from -180 to 180 in {_instead(place.longitude, fields, longitude)}."
        raise PayloadError(expected, Reason.LOCATION_INVALID)
    if not _degrees(latitude, _LONGEST_LATITUDE):
        expected = f"Expected a latitude from -90 to 90 in {_instead(place.latitude, fields, latitude)}."
        raise PayloadError(expected, Reason.LOCATION_INVALID)
    if longitude == latitude == 0:
        raise PayloadError("The coordinates are 0,0: a receiver without a fix.", Reason.LOCATION_INVALID)
    altitude = place.altitude.find(fields) if place.altitude else None
    if isinstance(altitude, int | float) and not isinstance(altitude, bool) and abs(altitude) < 1e5:  # noqa: PLR2004
        return float(longitude), float(latitude), float(altitude)
    return float(longitude), float(latitude)


def _swapped(told: tuple[float, ...], registered: tuple[float, ...]) -> bool:
    """Say whether a position is near the registered one only with longitude and latitude exchanged."""
    return _meet(told[::-1], registered) and not _meet(told, registered)


def _meet(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return all(abs(a - b) < SWAPPED_DEGREES for a, b in zip(one, other, strict=True))


def _degrees(value: object, limit: float) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and -limit <= value <= limit


def nothing_measured(plans: Sequence[tuple[AttributeRule, ...]], readings: Sequence[Fields]) -> PayloadError:
    """Return why nothing of a message is published: none of the attributes of any plan is in any reading."""
    paths = (slot.path for slots in plans for slot in slots if slot.measured)
    return PayloadError(lacking(paths, readings), Reason.NOTHING_MEASURED)


def _nothing_left(flags: list[str], slots: tuple[AttributeRule, ...], fields: Fields) -> PayloadError:
    refused = [flag.split(":")[1] for flag in flags if ":" in flag]
    by_name = {slot.name: slot for slot in slots}
    expected = ", ".join(by_name[name].allowed() for name in refused)
    came = ", ".join(f"{by_name[name].path.text} {told(by_name[name].path.find(fields))}" for name in refused)
    detail = f"No attribute can be published ({'; '.join(flags)}). Expected: {expected}, got {came}."
    return PayloadError(detail, Reason.OUT_OF_BOUNDS)
