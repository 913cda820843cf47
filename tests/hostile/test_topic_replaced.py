"""A topic deleted and made anew with fewer partitions while messages flow, and one whose partitions are raised."""

import asyncio
import urllib.error
import urllib.request
from collections import defaultdict

import pytest

from tests.hostile.experiment import Experiment, sized
from tests.integration.publish_real import Real, publishing
from tests.integration.worker_bench import WorkerBench, number_of, reading, until
from tests.support.headrace import Headrace
from tests.support.kafka import Kafka
from tests.support.kafka_client import Consumed, KafkaClient

pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]
DEVICES = 20
PART = sized(200, 5_000)
FEWER = sized([2], [2, 1, 5])


def part(bench: WorkerBench, index: int) -> None:
    bench.publish(*[reading(number, device=number % DEVICES) for number in range(index * PART, (index + 1) * PART)])


def readiness(worker: Headrace) -> str:
    """Return what /readyz says, whether the worker is ready or not."""
    try:
        with urllib.request.urlopen(f"{worker.admin}/readyz", timeout=5) as answer:
            return str(answer.read().decode())
    except urllib.error.HTTPError as refused:
        return refused.read().decode()


def in_order(records: list[Consumed]) -> bool:
    numbers: dict[int, list[int]] = defaultdict(list)
    for record in records:
        device, number = number_of(record)
        numbers[device].append(number)
    return all(each == sorted(each) for each in numbers.values())


@pytest.mark.parametrize("fewer", FEWER)
def test_a_topic_made_anew_with_fewer_partitions(bench: WorkerBench, fewer: int) -> None:
    worker = bench.worker()
    part(bench, 0)
    bench.settled(worker, PART)

    with Experiment(f"a topic deleted and made anew with {fewer} of 6 partitions") as experiment:
        part(bench, 1)  # some of it may be confirmed before the topic is gone, and goes with it
        bench.client.delete_topic(bench.topic)
        until(lambda: bench.topic not in bench.client.topics(), "the topic to be gone")
        part(bench, 2)
        until(lambda: "Kafka has no topic" in readiness(worker), "a word on the topic")
        said = readiness(worker)
        experiment.expect("readyz says what to do", came=said, holds=f"Create topic {bench.topic} anew" in said)
        live = worker.live()
        experiment.expect("the worker lives", came=live, holds=live)
        bench.client.create_topic(bench.topic, fewer)
        part(bench, 3)
        metrics = bench.settled(worker, 4 * PART)
        until(worker.ready, "a ready worker")
        records = bench.records()
        came = {number_of(record)[1] for record in records}
        missing = set(range(2 * PART, 4 * PART)) - came
        experiment.expect("nothing that waited is lost", came=sorted(missing)[:10], holds=not missing)
        experiment.expect("each device's records are in order", came=len(records), holds=in_order(records))
        places = defaultdict(set)
        for record in records:
            places[record.key].add(record.partition)
        split = [key for key, its in places.items() if len(its) > 1]
        experiment.expect("and in one partition", came=split, holds=not split)
        dead = metrics.get('headrace_messages_total{fate="dead_lettered",feed="city"}', 0)
        experiment.expect("no dead letter", came=dead, holds=not dead)
        count = worker.metric("headrace_topic_partitions", topic=bench.topic)
        experiment.expect("the metric tells the partitions", came=count, holds=count == fewer)
        experiment.notes["repeated"] = len(records) - len(came)


def test_raised_partitions(kafka: Kafka, kafka_client: KafkaClient, tenant: str) -> None:
    real = Real(kafka.bootstrap(), tenant, partitions=2, metadata_max_age=0.5)

    async def work() -> None:
        async with publishing(real):
            real.put(PART)
            await real.drain()
            await asyncio.to_thread(kafka_client.raise_partitions, real.topic, 7)
            async with asyncio.timeout(30):
                while real.events.counts[real.topic] < 7:
                    real.put(1)
                    await asyncio.sleep(0.05)
            real.put(PART)
            await real.drain()

    with Experiment("partitions raised from 2 to 7 while records flow") as experiment:
        asyncio.run(work())
        records = kafka_client.consume_all(real.topic)
        numbers = sorted(int((record.value or b"").rstrip(b".")) for record in records)
        experiment.expect("every record once", came=len(numbers), holds=numbers == list(range(len(real.records))))
        used = {record.partition for record in records}
        experiment.expect("the new partitions are used", came=sorted(used), holds=len(used) > 2)
        real.conserved()
        experiment.expect("it is noted", came=real.events.counts, holds=real.events.counts[real.topic] == 7)
