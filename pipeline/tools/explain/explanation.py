"""What `explain` says of one message: plain values, in the order of the hops, ready to be JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

from pipeline.build import options as wiring
from pipeline.config.root import Config
from pipeline.core import event_loop, times
from pipeline.core.delivery import Batch, Delivery, Fate, Message, Stage
from pipeline.core.errors import Reason
from pipeline.core.field_path import Fields
from pipeline.core.record import DEVICE_MODEL, Record, decode_headers
from pipeline.encode import EntityView, Form, form_of, read
from pipeline.encode import headers as cloudevents
from pipeline.encode.dead_letter import DeadLetters
from pipeline.encode.device_event import TYPE as EVENT_TYPE
from pipeline.encode.headers import CONTENT_TYPE
from pipeline.normalise.plan import Plan
from pipeline.publish.batch import partition_of
from pipeline.sdk.uplink import Uplink
from pipeline.tools.dry_run import DryRunPublisher


@dataclass(frozen=True, slots=True)
class Field:
    """One value of the payload.

    Attributes:
        used_by: What takes it, or None.
    """

    path: str
    value: Any
    used_by: str | None


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute of the plan.

    Attributes:
        change: The value on its way.
        verdict: `fits`, or what is wrong with it.
    """

    name: str
    field: str
    change: str
    verdict: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Partition:
    """The partition of the key.

    Attributes:
        number: None while the number of partitions is unknown.
    """

    number: int | None
    count: int | None


@dataclass(frozen=True, slots=True)
class Published:
    """A record.

    Attributes:
        form: Of an entity: `normalised`, `concise` or `flat`; of a device event none.
        value: The entity or the device event, decoded.
    """

    topic: str
    key: str
    partition: Partition
    timestamp: str
    size: int
    headers: dict[str, str]
    value: Any
    form: Form | None = None

    @property
    def entity(self) -> EntityView | None:
        """The entity, or None of a device event."""
        return None if self.form is None else read(self.headers[CONTENT_TYPE], self.value)


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """The dead letter that the message becomes instead of a record.

    Attributes:
        fix: What the reason means, and how to mend it.
    """

    topic: str
    key: str
    stage: str
    reason: str
    detail: str
    fix: str
    headers: dict[str, str]


@dataclass(frozen=True, slots=True)
class Gateway:
    """How one gateway heard a transmission.

    Attributes:
        rssi: In dBm.
        snr: In dB.
    """

    name: str
    rssi: float | None
    snr: float | None


@dataclass(frozen=True, slots=True)
class Transmission:
    """An uplink.

    Attributes:
        payload: In hex digits.
        decoded: The fields that the network server decoded.
        names: What the network server calls the device.
        raw: Whether the uplink came straight from gateways.
    """

    device: str
    dev_addr: str | None
    f_cnt: int | None
    port: int | None
    time: str | None
    payload: str
    decoded: Any
    gateways: list[Gateway]
    names: dict[str, Any]
    raw: bool


@dataclass(frozen=True, slots=True)
class RawFrame:
    """A frame straight from a gateway.

    Attributes:
        phy_payload: In hex digits.
        frequency: In Hz.
        says: What can be read without keys.
    """

    phy_payload: str
    frequency: int
    data_rate: str
    crc_ok: bool | None
    says: str
    gateway: Gateway


@dataclass(frozen=True, slots=True)
class Happening:
    """An event that the network tells beside uplinks.

    Attributes:
        state: What the event adds to the Device entity.
    """

    kind: str
    device: str | None
    gateway: str | None
    time: str | None
    state: dict[str, Any]


@dataclass(slots=True)
class Network:
    """What a LoRaWAN network server or gateways say with the message.

    Attributes:
        dialect: None where no dialect recognises the message.
        recognised: Whether the message's shape shows the dialect; else the feed names it.
        verdicts: What became of raw frames.
    """

    dialect: str | None
    recognised: bool
    uplinks: list[Transmission] = field(default_factory=list)
    frames: list[RawFrame] = field(default_factory=list)
    verdicts: list[str] = field(default_factory=list)
    events: list[Happening] = field(default_factory=list)


