"""The publisher: records to Kafka, kept until Kafka confirmed them.

publisher.py   the stage, its start and its end
intake.py      puts records into slots; chunk.py slots, chunks and what they owe
sender.py      one request on the wire per broker, and what its answer means; codes.py Kafka's errors
batch.py       records to bytes; partition.py which partition
cluster.py     leaders and partitions; connection.py one connection; topics.py what must be there; probe.py asks only
options.py     what it is told; token.py OAuth
"""

from pipeline.publish.publisher import (
    CreateTopics,
    DeadLetter,
    Gauges,
    KafkaOptions,
    Publisher,
    PublishEvents,
    Sasl,
)

__all__ = ["CreateTopics", "DeadLetter", "Gauges", "KafkaOptions", "PublishEvents", "Publisher", "Sasl"]
