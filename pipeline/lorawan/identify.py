"""The identify stage: whose uplink is it, which connector decodes it, and what records does it make.

The registry comes first; where it does not know a device and may not, the network server's own names choose the
connector. What was found out is kept by DevEUI, in a bounded cache, until the registry changes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, Protocol

from pipeline.core.clock import CLOCK
from pipeline.core.delivery import Batch, Fate, Message, Stage
from pipeline.core.errors import PayloadError, Reason, as_refusal
from pipeline.core.field_path import told
from pipeline.core.recent import MOST_NAMES, Recent, Room
from pipeline.core.record import Record
from pipeline.devices.registry import CurrentRegistry
from pipeline.encode.dead_letter import Refusals
from pipeline.encode.ngsi_ld import recorded_header
from pipeline.lorawan.statistics import DeviceFrameStatistics, FrameCounts
from pipeline.lorawan.unwrap import Heard
from pipeline.normalise.entity import Entity
from pipeline.normalise.normalise import RecordBuffer
from pipeline.normalise.vendor import CompiledConnector, MessageRecords
from pipeline.sdk.connector import Decoded, FromArrival
from pipeline.sdk.uplink import Names, Uplink

_TAGS = ("connector", "headrace")
_NO_WORD = re.compile(r"[^a-z0-9]+")


class ConnectorMatcher:
    """Chooses among the names of connectors: `vendor/device`, and what the configuration calls its own.

    In this order: a tag `connector` (or `headrace`) that holds the name; brand and model; the device profile's name,
    which is the connector's, or reads like it ("Milesight EM300-TH"). A model alone is enough where one vendor only has
    it: servers spell brands in ways of their own (`milesight-iot`).
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._names = set(names)
        self._spelt = {_slug(name): name for name in sorted(self._names, reverse=True)}
        self._models: dict[str, list[str]] = {}
        for name in sorted(self._names):
            self._models.setdefault(name.rpartition("/")[2], []).append(name)

    def __call__(self, names: Names) -> str | None:
        """Return the connector's name, or None."""
        return next((name for name, _ in self._candidates(names)), None)

    def because(self, names: Names) -> tuple[str, str] | None:
        """Return the connector's name, and the server's words that chose it; or None."""
        return next(self._candidates(names), None)

    def _candidates(self, names: Names) -> Iterator[tuple[str, str]]:
        yield from ((tag, f"tag {key}") for key in _TAGS if (tag := names.tags.get(key, "")) in self._names)
        if names.model:
            for name in self._by_model(_slug(names.brand or ""), _slug(names.model)):
                yield name, "brand and model"
        if names.profile:
            if names.profile in self._names:
                yield names.profile, "device profile"
            spelt = self._spelt.get(_slug(names.profile))
            if spelt is not None:
                yield spelt, "device profile"

    def _by_model(self, brand: str, model: str) -> Iterator[str]:
        known = self._models.get(model, [])
        yield from (name for name in known if _slug(name.rpartition("/")[0]) == brand)
        if len(known) == 1:
            yield known[0]


def _slug(text: str) -> str:
    """Return a name in lower case, with a dash for whatever is no letter and no digit."""
    return _NO_WORD.sub("-", text.lower()).strip("-")


DEVICES = MOST_NAMES
"""How many devices of networks are always known, of all feeds together."""

Preference = Literal["server", "raw"]
_UNWANTED: dict[Preference | None, bool] = {"server": True, "raw": False}


class UnknownDeviceSink(Protocol):
    """Whoever takes note of devices that were refused, for a person to look at."""

    def note(self, eui: str, names: Names, arrival: int) -> None:
        """Count one refused uplink of a device."""


