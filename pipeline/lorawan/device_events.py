"""The events stage: what happens to devices and gateways beside uplinks becomes records of `<tenant>.device-events.v1`.

What an event tells of the device's state (battery, signal) goes into its whole Device entity too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote
from zlib import crc32

import orjson

from pipeline.core import times
from pipeline.core.budgets import Allowance
from pipeline.core.delivery import Batch, Fate, Message, PassThrough
from pipeline.core.errors import PayloadError
from pipeline.core.record import DEVICE, Record
from pipeline.devices.registry import CurrentRegistry
from pipeline.devices.state import LATITUDE, LONGITUDE, DeviceStates, plain
from pipeline.encode.dead_letter import Refusals
from pipeline.encode.device_event import About, event_record
from pipeline.encode.headers import GivenNames, crc32c, entity_id, suffix
from pipeline.lorawan.statistics import FrameStatistics
from pipeline.lorawan.unwrap import Told
from pipeline.normalise.records import CompiledConnector, MessageRecords, RecordBuffer
from pipeline.sdk.dialect import Event
from pipeline.sdk.uplink import Names, Uplink

_OWN_WORDS = {"gateway_stats", "gateway_ack"}  # a gateway's own; its state is its server's word
_GATEWAY_AN_HOUR = 360  # a packet forwarder tells of itself each 30 s as it is delivered, each 10 s at its fastest


class DeviceEvents(PassThrough[Told]):
    """Makes the records of one feed's events.

    Args:
        tenant: Whose devices they are.
        topic: Where events go.
        directory: The device registry.
        connector: Returns what makes the records of a device, by its DevEUI, the server's names and arrival; it raises
            PayloadError for an unknown device, whose events are published all the same.
        gateways: Makes the Device entities of gateways.
        ledger: Counts their packets, on a feed of gateways.
        heard: Takes note of a gateway that told of itself, and when (ms since 1970).
        names: Those that were made of an arrival lately.
        refusals: Makes dead letters.
        allowance: How often gateways that nothing proves are told of.
    """

    def __init__(
        self,
        tenant: str,
        topic: str,
        *,
        directory: CurrentRegistry,
        connector: Callable[[str, Names, int], CompiledConnector],
        gateways: CompiledConnector,
        ledger: FrameStatistics | None,
        heard: Callable[[str, int], None],
        names: GivenNames,
        refusals: Refusals,
        allowance: Allowance | None = None,
    ) -> None:
        self._tenant = tenant
        self._topic = topic
        self._directory = directory
        self._connector = connector
        self._gateways = gateways
        self._ledger = ledger
        self._heard = heard
        self._names = names
        self._refusals = refusals
        self._allowance = allowance

    def put(self, batch: Batch[Told]) -> None:
        """Make the records of each event and pass them on, in order."""
        buffer = RecordBuffer(batch.delivery, self._refusals)
        for event, message in batch.items:
            if self._too_often(event, message.arrival):
                buffer.delivery.seal(Fate.FILTERED)
                continue
            try:
                records, states, changed = self._records(event, message)
            except Exception as error:  # noqa: BLE001 - nothing in a message may stop the ones beside it
                buffer.refuse(message, error, "events")
            else:
                buffer.add(records, states, changed=changed)
        buffer.close()

    def _too_often(self, event: Event, arrival: int) -> bool:
        if event.verified or event.gateway is None or self._allowance is None:
            return False
        if self._allowance.take(event.gateway, arrival, _GATEWAY_AN_HOUR):
            return False
        if self._ledger is not None:
            self._ledger.gateway_events_limited += 1
        return True

    def _records(self, event: Event, message: Message) -> tuple[list[Record], DeviceStates | None, bool]:
        discriminator = self._discriminator(event, message)
        own = self._record(event, message, discriminator)
        if event.packets is not None and self._ledger is not None:
            self._ledger.counted(*event.packets)
        if event.gateway is not None and event.kind in _OWN_WORDS and not message.retained:
            self._heard(event.gateway, message.arrival)
        found = self._whose(event, message.arrival)
        if found is None:
            return [own], None, False
        connector, name, heard = found
        said = f"{event.kind} {discriminator}".encode()  # not the message: it may tell several events of one device
        outcome = MessageRecords(message, several=False, uplink=Uplink(said, device=name, time=event.time))
        outcome.digest = crc32c(said)
        connector.learn(name, heard, {}, outcome)
        return [own, *outcome.records], connector.states, outcome.changed

    def _whose(self, event: Event, arrival: int) -> tuple[CompiledConnector, str, Mapping[str, Any]] | None:
        """Return what makes the Device entity that an event changes, its name, and what is new of it."""
        state = {name: value for name, value in event.state.items() if plain(value)}
        if event.device is not None:
            try:
                return (self._connector(event.device, event.names(), arrival), event.device, state) if state else None
            except PayloadError:
                return None
        if event.gateway is None or not (state or event.location):
            return None
        place = {} if event.location is None else {LONGITUDE: event.location[0], LATITUDE: event.location[1]}
        return self._gateways, event.gateway, {"deviceState": "ONLINE", **state, **place}

    def _discriminator(self, event: Event, message: Message) -> str:
        """Return what tells an event from others of its kind and device: its id, its time, or else arrival."""
        if event.id is not None:
            return event.id
        checksum = _checksum(event)
        if event.time is not None:
            return f"{event.time}-{checksum:08x}"
        name = f"{message.arrival}-{checksum:08x}"
        return name + suffix(self._names.index(f"{event.kind}:{name}"))

    def _record(self, event: Event, message: Message, discriminator: str) -> Record:
        """Return the record of one event; its key is the id of the Device entity that it is about."""
        who = event.device or event.gateway
        registered = None if event.device is None else self._directory.find(event.device)
        key = quote(who or message.topic, safe="") if registered is None else quote(registered.key, safe="")
        subject = entity_id(DEVICE, self._tenant, key)
        observed = message.arrival if event.time is None else event.time
        value = orjson.dumps(_value(event, subject, observed))
        about = About(self._tenant, self._topic, self._refusals.feed, event.kind, key, observed, event.verified)
        arrived = event.time is None and event.id is None
        return event_record(about, value, discriminator, message, arrived=arrived)


def _checksum(event: Event) -> int:
    """Return what tells events of one time apart, alike in each process: protobuf gives a map's keys in any order.

    Not of the message: a datagram may hold several.
    """
    return crc32(orjson.dumps([event.device, event.gateway, event.details], option=orjson.OPT_SORT_KEYS))


def _value(event: Event, subject: str, observed: int) -> dict[str, Any]:
    value: dict[str, Any] = {"event": event.kind, "subject": subject, "time": times.text(observed).decode()}
    if event.device is not None:
        value["devEui"] = event.device
    if event.gateway is not None:
        value["gateway"] = event.gateway
    if not event.verified:
        value["verified"] = False
    if event.location is not None:
        value["coordinates"] = list(event.location)
    value["details"] = event.details
    return value
