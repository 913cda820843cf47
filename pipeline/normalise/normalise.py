"""The stages of the reading path: from messages, or the uplinks of a network's devices, to the publisher.

    InlineStage    messages of a JSON feed: one reading, one record each
    VendorStage    messages that a vendor's connector or a format decodes: any number of records each
    UplinkStage    uplinks whose devices are known: the same, and what a network tells beside them

Each asks the same of a message: is it to be read at all, what readings does it hold (decode.py, records.py), what
records do they become (plan.py). What is wrong with one becomes its dead letter (RecordBuffer.refuse) and stops none of
the messages beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.core.delivery import Batch, Fate, Message, PassThrough
from pipeline.core.errors import PayloadError
from pipeline.core.field_path import Fields
from pipeline.core.record import Record
from pipeline.encode.dead_letter import Refusals
from pipeline.encode.headers import crc32c, recorded_header
from pipeline.normalise.decode import name_of, named, parser, too_large
from pipeline.normalise.entity import Entity
from pipeline.normalise.plan import Plan
from pipeline.normalise.records import CompiledConnector, MessageRecords, RecordBuffer
from pipeline.sdk.connector import Decoded, FromArrival
from pipeline.sdk.uplink import Uplink


@dataclass(frozen=True, slots=True)
class RouteRules:
    """What is to be read of a route's messages.

    Attributes:
        level: Returns the device's name from a topic, where the connector takes it from there.
        keep_retained: Whether an old value that the broker sends anew is a reading too; otherwise it is filtered.
        max_payload: Bytes; a longer payload is not decoded.
    """

    level: Callable[[str], str | None]
    keep_retained: bool
    max_payload: int


class RouteStage(PassThrough[Message]):
    """Makes the records of one route's messages. plan: the first observation's."""

    def __init__(self, plan: Plan, rules: RouteRules, refusals: Refusals) -> None:
        self._rules = rules
        self._name = name_of(plan.binding, rules.level)
        self._provenance = plan.provenance
        self._refusals = refusals

    def put(self, batch: Batch[Message]) -> None:
        """Make the records of each message and pass them on, in the order of receipt."""
        buffer = RecordBuffer(batch.delivery, self._refusals)
        limit = self._rules.max_payload
        if [message for message in batch.items if message[3] or len(message[1]) > limit]:
            for message in batch.items:
                self._one(message, buffer)
        else:  # as nearly always: a call for each message would cost a tenth of all
            self._read(batch.items, buffer)
        buffer.close()

    def _one(self, message: Message, buffer: RecordBuffer) -> None:
        payload, limit = message.payload, self._rules.max_payload
        if message.retained and not self._rules.keep_retained:
            buffer.delivery.seal(Fate.FILTERED)
        elif len(payload) > limit:
            buffer.refuse(message, too_large(payload, limit), "decode", self._provenance)
        else:
            self._read([message], buffer)

    def _read(self, messages: Sequence[Message], buffer: RecordBuffer) -> None:
        """Add what each message becomes."""
        raise NotImplementedError


Reading = tuple[Entity, Fields, Message]
"""One device's fields, between the entity that they are about and the message that brought them."""


class InlineStage(RouteStage):
    """Reads messages that are one reading of one plan."""

    def __init__(self, plan: Plan, rules: RouteRules, refusals: Refusals) -> None:
        super().__init__(plan, rules, refusals)
        self._plan = plan
        self._parse = parser(plan.binding)

    def _read(self, messages: Sequence[Message], buffer: RecordBuffer) -> None:
        """Decode all, then normalise all: 4 % faster than one by one, as each half stays in the processor's cache."""
        parse, name_in, entities = self._parse, self._name, self._plan.entities
        readings: list[Reading] = []
        for message in messages:
            topic, payload, _, _, _ = message
            try:
                fields = parse(payload)
                name = name_in(topic, fields)
                kind = name.__class__
                entity = entities.get(name) if kind is str or kind is int else None
                readings.append((entity or self._entity(name, fields), fields, message))
            except Exception as error:  # noqa: BLE001 - nothing in a message may stop the ones beside it
                self._normalise(readings, buffer)
                readings.clear()
                buffer.refuse(message, error, "decode", self._provenance)
        self._normalise(readings, buffer)

    def _normalise(self, readings: list[Reading], buffer: RecordBuffer) -> None:
        plan, add = self._plan, buffer.records.append
        for entity, fields, message in readings:
            _, payload, arrival, _, traceparent = message
            recorded, digest = recorded_header(arrival), crc32c(payload)
            try:
                record = plan.fast(fields, entity, message, recorded, digest) if traceparent is None else None
                if record is None:
                    record = plan.carefully(fields, entity, message, recorded, digest)
            except Exception as error:  # noqa: BLE001 - nothing in a message may stop the ones beside it
                buffer.refuse(message, error, "normalise", self._provenance)
            else:
                entity.seen.last = arrival
                add(record)

    def _entity(self, name: Any, fields: Fields) -> Entity:  # noqa: ANN401 - a payload holds anything
        try:
            return self._plan.known(name)
        except PayloadError as refusal:
            raise named(refusal, self._plan.binding.device, fields) from None


