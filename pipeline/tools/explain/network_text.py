"""What a network says with a message, as a person reads it."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.tools.explain.explanation import Gateway, Happening, Network, RawFrame, Transmission
from pipeline.tools.explain.fields import shown

_SHOWN_DIGITS = 128
_SHOWN_GATEWAYS = 8

Line = tuple[str, str]
"""The name of a hop and what is said of it; without a name, more of the hop above."""


def network(said: Network) -> Iterator[Line]:
    """Yield the hops of a network."""
    if said.dialect is None:
        yield "dialect", "none recognises the message"
    else:
        yield "dialect", f"{said.dialect}, {'recognised by its shape' if said.recognised else 'as the feed says'}"
    for frame in said.frames:
        yield from _frame(frame)
    for verdict in said.verdicts:
        yield "session", verdict
    for uplink in said.uplinks:
        yield from _uplink(uplink)
    for event in said.events:
        yield from _event(event)


def _frame(frame: RawFrame) -> Iterator[Line]:
    checked = {True: ", CRC right", False: ", CRC wrong", None: ""}[frame.crc_ok]
    yield "raw frame", f"{frame.frequency / 1e6:g} MHz, {frame.data_rate}{checked}"
    yield "", f"gateway  {_heard(frame.gateway)}"
    yield "", f"bytes    {_bytes(frame.phy_payload)}"
    yield "", f"holds    {frame.says}"


def _uplink(uplink: Transmission) -> Iterator[Line]:
    numbers = (("DevAddr", uplink.dev_addr), ("FCnt", uplink.f_cnt), ("FPort", uplink.port))
    told = "".join(f", {name} {'not told' if value is None else value}" for name, value in numbers)
    yield "uplink", f"DevEUI {uplink.device}{told}"
    yield "", f"time     {uplink.time or 'not told'}"
    yield from (("", f"gateway  {_heard(each)}") for each in uplink.gateways[:_SHOWN_GATEWAYS])
    if len(uplink.gateways) > _SHOWN_GATEWAYS:
        yield "", f"         and {len(uplink.gateways) - _SHOWN_GATEWAYS} gateways more"
    if uplink.names:
        yield "", "names    " + ", ".join(f"{what} {shown(name)}" for what, name in uplink.names.items())
    yield "", f"payload  {_bytes(uplink.payload)}"
    if not uplink.raw:
        yield "", f"server   {'decodes nothing' if uplink.decoded is None else f'decodes {shown(uplink.decoded)}'}"


def _event(event: Happening) -> Iterator[Line]:
    who = [f"DevEUI {event.device}"] if event.device else []
    who += [f"gateway {event.gateway}"] if event.gateway else []
    yield "event", f"{event.kind} of {', '.join(who) or 'nobody named'}"
    yield "", f"time     {event.time or 'not told'}"
    if event.state:
        yield "", "state    " + ", ".join(f"{name} {shown(value)}" for name, value in event.state.items())


def _heard(gateway: Gateway) -> str:
    strength = "" if gateway.rssi is None else f", RSSI {gateway.rssi:g} dBm"
    return f"{gateway.name}{strength}" + ("" if gateway.snr is None else f", SNR {gateway.snr:g} dB")


def _bytes(digits: str) -> str:
    cut = digits if len(digits) <= _SHOWN_DIGITS else digits[:_SHOWN_DIGITS] + "..."
    return f"{len(digits) // 2} bytes: {cut}" if digits else "empty"
