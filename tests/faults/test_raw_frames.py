"""SIGKILL during raw LoRaWAN frames: nothing lost at QoS 1, nothing recorded accepted again, and UDP's bound holds."""

import random
import socket
import struct
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.frames import DEVICES, Air, Fleet, Sent, frame_of, replay
from tests.faults.rig import KILLED
from tests.integration.networks import network_config, written
from tests.integration.worker_bench import WorkerBench, until
from tests.support.checker import Life, Verdict, count
from tests.support.headrace import Headrace
from tests.support.mosquitto import Mosquitto
from tests.support.ports import LOOPBACK, free_port

pytestmark = [pytest.mark.real, pytest.mark.fault]
KILLS = 5
WINDOW = 1300
UDP_WINDOW = 300
PUSH_ACK = 1


class Attacked:
    """One worker, a fleet on the air, and an attacker who has recorded every frame.

    A checkpoint is a moment at which all that was sent is acknowledged: no frame sent before it may make a record after
    it. Each device sends something newer before the next death: of its last frame before one, the next life cannot know
    that it was acknowledged.
    """

    def __init__(self, bench: WorkerBench, broker: Mosquitto, folder: Path) -> None:
        self.bench, self.port, self.chance = bench, broker.port, random.Random(KILLS)
        self.fleet = Fleet()
        written(folder, self.fleet.registry())
        feed = {
            "kind": "mqtt",
            "url": broker.url,
            "client_id": bench.tenant,
            "subscribe": ["eu868/gateway/+/event/+"],
            "dialect": "chirpstack_gateway",
            "max_in_flight": WINDOW,
            "frames": {"replay": "filter"},
        }
        self.worker = bench.new_headrace(network_config(folder, bench.tenant, bench.kafka, {"bridge": feed}))
        self.air = Air(broker.port, self.fleet)
        self.faults: list[str] = []
        self.lives: list[Life] = []
        self.safe = 0  # of the frames sent, how many were acknowledged at the last checkpoint
        self.accepted: list[str] = []
        self.attacks = 0
        self._ends: dict[int, int] = {}

    @property
    def topic(self) -> str:
        return f"{self.bench.tenant}.DeviceMeasurement.v1"

    def attack(self) -> None:
        """Send frames of before the checkpoint again, old ones and the latest."""
        old = self.air.sent[: self.safe]
        again = self.chance.sample(old, min(40, len(old))) + old[-4 * DEVICES :]
        self.attacks += len(again)
        replay(self.port, again)

    def checkpoint(self) -> None:
        """Let all that was sent be acknowledged; judge what came of the attacks since the last checkpoint."""
        self.air.pause()
        settled(self.worker)
        ends = self.bench.client.end_offsets(self.topic)
        late = {frame.key for frame in self.air.sent[: self.safe]}
        records = self.bench.client.consume_all(self.topic)
        new = [record for record in records if record.offset >= self._ends.get(record.partition, 0)]
        self.accepted += [str(key) for key in map(frame_of, new) if key in late]
        self.safe, self._ends = len(self.air.sent), ends
        self.air.resume()

    def run(self) -> None:
        """Kill and start the worker, while frames come and old ones come again."""
        self.worker.start()
        self.air.start()
        self.air.wait_for(DEVICES * 20)
        for _ in range(KILLS):
            self.checkpoint()
            self.air.wait_for(DEVICES * 10)
            before = fate(self.worker, "published")
            self.attack()
            until(lambda: fate(self.worker, "published") >= before + DEVICES * 3, "newer frames of each")  # noqa: B023
            self.air.wait_for(self.chance.choice((20, 100, 300)))
            self.lives.append(Life.of(self.worker.exposition()))
            assert self.worker.kill() == KILLED
            self.faults.append(f"after {len(self.air.sent)}: SIGKILL with {self.lives[-1].in_flight} in flight")
            self.attack()
            self.air.wait_for(self.chance.choice((20, 200)))
            self.worker.start()
            self.attack()
        self.air.wait_for(DEVICES * 10)
        self.checkpoint()
        self.air.stop()
        self.attack()
        self.checkpoint()
        self.lives.append(Life.of(self.worker.exposition()))


