"""The way of a message on a feed with a dialect: what the network says with it, its device, and its connector."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from pipeline.build import stages as networks
from pipeline.build.connectors import Compiler
from pipeline.build.context import WorkerContext
from pipeline.config import device_text
from pipeline.config.feeds import AUTO, chosen
from pipeline.config.root import Config
from pipeline.core import times
from pipeline.core.delivery import Batch, Message, Stage
from pipeline.core.errors import PayloadError
from pipeline.core.record import Record
from pipeline.devices.registry import CurrentRegistry, Device
from pipeline.encode.dead_letter import DeadLetters, Refusals
from pipeline.lorawan.identify import choose, registered
from pipeline.lorawan.phy_payload import JoinRequest, parse
from pipeline.lorawan.statistics import FrameOutcome, FrameStatistics
from pipeline.lorawan.unwrap import recognised
from pipeline.normalise.records import CompiledConnector
from pipeline.sdk.dialect import Event, Frame, Said
from pipeline.sdk.uplink import Names, Reception, Uplink
from pipeline.tools.dry_run import NullEvents
from pipeline.tools.enrol import described, stranger
from pipeline.tools.explain.explanation import (
    Explanation,
    Gateway,
    Happening,
    Network,
    RawFrame,
    Transmission,
    say_when_and_where,
)
from pipeline.tools.explain.fields import of_uplink

_VERDICTS = {
    FrameOutcome.UPLINK: "the keys of a session in the registry fit its MIC, and have decrypted it",
    FrameOutcome.MAC: "the keys of a session in the registry fit its MIC; it has no application data",
    FrameOutcome.JOIN: "of a device in the registry; Headrace never answers, the network server does",
    FrameOutcome.COPY: "another gateway has heard the same transmission: one uplink",
    FrameOutcome.FOREIGN: "no session in the registry has its DevAddr; most likely a device of another owner",
    FrameOutcome.FOREIGN_JOIN: "no device in the registry has its DevEUI; most likely a device of another owner",
    FrameOutcome.MIC_INVALID: "a session in the registry has its DevAddr, but no keys fit its MIC",
    FrameOutcome.TOO_EXPENSIVE: "too many frames of its DevAddr wait to be tried under the keys of its sessions",
    FrameOutcome.CRC_INVALID: "the gateway says that its checksum is wrong",
    FrameOutcome.FRAME_INVALID: "it is nothing that a LoRaWAN device sends",
}
"""What a frame can become in a worker that has just begun: counters of earlier frames are not asked."""


def transmission(uplink: Uplink) -> Transmission:
    """Return an uplink."""
    return Transmission(
        device=uplink.device,
        dev_addr=uplink.dev_addr,
        f_cnt=uplink.f_cnt,
        port=uplink.port,
        time=_time(uplink.time),
        payload=uplink.payload.hex(),
        decoded=uplink.fields,
        gateways=[_gateway(each) for each in uplink.receptions()],
        names=_names(uplink.names()),
        raw=uplink.raw,
    )


def frame(raw: Frame) -> RawFrame:
    """Return a frame."""
    return RawFrame(
        phy_payload=raw.phy_payload.hex(),
        frequency=raw.frequency,
        data_rate=raw.data_rate,
        crc_ok=raw.crc_ok,
        says=_says(raw.phy_payload),
        gateway=_gateway(raw.reception),
    )


def happening(event: Event) -> Happening:
    """Return an event."""
    return Happening(event.kind, event.device, event.gateway, _time(event.time), dict(event.state))


def verdicts(ledger: FrameStatistics) -> list[str]:
    """Return what became of the frames that were counted."""
    return [f"{each.value}: {_VERDICTS[each]}" for each in FrameOutcome if ledger.outcomes[each] and each in _VERDICTS]


def _says(phy_payload: bytes) -> str:
    try:
        said = parse(phy_payload)
    except PayloadError as refusal:
        return f"nothing: {refusal}"
    if isinstance(said, JoinRequest):
        return f"{'join' if said.rejoin is None else 'rejoin'} request of DevEUI {said.dev_eui}"
    port = "no FPort" if said.port is None else f"FPort {said.port}"
    return f"data of DevAddr {said.dev_addr}, FCnt {said.f_cnt} (lower 16 bits), {port}, encrypted"


def _gateway(reception: Reception) -> Gateway:
    return Gateway(reception.gateway, reception.rssi, reception.snr)


def _names(names: Names) -> dict[str, str]:
    told = {
        "name": names.name,
        "brand": names.brand,
        "model": names.model,
        "profile": names.profile,
        "application": names.application,
    }
    return {what: name for what, name in told.items() if name} | {f"tag {key}": tag for key, tag in names.tags.items()}


def _time(ms: int | None) -> str | None:
    return None if ms is None else times.text(ms).decode()


Item = TypeVar("Item")


class Networks:
    """The network server or gateways of one feed."""

    def __init__(self, config: Config, feed: str) -> None:
        self._config = config
        self._feed = feed
        self._shared = WorkerContext(CurrentRegistry(config.registered))
        self._compiler = Compiler(config, feed, self._shared)
        self._heard: list[Said] = []
        self._registry = Path(config.devices).name if config.devices else None

    def stages(self, publisher: Stage[Record], letters: DeadLetters) -> Stage[Message]:
        """Return the first stage, with all behind it up to the publisher."""
        refusals = Refusals(self._feed, letters, publisher, NullEvents())
        feed = self._config.feeds[self._feed]
        return networks.unwrap(self._config, feed, self._compiler, refusals, self._shared, watch=self._watch)

    def describe(self, message: Message, said: Explanation) -> None:
        """Say how the message came to its records."""
        named = str(self._config.feeds[self._feed].dialect)
        said.network = Network(_dialect(named, message), named == AUTO)
        uplinks = [each for each in self._heard if isinstance(each, Uplink)]
        said.network.uplinks = [transmission(each) for each in uplinks]
        said.network.frames = [frame(each) for each in self._heard if isinstance(each, Frame)]
        said.network.verdicts = [each for ledger in self._shared.raw.values() for each in verdicts(ledger)]
        said.network.events = [happening(each) for each in self._heard if isinstance(each, Event)]
        if len(uplinks) > 1:
            said.notes.append(f"The message holds {len(uplinks)} uplinks; what follows them is that of the first.")
        if uplinks:
            self._uplink(uplinks[0], said)

    def _watch(self, stage: Stage[Item]) -> Stage[Item]:
        return _Watching(stage, self._heard.append)

    def _uplink(self, uplink: Uplink, said: Explanation) -> None:
        device = registered(self._config.registered, uplink.device)
        said.device = self._whose(uplink, device)
        if device is None and not self._config.accepts_unknown:
            said.notes.append(self._row(uplink))
            return
        fan = self._fan(uplink, device, said)
        if fan is None:
            said.notes += [self._row(uplink)] if device is None else []
            return
        said.device += f" -> {fan.plans[0].entity(uplink.device).id}"
        fields = of_uplink(self._config, str(said.connector), fan, uplink).describe(said)
        if fields is not None:
            say_when_and_where(fan.plans[0], fields, said, uplink)

    def _whose(self, uplink: Uplink, device: Device | None) -> str:
        if device is not None:
            return f"{uplink.device} is {device.key} ({self._registry}, line {device.line})"
        if self._registry is None:
            return f"{uplink.device}; there is no registry, so that any is accepted"
        accepted = "accepted" if self._config.accepts_unknown else "refused"
        return f"{uplink.device} is not in {self._registry}: {accepted}"

    def _fan(self, uplink: Uplink, device: Device | None, said: Explanation) -> CompiledConnector | None:
        """Say which connector the device has and why, and return what makes its records."""
        choice = choose(device, networks.matcher(self._config), uplink.names)
        if choice is None:
            said.chosen = "neither the registry nor the network server names one that there is"
            return None
        registry = "its row in the registry names it"
        said.chosen = registry if choice.because is None else f"the network server's {choice.because} names it"
        said.connector = choice.name
        try:
            return self._compiler.uplink_fan(choice.name, choice.model)
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

    def pending(self) -> int:
        return self._stage.pending()

    async def drain(self, deadline: float) -> None:
        await self._stage.drain(deadline)


def _dialect(named: str, message: Message) -> str | None:
    try:
        return recognised(chosen(named), message).name
    except PayloadError:
        return None