class VendorStage(RouteStage):
    """Reads messages that a connector's own code decodes; all that one becomes shares its fate."""

    def __init__(self, connector: CompiledConnector, rules: RouteRules, refusals: Refusals) -> None:
        super().__init__(connector.plans[0], rules, refusals)
        self._connector = connector

    def _read(self, messages: Sequence[Message], buffer: RecordBuffer) -> None:
        connector = self._connector
        for message in messages:
            try:
                readings = connector.readings(message)
            except Exception as error:  # noqa: BLE001 - nothing in a message may stop the ones beside it
                buffer.refuse(message, error, "decode", self._provenance)
            else:
                buffer.take(connector.records(readings, message, self._name), connector)


@dataclass(slots=True, eq=False)
class KnownDevice:
    """A device of a network of which it is known what makes the records of its uplinks.

    Attributes:
        name: Its DevEUI, or what its network calls it.
        connector: The connector that decodes its uplinks.
        entity: Of a device whose uplinks make one record each and tell nothing of the device; else None.
        due: When its Device entity is published though it tells nothing of itself (ms since 1970).
    """

    name: str
    connector: CompiledConnector
    entity: Entity | None
    due: int

    def called(self, topic: str, fields: Fields) -> str:  # noqa: ARG002 - the uplink says whose it is
        """Return its name, whatever its readings say."""
        return self.name

    def refused(self) -> None:
        """Count an uplink that became a dead letter, or of which a part did."""


Identified = tuple[KnownDevice, Uplink, Message]
"""An uplink between the device that sent it and the message that brought it."""


class UplinkStage(PassThrough[Identified]):
    """Makes the records of uplinks."""

    def __init__(self, refusals: Refusals) -> None:
        self._refusals = refusals

    def put(self, batch: Batch[Identified]) -> None:
        """Make the records of each uplink and pass them on, in order."""
        buffer = RecordBuffer(batch.delivery, self._refusals)
        for device, uplink, message in batch.items:
            arrival, time, entity = message[2], uplink.time, device.entity
            uplink.received_at = FromArrival(arrival) if time is None else time
            record: Record | None = None
            try:
                readings = device.connector.decoded(uplink)
                if entity is not None and readings.__class__ is dict and arrival < device.due and message[4] is None:
                    record = entity.origin.fast_uplink(readings, entity, message, recorded_header(arrival), uplink)
            except Exception as error:  # noqa: BLE001 - nothing in a message may stop the ones beside it
                device.refused()
                buffer.refuse(message, error, "decode", device.connector.provenance)
                continue
            if entity is None or record is None:
                self._closely(device, readings, uplink, message, buffer)
            else:  # all is as expected, which it nearly always is
                entity.seen.last = arrival
                buffer.records.append(record)
        buffer.close()

    def _closely(
        self, device: KnownDevice, readings: Decoded, uplink: Uplink, message: Message, buffer: RecordBuffer
    ) -> None:
        """Add whatever an uplink becomes, and the entity of a device of which that is due."""
        connector = device.connector
        made = connector.records(readings, message, device.called, uplink)
        if message.arrival >= device.due:
            self._present(device, made)
        if made.refusal is not None:
            device.refused()
        buffer.take(made, connector)

    def _present(self, device: KnownDevice, made: MessageRecords) -> None:
        """Publish a device's entity at first sight, and each interval, though it tells nothing of itself."""
        device.due = made.message.arrival + device.connector.interval
        try:
            if not device.connector.tells:
                device.connector.learn(device.name, {}, {}, made)
        except Exception as error:  # noqa: BLE001 - nothing in a message may stop the ones beside it
            made.refuse(error, "")