def test_sigkills_and_an_attacker(bench: WorkerBench, tmp_path: Path, new_mosquitto: Callable[..., Mosquitto]) -> None:
    """What was recorded is sent again while the worker lives, while it is dead, and to its next life."""
    rig = Attacked(bench, new_mosquitto(durable=False, max_inflight_messages=0), tmp_path)
    try:
        rig.run()
    finally:
        rig.air.stop()
    assert rig.worker.stop() == 0

    records = bench.client.consume_all(rig.topic)
    counts = count([frame.key for frame in rig.air.sent], records, reading=frame_of)
    letters = bench.client.count(bench.letter_topic)
    notes = {"replays sent": rig.attacks, "replays accepted": rig.accepted}
    name = f"{KILLS} SIGKILLs under raw frames"
    verdict = Verdict(name, counts, rig.faults, rig.lives, letters, KILLS * WINDOW, notes)
    verdict.write()
    verdict.assert_good()
    assert rig.air.sent[-1].f_cnt > 65_536, "the counters of all devices have rolled over"
    assert not rig.accepted


class Forwarder:
    """A gateway on UDP, which learns by PUSH_ACK what was received, and sends nothing twice."""

    def __init__(self, port: int, fleet: Fleet) -> None:
        self.received: list[Sent] = []
        self.sent = 0
        self._address, self._fleet = (LOOPBACK, port), fleet
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.settimeout(0.1)

    def send(self, count: int) -> int:
        """Send so many frames, a few at a time, and return how many were received."""
        before = len(self.received)
        for first in range(self.sent, self.sent + count, 20):
            frames = {token: self._fleet.frame(token) for token in range(first, first + 20)}
            for token, frame in frames.items():
                self._socket.sendto(frame.datagram(token), self._address)
            try:
                while frames:
                    _, token, kind = struct.unpack(">BHB", self._socket.recv(64))
                    assert kind == PUSH_ACK
                    self.received.append(frames.pop(token))
            except TimeoutError:
                pass  # shed, or nobody is there: what is not acknowledged was not received
        self.sent += count
        return len(self.received) - before

    def close(self) -> None:
        self._socket.close()


def test_what_a_sigkill_costs_over_udp(bench: WorkerBench, tmp_path: Path) -> None:
    """The window is full of frames that wait for other gateways' copies when the worker dies."""
    fleet, port = Fleet(), free_port()
    written(tmp_path, fleet.registry())
    feed = {"kind": "semtech_udp", "listen": f"{LOOPBACK}:{port}", "max_in_flight": UDP_WINDOW}
    feed |= {"deduplicate": {"window": "3s", "rate": 80}}
    worker = bench.worker(network_config(tmp_path, bench.tenant, bench.kafka, {"packets": feed}))
    forwarder = Forwarder(port, fleet)
    try:
        assert forwarder.send(200) == 200
        until(lambda: fate(worker, "published") == 200, "the first frames")
        received = forwarder.send(2 * UDP_WINDOW)
        lives = [Life.of(worker.exposition())]
        assert worker.kill() == KILLED
        assert forwarder.send(100) == 0, "nobody is there"
        worker.start()
        assert forwarder.send(200) == 200
    finally:
        forwarder.close()
    lives.append(Life.of(worker.exposition()))
    assert worker.stop() == 0

    records = bench.client.consume_all(f"{bench.tenant}.DeviceMeasurement.v1")
    counts = count([frame.key for frame in forwarder.received], records, reading=frame_of)
    letters = bench.client.count(bench.letter_topic)
    faults = [f"SIGKILL with {lives[0].in_flight} in flight"]
    verdict = Verdict("A SIGKILL over UDP", counts, faults, lives, letters, 0, lost_allowed=UDP_WINDOW)
    verdict.write()
    verdict.assert_good()
    assert lives[0].fates["shed"] == 2 * UDP_WINDOW - received, "what was shed is counted, and was not acknowledged"
    assert counts.lost > 0, "else the test has shown nothing"


def fate(worker: Headrace, name: str) -> int:
    return Life.of(worker.exposition()).fates.get(name, 0)


def settled(worker: Headrace) -> None:
    """Wait until all that the broker has for us is acknowledged, and nothing more comes."""
    before, deadline = None, time.monotonic() + 180
    while time.monotonic() < deadline:
        life = Life.of(worker.exposition())
        if life == before and not life.in_flight:
            return
        before = life
        time.sleep(0.5)
    raise AssertionError(worker.process.tail())
