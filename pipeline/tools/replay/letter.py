"""A dead letter read back from its topic: the message that it was, if all of it was kept."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

from pipeline.core import times
from pipeline.core.errors import Reason
from pipeline.core.message import INVALID_TOPIC, Message
from pipeline.core.record import KEPT
from pipeline.encode.dead_letter import TYPE
from pipeline.publish.consumer import StoredRecord


@dataclass(frozen=True, slots=True)
class Letter:
    """One dead letter. reason: as it was written. message: None where `lost` says why it cannot be made again."""

    partition: int
    offset: int
    feed: str
    reason: str
    message: Message | None
    lost: str = ""


def letter_of(record: StoredRecord) -> Letter:
    """Read a record of the dead-letter topic.

    The message gets its first arrival again, so that a reading without a time of its own keeps its `ce_id`.
    """
    headers = {name: value.decode(errors="replace") for name, value in record.headers}
    feed, reason = headers.get("ce_feed", ""), headers.get("ce_reason", "")
    message, lost = _message(record, headers)
    return Letter(record.partition, record.offset, feed, reason, message, lost)


def _message(record: StoredRecord, headers: dict[str, str]) -> tuple[Message | None, str]:
    if headers.get("ce_type") != TYPE:
        return None, "is no dead letter of Headrace"
    if headers.get("ce_reason") == Reason.PACKET_INVALID.value:
        return None, "a packet that broke MQTT's rules holds no payload"
    topic, payload = headers.get("ce_sourcetopic", ""), record.value or b""
    if headers.get(KEPT, "0") != "0":
        return None, "of the payload only the start was kept, and what is cut is never decoded"
    if topic.startswith(INVALID_TOPIC):
        return None, "MQTT does not allow its topic, so that no route can take it"
    arrival = times.parse(headers.get("ce_time", ""), "iso")
    # The id holds a digest of both as they came: a payload not kept and a topic cut or escaped show in it.
    digest = sha256(topic.encode() + b"\0" + payload).hexdigest()[:16]
    if arrival is None or headers.get("ce_id", "").rpartition(":")[2] != digest:
        return None, "its payload or topic was not kept as it came (`dead_letters.payload`)"
    return Message(topic, payload, arrival), ""
