"""The identify stage: whose uplink is it, and which connector decodes it.

The registry comes first; where it does not know a device and may not, the network server's own names choose the
connector. What was found out is kept by DevEUI, in a bounded cache, until the registry changes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from pipeline.core.delivery import Batch, Delivery, Fate, Message, PassThrough, Stage
from pipeline.core.errors import PayloadError, Reason
from pipeline.core.field_path import told
from pipeline.core.recent import MOST_NAMES, Recent, Room
from pipeline.devices.registry import CurrentRegistry, Device, DeviceRegistry, Preference
from pipeline.encode.dead_letter import Refusals
from pipeline.lorawan.statistics import DeviceFrameStatistics, FrameCounts
from pipeline.lorawan.unwrap import Heard
from pipeline.normalise.normalise import Identified, KnownDevice
from pipeline.normalise.records import CompiledConnector
from pipeline.sdk.uplink import Names, Uplink

DEVICES = MOST_NAMES
"""How many devices of networks are always known, of all feeds together."""

_UNWANTED: dict[Preference | None, bool] = {"server": True, "raw": False}
_TAGS = ("connector", "headrace")
_NO_WORD = re.compile(r"[^a-z0-9]+")
_LONGEST_NAME = 200  # characters; no connector's name has as many, and a server's message may hold 256 KiB


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
    return _NO_WORD.sub("-", text[:_LONGEST_NAME].lower()).strip("-")


class UnknownDeviceSink(Protocol):
    """Records refused devices, for a person to look at."""

    def note(self, eui: str, names: Names, arrival: int) -> None:
        """Count one refused uplink of a device."""


@dataclass(frozen=True, slots=True)
class ChosenConnector:
    """The connector that decodes a device's uplinks.

    Attributes:
        name: Under `connectors` of the configuration, or `vendor/device`.
        because: The words of the network server that chose it; None where the registry did.
        model: The model that the registry names in place of the connector's first.
    """

    name: str
    because: str | None = None
    model: str | None = None


def registered(devices: DeviceRegistry, eui: str) -> Device | None:
    """Return the row of the device that sent an uplink: by its DevEUI, or by what its network calls it."""
    return devices.by_eui(eui) or devices.by_name(eui)


def choose(
    device: Device | None, matcher: ConnectorMatcher | None, names: Callable[[], Names]
) -> ChosenConnector | None:
    """Return the connector of a device: the registry's word goes before the network server's names.

    Args:
        device: The device's row in the registry, if it has one.
        matcher: Finds a connector by the server's names; None where a device must be registered.
        names: Returns the server's names.
    """
    model = None if device is None else device.model
    if device is not None and device.connector is not None:
        return ChosenConnector(device.connector, None, model)
    told = None if matcher is None else matcher.because(names())
    return None if told is None else ChosenConnector(*told, model)


@dataclass(frozen=True, slots=True)
class Rules:
    """How devices are identified.

    Attributes:
        compiled: Compiles the connector of a name, for a model or for its own; once each.
        matcher: Finds the connector of a device that the registry does not know; None where it must be registered.
        frames: Counts the frames that servers tell of.
        prefer: Which uplinks of a device heard through a server and raw are published, where the registry does not say.
    """

    compiled: Callable[[str, str | None], CompiledConnector]
    matcher: ConnectorMatcher | None
    frames: DeviceFrameStatistics
    prefer: Preference | None = None


@dataclass(slots=True, eq=False)
class _Known(KnownDevice):
    """A device, with the uplinks of it that are not published, by their `raw`, and its frame counter."""

    unwanted: bool | None
    counted: FrameCounts
    frames: DeviceFrameStatistics

    def refused(self) -> None:
        self.frames.refused(self.counted)


class Identify(PassThrough[Heard]):
    """Finds the device of each uplink of one feed.

    Args:
        directory: The device registry.
        rules: How devices are identified.
        out: Makes the records of uplinks.
        refusals: Makes the dead letters of uplinks that no registered device sent, or no connector decodes.
        strangers: Takes note of their devices.
        room: Holds what was found out, with the worker's other feeds.
    """

    def __init__(
        self,
        directory: CurrentRegistry,
        rules: Rules,
        *,
        out: Stage[Identified],
        refusals: Refusals,
        strangers: UnknownDeviceSink,
        room: Room | None = None,
    ) -> None:
        self._directory = directory
        self._rules = rules
        self._frames = rules.frames
        self._out = out
        self._refusals = refusals
        self._strangers = strangers
        self._known: Recent[str, _Known] = Recent(room or Room("devices", DEVICES))
        directory.on_change(self._known.clear)

    def put(self, batch: Batch[Heard]) -> None:
        """Find the device of each uplink, count its frame and pass it on, in order."""
        found: list[Identified] = []
        waiting: set[str] = set()  # devices of uplinks in `found` whose records may tell how many frames were counted
        known, frames, delivery = self._known.young, self._frames, batch.delivery
        for uplink, message in batch.items:
            device = known.get(uplink.device) or self._known.get(uplink.device)
            if device is None or message[2] >= device.due:
                device = self._found(device, uplink, message, delivery, found)
                if device is None:
                    continue
            if uplink.raw is device.unwanted:
                delivery.seal(Fate.DEDUPLICATED)  # its other copy is the one that counts
                continue
            if device.entity is None or message[2] >= device.due:
                if device.name in waiting:
                    self._pass_on(delivery, found)
                    waiting.clear()
                waiting.add(device.name)
            if uplink.f_cnt is not None and not uplink.raw:
                frames.told(device.counted, uplink.dev_addr, uplink.f_cnt)
            found.append((device, uplink, message))
        self._pass_on(delivery, found)

    def connector(self, device: str) -> str | None:
        """Return the name of the connector that reads a device's uplinks, if it is known."""
        known = self._known.get(device)
        return None if known is None else known.connector.plans[0].binding.name

    def connector_of(self, device: str, names: Names, arrival: int) -> CompiledConnector:
        """Return what makes the records of a device of which an event tells.

        Raises:
            PayloadError: the device is unknown.
        """
        known = self._known.get(device)
        return (known or self._find(device, lambda: names, arrival)).connector

    def _pass_on(self, delivery: Delivery, found: list[Identified]) -> None:
        if found:
            self._out.put(Batch(delivery, found.copy()))
            found.clear()

    def _found(
        self, device: _Known | None, uplink: Uplink, message: Message, delivery: Delivery, found: list[Identified]
    ) -> _Known | None:
        """Return an uplink's device, looked up anew if that is due; None: there is none, and a dead letter says so."""
        if device is not None and not device.due:  # just found, not yet presented
            return device
        try:  # its server may call it something else by now
            return self._find(uplink.device, uplink.names, message.arrival)
        except Exception as error:  # noqa: BLE001 - nothing in a message may stop the ones beside it
            self._pass_on(delivery, found)  # it may become a dead letter of the same topic, which is the older one
            self._refusals.refuse(delivery, message, error, "identify")
            return None

    def _find(self, eui: str, names: Callable[[], Names], arrival: int) -> _Known:
        """Find out about a device.

        Raises:
            PayloadError: The device is unknown (`device_unknown`), or its connector is (`connector_unknown`).
        """
        device, rules = registered(self._directory.devices, eui), self._rules
        if device is None and rules.matcher is None:
            self._strangers.note(eui, names(), arrival)
            raise PayloadError(f"The registry has no device {eui}.", Reason.DEVICE_UNKNOWN)
        chosen = choose(device, rules.matcher, names)
        if chosen is None:
            self._strangers.note(eui, names(), arrival)
            raise PayloadError(_unknown(eui, names()), Reason.CONNECTOR_UNKNOWN)
        connector = rules.compiled(chosen.name, chosen.model)
        prefer = None if device is None else device.prefer
        lean = len(connector.plans) == 1 and not connector.tells
        known = _Known(
            name=eui,
            connector=connector,
            entity=connector.plans[0].known(eui) if lean else None,
            due=0,
            unwanted=_UNWANTED.get(prefer or rules.prefer),
            counted=self._frames.refresh(eui),
            frames=self._frames,
        )
        self._known.put(eui, known)
        return known


def _unknown(eui: str, names: Names) -> str:
    said = {"brand": names.brand, "model": names.model, "profile": names.profile}
    names_told = ", ".join(f"{what} {told(text)}" for what, text in said.items() if text)
    tells = names_told or "neither brand, model nor profile"
    return f"Nothing says which connector decodes the device {eui}: the server tells {tells}."
