"""B14: the disk of the state folder is full, a worker is killed, and recorded LoRaWAN frames are sent again."""

import json
import resource
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.frames import Fleet, Sent, frame_of, replay
from tests.faults.rig import KILLED
from tests.faults.test_raw_frames import fate, settled
from tests.hostile.experiment import Experiment, sized
from tests.integration.networks import network_config, written
from tests.integration.worker_bench import WorkerBench, until
from tests.support.headrace import Headrace
from tests.support.mosquitto import Mosquitto
from tests.support.mqtt_client import Publisher
from tests.support.prometheus import get

pytestmark = [pytest.mark.real, pytest.mark.timeout(180)]
RECORDED = sized(60, 600)


class Victim:
    """A worker on a bridge of gateways, whose disk can be filled: the kernel lets no file grow any more."""

    def __init__(self, bench: WorkerBench, broker: Mosquitto, folder: Path, unkept: str) -> None:
        self.bench, self.port, self.fleet = bench, broker.port, Fleet()
        self.sent: list[Sent] = []
        written(folder, self.fleet.registry())
        feed = {
            "kind": "mqtt",
            "url": broker.url,
            "client_id": f"{bench.tenant}-{unkept}",
            "subscribe": ["eu868/gateway/+/event/+"],
            "dialect": "chirpstack_gateway",
            "max_in_flight": 5000,
            "frames": {"replay": "filter", "unkept": unkept},
        }
        config = network_config(folder, bench.tenant, bench.kafka, {"bridge": feed})
        self.worker: Headrace = bench.new_headrace(config)
        self.worker.start()

    def send(self, count: int) -> list[Sent]:
        frames = [self.fleet.frame(len(self.sent) + number) for number in range(count)]
        with Publisher(self.port, "gateways") as publisher:
            publisher.publish(message for frame in frames for message in frame.messages())
        self.sent += frames
        return frames

    def fill_disk(self) -> None:
        hard = resource.prlimit(self.worker.process.pid, resource.RLIMIT_FSIZE)[1]
        resource.prlimit(self.worker.process.pid, resource.RLIMIT_FSIZE, (1, hard))

    def failing(self) -> bool:
        return self.worker.metric("headrace_state_failing") == 1

    def published(self) -> Counter[tuple[str, int]]:
        records = self.bench.client.consume_all(f"{self.bench.tenant}.DeviceMeasurement.v1")
        return Counter(frame_of(record) for record in records)


def test_frames_are_held_while_the_disk_is_full(
    bench: WorkerBench, tmp_path: Path, new_mosquitto: Callable[..., Mosquitto]
) -> None:
    victim = Victim(bench, new_mosquitto(durable=False, max_inflight_messages=0), tmp_path, "hold")
    worker = victim.worker
    with Experiment("State full, frames held") as experiment:
        before = victim.send(20)
        until(lambda: fate(worker, "published") == len(before), "frames of a sound disk")
        victim.fill_disk()
        unlucky = victim.send(20)  # by which the worker learns that the disk is full
        until(victim.failing, "the worker to say that its disk is full")
        held = victim.send(RECORDED)
        until(lambda: worker.metric("headrace_in_flight_messages") >= len(held), "the frames that are held")
        early = [key for key in victim.published() if key in {frame.key for frame in held}]
        experiment.expect("no frame is published whose counter cannot be kept", came=len(early), holds=not early)
        ready = get(f"{worker.admin}/readyz")
        experiment.expect("the worker is not ready", came=ready, holds=ready is None)

        assert worker.kill() == KILLED
        replay(victim.port, before + held)
        worker.start()
        replay(victim.port, before + held)
        victim.send(20)
        until(lambda: fate(worker, "published") >= len(unlucky + held) + 20, "what the broker sends again")
        settled(worker)
        counts = victim.published()
        twice = [key for frame in before + held if counts[key := frame.key] > 1]
        lost = [frame.key for frame in victim.sent if not counts[frame.key]]
        experiment.expect("no recorded frame is accepted again", came=len(twice), holds=not twice)
        experiment.expect("no frame is lost", came=len(lost), holds=not lost)
        experiment.notes["published before the worker knew, and again"] = sum(counts[each.key] - 1 for each in unlucky)
    assert worker.stop() == 0


def test_a_full_disk_is_told_everywhere(
    bench: WorkerBench, tmp_path: Path, new_mosquitto: Callable[..., Mosquitto]
) -> None:
    victim = Victim(bench, new_mosquitto(durable=False, max_inflight_messages=0), tmp_path, "accept")
    worker = victim.worker
    with Experiment("State full, frames accepted") as experiment:
        victim.fill_disk()
        victim.send(20)
        until(victim.failing, "the worker to say that its disk is full")
        victim.send(RECORDED)
        until(lambda: fate(worker, "published") == len(victim.sent), "all frames")
        ready, whole = get(f"{worker.admin}/readyz"), get(f"{worker.admin}/healthz?verbose")
        page = get(f"{worker.admin}/snapshot.json")
        experiment.expect("readyz says degraded", came=ready, holds="degraded" in (ready or ""))
        told = json.loads(whole or "{}")
        why = "".join(told.get("degraded", ()))
        experiment.expect("verbose says why", came=why, holds="state.sqlite" in why and told["status"] == "degraded")
        remarks = json.loads(page or "{}").get("remarks")
        experiment.expect("the page says it", came=remarks, holds=bool(remarks))
        failures = worker.metric("headrace_state_write_failures_total")
        experiment.expect("failed writes are counted", came=failures, holds=failures > 0)
        waiting = worker.metric("headrace_unacknowledged_messages")
        experiment.expect("every frame is acknowledged, as the policy says", came=waiting, holds=waiting == 0)
    assert worker.stop() == 0
