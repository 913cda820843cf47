"""The way of a message on a feed with a dialect: what the network says with it, whose it is, and who decodes it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from pipeline.build import stages as networks
from pipeline.build.connectors import Compiler, connectors_of
from pipeline.build.context import Shared
from pipeline.config import device_text
from pipeline.config.dialects import AUTO, chosen
from pipeline.config.root import Config
from pipeline.core.delivery import Batch, Stage
from pipeline.core.errors import PayloadError
from pipeline.core.message import Message
from pipeline.core.record import Record
from pipeline.devices.current import Directory
from pipeline.devices.registry import Device
from pipeline.encode.dead_letter import DeadLetters
from pipeline.encode.refusals import Refusals
from pipeline.lorawan.connector_matcher import Choice
from pipeline.lorawan.unwrap import recognised
from pipeline.normalise.vendor import Fan
from pipeline.sdk.dialect import Event, Frame, Said
from pipeline.sdk.uplink import Uplink
from pipeline.tools.dry_run import Deaf
from pipeline.tools.enrol import described, stranger
from pipeline.tools.explain import heard, reader
from pipeline.tools.explain.explanation import Explanation, Network
from pipeline.tools.explain.verdict import say_when_and_where

Item = TypeVar("Item")


class Networks:
    """The network server or gateways of one feed."""

    def __init__(self, config: Config, feed: str) -> None:
        self._config = config
        self._feed = feed
        self._shared = Shared(Directory(config.registered))
        self._compiler = Compiler(config, feed, self._shared)
        self._heard: list[Said] = []
        self._registry = Path(config.devices).name if config.devices else None

    def stages(self, publisher: Stage[Record], letters: DeadLetters) -> Stage[Message]:
        """Return the first stage, with all behind it up to the publisher."""
        refusals = Refusals(self._feed, letters, publisher, Deaf())
        feed = self._config.feeds[self._feed]
        return networks.unwrap(self._config, feed, self._compiler, refusals, self._shared, watch=self._watch)

    def describe(self, message: Message, said: Explanation) -> None:
        """Say how the message came to its records."""
        named = str(self._config.feeds[self._feed].dialect)
        said.network = Network(_dialect(named, message), named == AUTO)
        uplinks = [each for each in self._heard if isinstance(each, Uplink)]
        said.network.uplinks = [heard.transmission(each) for each in uplinks]
        said.network.frames = [heard.frame(each) for each in self._heard if isinstance(each, Frame)]
        said.network.verdicts = [each for ledger in self._shared.raw.values() for each in heard.verdicts(ledger)]
        said.network.events = [heard.happening(each) for each in self._heard if isinstance(each, Event)]
        if len(uplinks) > 1:
            said.notes.append(f"The message holds {len(uplinks)} uplinks; what follows them is that of the first.")
        if uplinks:
            self._uplink(uplinks[0], said)

    def _watch(self, stage: Stage[Item]) -> Stage[Item]:
        return _Watching(stage, self._heard.append)

    def _uplink(self, uplink: Uplink, said: Explanation) -> None:
        device = self._registered(uplink.device)
        said.device = self._whose(uplink, device)
        if device is None and not self._config.accepts_unknown:
            said.notes.append(self._row(uplink))
            return
        fan = self._fan(uplink, device, said)
        if fan is None:
            said.notes += [self._row(uplink)] if device is None else []
            return
        said.device += f" -> {fan.plans[0].entity(uplink.device).id}"
        fields = reader.of_uplink(self._config, str(said.connector), fan, uplink).describe(said)
        if fields is not None:
            say_when_and_where(fan.plans[0], fields, said, uplink)

    def _registered(self, eui: str) -> Device | None:
        return self._config.registered.by_eui(eui) or self._config.registered.by_name(eui)

    def _whose(self, uplink: Uplink, device: Device | None) -> str:
        if device is not None:
            return f"{uplink.device} is {device.key} ({self._registry}, line {device.line})"
        if self._registry is None:
            return f"{uplink.device}; there is no registry, so that any is accepted"
        accepted = "accepted" if self._config.accepts_unknown else "refused"
        return f"{uplink.device} is not in {self._registry}: {accepted}"

    def _fan(self, uplink: Uplink, device: Device | None, said: Explanation) -> Fan | None:
        """Say which connector the device has and why, and return what makes its records."""
        told = Choice(connectors_of(self._config)).because(uplink.names()) if self._config.accepts_unknown else None
        if device is not None and device.connector is not None:
            said.connector, said.chosen = device.connector, "its row in the registry names it"
        elif told is not None:
            said.connector, said.chosen = told[0], f"the network server's {told[1]} names it"
        else:
            said.chosen = "neither the registry nor the network server names one that there is"
            return None
        try:
            return self._compiler.uplink_fan(said.connector, None if device is None else device.model)
        except PayloadError as refusal:
            said.chosen += f": {refusal}"
            return None

    def _row(self, uplink: Uplink) -> str:
        """Return the row that would register a device, as the registry's own file has it."""
        told = described(stranger(uplink.device, uplink.names()), self._config)
        row = device_text.of(self._config.devices).advice(told)
        where = self._registry or "a file that the configuration names by `devices: devices.yaml`"
        return f"To register it, write this row into {where}, with its location:  {row}"


class _Watching(Stage[Item]):
    """Notes what a stage gets, and passes it on."""

    def __init__(self, stage: Stage[Item], note: Callable[[Said], None]) -> None:
        self._stage = stage
        self._note = note

    def put(self, batch: Batch[Item]) -> None:
        items: Any = batch.items
        for said, _ in items:  # each is what was said, beside its message
            self._note(said)
        self._stage.put(batch)

    def kept(self) -> int:
        return self._stage.kept()

    async def drain(self, deadline: float) -> None:
        await self._stage.drain(deadline)


def _dialect(named: str, message: Message) -> str | None:
    try:
        return recognised(chosen(named), message).name
    except PayloadError:
        return None
