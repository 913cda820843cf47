"""Takes a producer's place in one partition, so that Kafka refuses its next batch for good (INVALID_PRODUCER_EPOCH).

Kafka 4 takes any sequence number from a producer that it has forgotten, so neither an expired producer id nor a topic
made anew provokes a rebuild. A batch of the same id under the next epoch does: the broker's own rule against zombies.
"""

import asyncio
import struct
from pathlib import Path

from pipeline.core.record import Destination, Record, encode_headers
from pipeline.publish.batch import encode_batch
from pipeline.publish.cluster import Cluster, Produced
from pipeline.publish.options import KafkaOptions
from tests.support.kafka import Kafka

FENCE = b"fence"
LENGTH_AT, PRODUCER_AT, HEAD = 8, 43, 12  # Kafka protocol guide, "Record Batch"


def fence(kafka: Kafka, topic: str, partition: int = 0) -> None:
    """Write a record of key FENCE as the newest producer of this partition, one epoch later."""
    producer, epoch = last_producer(kafka.folder / "data" / f"{topic}-{partition}" / f"{0:020}.log")
    record = Record.make(Destination(topic, FENCE), b"", encode_headers([]), 0, None)
    head, body = encode_batch([record], producer=(producer, epoch + 1), sequence=0)
    produced = asyncio.run(_write(kafka.bootstrap(), topic, partition, head, body))
    assert produced.answers == [(topic, partition, 0)], produced


def last_producer(log: Path) -> tuple[int, int]:
    """Read the id and epoch of the last whole batch: Kafka's protocol has them, aiokafka does not ask for them."""
    data, at, found = log.read_bytes(), 0, None
    while at + HEAD <= len(data):
        end = at + HEAD + struct.unpack_from(">i", data, at + LENGTH_AT)[0]
        if end > len(data):
            break
        found = struct.unpack_from(">qh", data, at + PRODUCER_AT)
        at = end
    assert found is not None, f"no batch in {log}"
    return int(found[0]), int(found[1])


async def _write(bootstrap: str, topic: str, partition: int, head: bytes, body: bytes) -> Produced:
    cluster = Cluster(KafkaOptions([bootstrap]))
    cluster.follow([topic])
    try:
        await cluster.refresh()
        leader = cluster.leader(topic, partition)
        assert leader is not None
        return await cluster.produce(leader, [(topic, partition, head, body)], lambda: None)
    finally:
        cluster.close()