@dataclass(slots=True)
class Explanation:
    """One message, hop by hop; what a hop has not been asked is None.

    Attributes:
        subscription: The feed's filter that brings the message; None where no filter does.
        route: The route's pattern.
        position: The route's place among the feed's routes.
        network: On a feed with a dialect, which has no routes.
        chosen: What names the connector on a feed with a dialect.
        outcome: `published`, `dead-lettered`, `filtered` or `deduplicated`.
    """

    topic: str
    size: int
    arrival: str
    feed: str
    subscription: str | None
    route: str | None = None
    position: str = ""
    network: Network | None = None
    connector: str | None = None
    chosen: str = ""
    model: str | None = None
    decoder: str = ""
    fields: list[Field] = field(default_factory=list)
    device: str = ""
    time: str = ""
    location: str = ""
    attributes: list[Attribute] = field(default_factory=list)
    records: list[Published] = field(default_factory=list)
    dead_letter: DeadLetter | None = None
    outcome: str = "filtered"
    notes: list[str] = field(default_factory=list)


Stages = Callable[[Stage[Record], DeadLetters], Stage[Message]]
"""The publisher and the maker of dead letters to the first stage of a feed."""

_OUTCOMES = {
    Fate.PUBLISHED: "published",
    Fate.DEDUPLICATED: "deduplicated",
    Fate.FILTERED: "filtered",
    Fate.DEAD_LETTERED: "dead-lettered",
}


def judge(config: Config, stages: Stages, message: Message, said: Explanation, partitions: int | None) -> None:
    """Let the stages decide, and say what they did."""
    for record in event_loop.run(_taken(config, stages, message, said)):
        if record.message is None:
            said.dead_letter = _letter(record)
        else:
            said.records.append(_published(record, partitions))


async def _taken(config: Config, stages: Stages, message: Message, said: Explanation) -> list[Record]:
    taken: list[Record] = []
    letters = wiring.dead_letters(config)
    first = stages(DryRunPublisher(letters, taken.append), letters)

    def settled(delivery: Delivery) -> None:
        said.outcome = _OUTCOMES[max(fate for fate in Fate if delivery.fates[fate])]

    first.put(Batch(Delivery(1, [0] * len(Fate), settled, monotonic()), [message]))
    await first.drain(monotonic())  # frames wait for the copies of other gateways
    return taken


def _headers(record: Record) -> dict[str, str]:
    return {name: value.decode() for name, value in decode_headers(record.headers)}


def _published(record: Record, partitions: int | None) -> Published:
    key, headers = record.destination.key, _headers(record)
    event = headers["ce_type"].startswith(EVENT_TYPE)
    number = None if partitions is None else partition_of(key, partitions)
    return Published(
        topic=record.destination.topic,
        key=key.decode(),
        partition=Partition(number, partitions),
        timestamp=times.text(record.timestamp).decode(),
        size=record.value_size,
        headers=headers,
        value=json.loads(record.value),
        form=None if event else form_of(headers[CONTENT_TYPE]),
    )


def _letter(record: Record) -> DeadLetter:
    headers = _headers(record)
    return DeadLetter(
        topic=record.destination.topic,
        key=record.destination.key.decode(),
        stage=headers["ce_stage"],
        reason=headers["ce_reason"],
        detail=headers["ce_detail"],
        fix=Reason[headers["ce_reason"].upper()].explanation,
        headers=headers,
    )


def say_when_and_where(plan: Plan, fields: Fields, said: Explanation, uplink: Uplink | None = None) -> None:
    """Say where the time and the place of the first record come from; fields: of the reading that it was made of."""
    entities = [(each.headers, each.entity) for each in said.records]
    found = ((headers, each) for headers, each in entities if each is not None and each.type != DEVICE_MODEL)
    headers, entity = next(found, ({}, None))
    if entity is None:
        return
    said.time = f"{headers['ce_time']}{_whence(plan, fields, headers, uplink)}"
    said.location = "none" if entity.place is None else f"{entity.place} (longitude first)"


def _whence(plan: Plan, fields: Fields, headers: dict[str, str], uplink: Uplink | None) -> str:
    source = plan.binding.observed_at
    if source is not None and source.optional and source.path.find(fields) is None:
        source = None
    replaced = "clock" in headers.get(cloudevents.QUALITY, "").split(",")
    again = ": a message sent twice cannot be recognised" if cloudevents.ID_CLASS in headers else ""
    if source is not None and replaced:
        return f", of arrival: field {source.path.text} is too old or ahead (flagged `clock`)"
    if source is not None:
        counted = f", counted from arrival{again}" if again else f" ({source.format})"
        return f" from field {source.path.text}{counted}"
    if replaced:
        return ", of arrival: the network's time is too old or ahead (flagged `clock`)"
    return f", of arrival{again}" if uplink is None or uplink.time is None else ", when the network heard it"
