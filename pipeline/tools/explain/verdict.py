"""What the real stages make of a message, with a publisher of paper behind them."""

from __future__ import annotations

import json
from collections.abc import Callable
from time import monotonic

from pipeline.build import options as wiring
from pipeline.config.root import Config
from pipeline.config.used import DEVICE_MODEL
from pipeline.core import event_loop, times
from pipeline.core.delivery import Batch, Delivery, Fate, Stage
from pipeline.core.errors import Reason
from pipeline.core.field_path import Fields
from pipeline.core.message import Message
from pipeline.core.record import Record, decode_headers
from pipeline.encode import headers as cloudevents
from pipeline.encode.dead_letter import DeadLetters
from pipeline.normalise.plan import Plan
from pipeline.publish.partition import partition_of
from pipeline.sdk.uplink import Uplink
from pipeline.tools.dry_run import Paper
from pipeline.tools.explain.explanation import DeadLetter, Explanation, Partition, Published

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
    first = stages(Paper(letters, taken.append), letters)

    def settled(delivery: Delivery) -> None:
        said.outcome = _OUTCOMES[max(fate for fate in Fate if delivery.fates[fate])]

    first.put(Batch(Delivery(1, [0] * len(Fate), settled, monotonic()), [message]))
    await first.drain(monotonic())  # frames wait for the copies of other gateways
    return taken


def _headers(record: Record) -> dict[str, str]:
    return {name: value.decode() for name, value in decode_headers(record.headers)}


def _published(record: Record, partitions: int | None) -> Published:
    key = record.destination.key
    number = None if partitions is None else partition_of(key, partitions)
    return Published(
        topic=record.destination.topic,
        key=key.decode(),
        partition=Partition(number, partitions),
        timestamp=times.text(record.timestamp).decode(),
        size=record.value_size,
        headers=_headers(record),
        value=json.loads(record.value),
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
    entities = [each for each in said.records if each.value.get("type") not in {None, DEVICE_MODEL}]
    if not entities:
        return
    record = entities[0]
    said.time = f"{record.headers['ce_time']}{_whence(plan, fields, record.headers, uplink)}"
    place = record.value.get("location")
    said.location = "none" if place is None else f"{place['value']['coordinates']} (longitude first)"


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