@dataclass(frozen=True, slots=True)
class Rules:
    """How devices are identified. fan: compiles the connector of a name for a model, or for its own; once each.

    choose: the connector of a device that no registry knows, None where it must be registered. frames: where the frame
    counters that servers tell are noted. prefer: whom to publish when a device is heard through a server and raw, where
    the registry does not say.
    """

    fan: Callable[[str, str | None], CompiledConnector]
    choose: Callable[[Names], str | None] | None
    frames: DeviceFrameStatistics
    prefer: Preference | None = None


@dataclass(slots=True)
class _Known:
    """One device.

    unwanted: which of its uplinks are not published, by their `raw`. entity: of a device whose uplinks make one record
    each, and tell nothing of the device; else None.
    due: when it is looked up anew, and its Device entity published though it tells nothing of itself (ms since 1970).
    """

    fan: CompiledConnector
    decode: Callable[[Uplink], Decoded]
    unwanted: bool | None
    entity: Entity | None
    counted: FrameCounts
    due: int = 0


class Identify(Stage[Heard]):
    """Makes the records of the uplinks of one feed."""

    def __init__(
        self,
        directory: CurrentRegistry,
        rules: Rules,
        *,
        publisher: Stage[Record],
        refusals: Refusals,
        strangers: UnknownDeviceSink,
        room: Room | None = None,
    ) -> None:
        self._directory = directory
        self._rules = rules
        self._frames = rules.frames
        self._publisher = publisher
        self._refusals = refusals
        self._strangers = strangers
        self._known: Recent[str, _Known] = Recent(room or Room("devices", DEVICES))
        self._arrival = -1
        self._recorded = b""
        directory.on_change(self._forget)

    def _forget(self) -> None:
        self._known.clear()

    def put(self, batch: Batch[Heard]) -> None:
        """Make the records of each uplink and pass them on, in order."""
        bundle = RecordBuffer(batch.delivery, self._publisher)
        known, single = self._known.young, bundle.single
        for uplink, message in batch.items:
            device = known.get(uplink.device) or self._known.get(uplink.device)
            record = None if device is None else self._lean(device, uplink, message)
            if record is not None:
                single(record)
            else:
                self._carefully(uplink, message, bundle)
        bundle.close()

    def pending(self) -> int:
        """Nothing stays here."""
        return 0

    async def drain(self, deadline: float) -> None:
        """Nothing stays here."""

    def connector(self, device: str) -> str | None:
        """Return the name of the connector that reads a device's uplinks, if it is known."""
        known = self._known.get(device)
        return None if known is None else known.fan.plans[0].binding.name

    def told(self, device: str, names: Names) -> CompiledConnector:
        """Return what makes the records of a device of which an event tells.

        Raises:
            PayloadError: nobody knows the device.
        """
        known = self._known.get(device)
        return (known or self._find(device, lambda: names, CLOCK.now())).fan

    def _lean(self, device: _Known, uplink: Uplink, message: Message) -> Record | None:
        """Return the record of an uplink in which all is as expected, which is nearly each; None for any other."""
        entity, (_, _, arrival, _, traceparent) = device.entity, message
        if entity is None or arrival >= device.due or uplink.raw is device.unwanted or traceparent is not None:
            return None
        if not uplink.payload and not uplink.fields:
            return None
        time = uplink.time
        uplink.received_at = arrival if time is None else time
        try:
            fields = device.decode(uplink)
        except BaseException:  # noqa: BLE001 - told by `_fully`, which decodes again
            return None
        if fields.__class__ is not dict:
            return None
        if arrival != self._arrival:
            self._arrival, self._recorded = arrival, recorded_header(arrival)
        record = entity.plan.fast_uplink(fields, entity, message, self._recorded, uplink)
        if record is not None:
            entity.seen.last = arrival
            if not uplink.raw and uplink.f_cnt is not None:
                self._frames.told(device.counted, uplink.dev_addr, uplink.f_cnt)
        return record

    def _carefully(self, uplink: Uplink, message: Message, bundle: RecordBuffer) -> None:
        """Make whatever becomes of an uplink."""
        try:
            device = self._known.get(uplink.device)
            if device is None or message.arrival >= device.due > 0:  # its server may call it something else by now
                device = self._find(uplink.device, uplink.names, message.arrival)
        except Exception as error:  # noqa: BLE001 - nothing in a message may stop the ones beside it
            bundle.close()  # what waits there may be a dead letter of the same topic, which is the older one
            self._refusals.refuse(bundle.delivery, message, error, "identify")
            return
        if uplink.raw is device.unwanted:
            bundle.delivery.seal(Fate.DEDUPLICATED)  # its other copy is the one that counts
            return
        if uplink.f_cnt is not None and not uplink.raw:
            self._frames.told(device.counted, uplink.dev_addr, uplink.f_cnt)
        uplink.received_at = FromArrival(message.arrival) if uplink.time is None else uplink.time
        self._fully(device, uplink, message, bundle)

    def _fully(self, device: _Known, uplink: Uplink, message: Message, bundle: RecordBuffer) -> None:
        """Make whatever records an uplink makes, or its dead letter."""
        fan = device.fan
        try:
            readings = fan.decoded(uplink)
        except Exception as error:  # noqa: BLE001 - nothing in a message may stop the ones beside it
            bundle.add([self._letter(device, message, error, "decode")], fan.states)
            return
        outcome = fan.records(readings, message, lambda _, __: uplink.device, uplink)
        if message.arrival >= device.due:
            self._present(device, uplink, outcome)
        records = outcome.records
        if outcome.refusal is not None:
            records = [*records, self._letter(device, message, outcome.refusal, "normalise")]
        bundle.add(records, fan.states, changed=outcome.changed)

    def _present(self, device: _Known, uplink: Uplink, outcome: MessageRecords) -> None:
        """Publish a device's entity at first sight, and each interval, though it tells nothing of itself."""
        device.due = outcome.message.arrival + device.fan.interval
        try:
            if not device.fan.tells:
                device.fan.learn(uplink.device, {}, {}, outcome)
        except Exception as error:  # noqa: BLE001 - nothing in a message may stop the ones beside it
            outcome.refuse(error, "")

    def _find(self, eui: str, names: Callable[[], Names], arrival: int) -> _Known:
        """Find out about a device.

        Raises:
            PayloadError: nobody knows it (`device_unknown`), or how to decode it (`connector_unknown`).
        """
        registered = self._directory.devices.by_eui(eui) or self._directory.devices.by_name(eui)
        if registered is None and self._rules.choose is None:
            self._strangers.note(eui, names(), arrival)
            raise PayloadError(f"The registry has no device {eui}.", Reason.DEVICE_UNKNOWN)
        chosen = None if registered is None else registered.connector
        if chosen is None:
            chosen = None if self._rules.choose is None else self._rules.choose(names())
        if chosen is None:
            self._strangers.note(eui, names(), arrival)
            raise PayloadError(_unknown(eui, names()), Reason.CONNECTOR_UNKNOWN)
        fan = self._rules.fan(chosen, None if registered is None else registered.model)
        prefer = None if registered is None else registered.prefer
        lean = len(fan.plans) == 1 and not fan.tells
        entity = fan.plans[0].known(eui) if lean else None
        unwanted = _UNWANTED.get(prefer or self._rules.prefer)
        known = _Known(fan, fan.decode, unwanted, entity, self._frames.refresh(eui))
        self._known.put(eui, known)
        return known

    def _letter(self, device: _Known, message: Message, error: Exception, stage: str) -> Record:
        self._frames.refused(device.counted)
        return self._refusals.letter(message, as_refusal(error), stage, device.fan.plans[0].provenance)


def _unknown(eui: str, names: Names) -> str:
    said = {"brand": names.brand, "model": names.model, "profile": names.profile}
    names_told = ", ".join(f"{what} {told(text)}" for what, text in said.items() if text)
    tells = names_told or "neither brand, model nor profile"
    return f"Nothing says which connector decodes the device {eui}: the server tells {tells}."
