"""An explanation as a person reads it: one hop below the other."""

from __future__ import annotations

import json
from collections.abc import Iterator

from pipeline.config.document import yaml_text
from pipeline.core.logs import printable
from pipeline.tools.explain.explanation import (
    Attribute,
    DeadLetter,
    Explanation,
    Field,
    Gateway,
    Happening,
    Network,
    Published,
    RawFrame,
    Transmission,
)
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
    named = [f"DevEUI {event.device}"] if event.device else []
    named += [f"gateway {event.gateway}"] if event.gateway else []
    yield "event", f"{event.kind} of {', '.join(named) or 'no named device'}"
    yield "", f"time     {event.time or 'not told'}"
    if event.state:
        yield "", "state    " + ", ".join(f"{name} {shown(value)}" for name, value in event.state.items())


def _heard(gateway: Gateway) -> str:
    strength = "" if gateway.rssi is None else f", RSSI {gateway.rssi:g} dBm"
    return f"{gateway.name}{strength}" + ("" if gateway.snr is None else f", SNR {gateway.snr:g} dB")


def _bytes(digits: str) -> str:
    cut = digits if len(digits) <= _SHOWN_DIGITS else digits[:_SHOWN_DIGITS] + "..."
    return f"{len(digits) // 2} bytes: {cut}" if digits else "empty"


_MARGIN = 12


def text(said: Explanation) -> str:
    """Return the whole explanation; nothing in it can send a terminal control characters."""
    lines = [*_hops(said)]
    if said.dead_letter is not None:
        lines += _letter(said.dead_letter)
    for record in said.records:
        lines += _record(record)
    if said.outcome == "filtered":
        lines.append(_line("filtered", _why_filtered(said)))
    if said.outcome == "deduplicated":
        lines.append(_line("duplicate", "its other copy counts, as `prefer` in the registry, or on the feed, says."))
    lines += [_line("note", note) for note in said.notes]
    return "\n".join(map(printable, lines))


def _line(name: str, content: str) -> str:
    return f"{name:<{_MARGIN}}{content}"


def _hops(said: Explanation) -> Iterator[str]:
    brought = f"`{said.subscription}` takes the topic" if said.subscription else "no subscription takes the topic"
    yield _line("message", f"{said.topic}, {said.size} bytes, arrived {said.arrival}")
    yield _line("feed", f"{said.feed}: {brought}")
    if said.network is not None:
        yield from (_line(name, content) if name else f"    {content}" for name, content in network(said.network))
        yield from _whose(said)
    else:
        yield _line("route", _route(said))
    if said.decoder:
        nothing = f"{said.decoder}: nothing"
        yield _line("decoded", f"{said.decoder}, {len(said.fields)} fields" if said.fields else nothing)
        yield from _fields(said.fields)
    named = () if said.network is not None else (("device", said.device),)
    for name, content in (*named, ("time", said.time), ("location", said.location)):
        if content:
            yield _line(name, content)
    if said.attributes:
        yield "attributes"
        yield from _attributes(said.attributes)


def _route(said: Explanation) -> str:
    if said.route is None:
        return "none matches"
    leads = "ignored" if said.connector is None else f"connector {said.connector}, model {said.model}"
    return f"{said.route} ({said.position}) -> {leads}"


def _whose(said: Explanation) -> Iterator[str]:
    if said.device:
        yield _line("device", said.device)
    if said.chosen:
        makes = f", model {said.model}" if said.model else ""
        yield _line("connector", f"{said.connector or 'none'}{makes}: {said.chosen}")


def _fields(fields: list[Field]) -> Iterator[str]:
    values = [shown(field.value) for field in fields]
    paths = [yaml_text(field.path) for field in fields]  # ready to be pasted behind `field:`
    longest = max(map(len, paths), default=0)
    width = max(map(len, values), default=0)
    for field, path, value in zip(fields, paths, values, strict=True):
        yield f"    {path:<{longest}}  {value:<{width}}  {field.used_by or '- nothing takes it'}"


def _attributes(attributes: list[Attribute]) -> Iterator[str]:
    names = max(len(each.name) for each in attributes)
    width = max(len(each.change) for each in attributes)
    for each in attributes:
        verdict = f"{each.verdict}: {each.detail}" if each.detail else each.verdict
        yield f"    {each.name:<{names}}  {each.change:<{width}}  {verdict}"


def _record(record: Published) -> Iterator[str]:
    where = record.partition
    if where.number is None:
        partition = "by murmur2 of the key; say `--partitions N` to see which, as the configuration makes no topics"
    else:
        partition = f"{where.number} of {where.count} (murmur2 of the key)"
    yield "record"
    yield f"    topic      {record.topic}"
    yield f"    key        {record.key}"
    yield f"    partition  {partition}"
    yield f"    timestamp  {record.timestamp}"
    yield from _headers(record.headers)
    form = "" if record.form in {None, "normalised"} else f", {record.form}"
    yield f"    value      {record.size} bytes{form}"
    yield from (f"        {line}" for line in json.dumps(record.value, indent=2, ensure_ascii=False).splitlines())


def _letter(letter: DeadLetter) -> Iterator[str]:
    yield f"dead letter: {letter.reason}, found by the stage {letter.stage}"
    yield f"    why        {letter.detail}"
    yield f"    mend       {letter.fix}"
    yield f"    topic      {letter.topic}"
    yield f"    key        {letter.key}"
    yield from _headers(letter.headers)


def _headers(headers: dict[str, str]) -> Iterator[str]:
    yield "    headers"
    yield from (f"        {name}: {value}" for name, value in headers.items())


def _why_filtered(said: Explanation) -> str:
    if said.network is not None:
        return _why_silent(said.network)
    if said.connector is None:
        return "the route says `ignore: true`: the message is acknowledged and dropped."
    return "a retained message is an old value sent anew; `retained: keep` on the route would take it."


def _why_silent(network: Network) -> str:
    if network.frames:
        return "as `frames:` of the feed says; such frames are counted."
    if network.uplinks or network.events:
        return "it tells nothing new of its device."
    return "a retained message is an old value sent anew, and this one does not tell when; or there is nothing in it."
