"""The publisher: records to Kafka, kept until Kafka confirmed them.

publisher.py     the stage, its start and its end
accumulator.py   records by partition: queues, chunks, and what they owe
sender.py        one request on the wire per broker, and what its answer means; error_codes.py Kafka's errors
batch.py         records to bytes, and the partition of a key
cluster.py       leaders, partitions and connections
topics.py        topics that must be there, made or probed; survey.py what `doctor` asks of Kafka
timekeeper.py    Kafka's time against this machine's
consumer.py      a topic read back, for commands
options.py       options, and OAuth's tokens
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
