"""The events stage: what happens to devices and gateways beside uplinks becomes records of `<tenant>.device-events.v1`.

What an event tells of the device's state (battery, signal) goes into its whole Device entity too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import quote
from zlib import crc32

import orjson

from pipeline import cloudevents, times
from pipeline.bundle import Bundle
from pipeline.delivery import Batch, Stage
from pipeline.device_state import DeviceStates
from pipeline.dialect import Event
from pipeline.directory import Directory
from pipeline.entity import entity_id
from pipeline.errors import PayloadError
from pipeline.fan_out import Fan, Outcome
from pipeline.message import Message
from pipeline.record import Destination, Record, encode_headers
from pipeline.refusals import Refusals
from pipeline.unwrap import Told
from pipeline.uplink import Names, Uplink

TYPE = "org.headrace.DeviceEvent"
_CONTENT_TYPE = "application/json"
_DEVICE = "Device"


class Events(Stage[Told]):
    """Makes the records of one feed's events.

    fan: what makes the records of a device, by its DevEUI and the server's names; it raises PayloadError for a device
    that nobody knows, whose events are published all the same.
    """

    def __init__(
        self,
        tenant: str,
        topic: str,
        *,
        directory: Directory,
        fan: Callable[[str, Names], Fan],
        refusals: Refusals,
    ) -> None:
        self._tenant = tenant
        self._topic = topic
        self._directory = directory
        self._fan = fan
        self._refusals = refusals

    def put(self, batch: Batch[Told]) -> None:
        """Make the records of each event and pass them on, in order."""
        bundle = Bundle(batch.delivery, self._refusals.publisher)
        for event, message in batch.items:
            try:
                records, states, changed = self._records(event, message)
            except Exception as error:  # noqa: BLE001 - nothing in a message may stop the ones beside it
                records, states, changed = [self._refusals.letter(message, error, "events")], None, False
            bundle.add(records, states, changed=changed)
        bundle.close()

    def kept(self) -> int:
        """Nothing stays here."""
        return 0

    async def drain(self, deadline: float) -> None:
        """Nothing stays here."""

    def _records(self, event: Event, message: Message) -> tuple[list[Record], DeviceStates | None, bool]:
        own = self.record(event, message)
        if not event.state or event.device is None:
            return [own], None, False
        try:
            fan = self._fan(event.device, event.names())
        except PayloadError:
            return [own], None, False
        uplink = Uplink(message.payload, device=event.device, time=event.time)
        outcome = Outcome(message, several=False, uplink=uplink)
        fan.learn(event.device, event.state, {}, outcome)
        return [own, *outcome.records], fan.states, outcome.changed

    def record(self, event: Event, message: Message) -> Record:
        """Return the record of one event; its key is the id of the Device entity that it is about."""
        who = event.device or event.gateway
        registered = None if event.device is None else self._directory.find(event.device)
        key = quote(who or message.topic, safe="") if registered is None else quote(registered.key, safe="")
        subject = entity_id(_DEVICE, self._tenant, key)
        observed = message.arrival if event.time is None else event.time
        value = orjson.dumps(_value(event, subject, observed))
        discriminator = f"{observed}-{crc32(message.payload):08x}"
        pairs = [
            ("content-type", _CONTENT_TYPE.encode()),
            ("ce_specversion", cloudevents.SPEC_VERSION.encode()),
            ("ce_id", f"DeviceEvent:{key}:{event.kind}:{discriminator}".encode()),
            ("ce_source", cloudevents.source(self._tenant).encode()),
            ("ce_type", f"{TYPE}.{event.kind}".encode()),
            ("ce_time", times.text(observed)),
            ("ce_subject", subject.encode()),
            ("ce_recordedtime", times.text(message.arrival)),
            ("ce_dataclassification", b"internal"),
            ("ce_feed", self._refusals.feed.encode()),
        ]
        if event.time is None:
            pairs.append((cloudevents.ID_CLASS, b"arrival"))
        if message.traceparent is not None:
            pairs.append((cloudevents.TRACEPARENT, message.traceparent.encode()))
        destination = Destination(self._topic, subject.encode(), self._refusals.feed, lasting=False)
        return Record.make(destination, value, encode_headers(pairs), message.arrival, message)


def _value(event: Event, subject: str, observed: int) -> dict[str, Any]:
    value: dict[str, Any] = {"event": event.kind, "subject": subject, "time": times.text(observed).decode()}
    if event.device is not None:
        value["devEui"] = event.device
    if event.gateway is not None:
        value["gateway"] = event.gateway
    if event.location is not None:
        value["coordinates"] = list(event.location)
    value["details"] = event.details
    return value
