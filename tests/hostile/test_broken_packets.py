"""B7: a broker sends PUBLISH packets that break the rules of MQTT between good ones, again after each reconnection."""

import asyncio
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from tests.hostile.experiment import Experiment, sized
from tests.integration.worker_bench import WorkerBench, fates, headers_of, reading
from tests.pipeline.feeds.scripted_broker import PUBACK, Peer, publish
from tests.support.ports import LOOPBACK

pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]
ROUNDS = sized(20, 2000)
BROKEN = {
    "topic longer than the packet": b"\x32\x05\x00\x09abc",
    "QoS 3": b"\x36\x06\x00\x01a\x7f\x01x",
    "packet id 0": b"\x32\x06\x00\x01a\x00\x00x",
    "empty topic": b"\x32\x05\x00\x00\x7f\x02x",
    "nothing at all": b"\x30\x00",
    "bad UTF-8": b"\x32\x06\x00\x01\xff\x7f\x03x",
    "wildcard": b"\x32\x06\x00\x01#\x7f\x04x",
}


class BadBroker:
    """Speaks as a broker should, but for the packets between the good ones."""

    def __init__(self, topic: str) -> None:
        self.topic = topic
        self.port = 0
        self.connections = 0
        self.acknowledged: Counter[int] = Counter()
        self.loop = asyncio.new_event_loop()
        self._listens = threading.Event()

    async def serve(self) -> None:
        server = await asyncio.start_server(self._talk, LOOPBACK, 0)
        self.port = server.sockets[0].getsockname()[1]
        self._listens.set()
        with suppress(asyncio.CancelledError):
            await server.serve_forever()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = Peer(reader, writer)
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError, TimeoutError):
            await peer.welcome()
            self.connections += 1
            for number in range(ROUNDS):
                peer.send(publish(self.topic, reading(number), number + 1) + b"".join(BROKEN.values()))
            while True:
                kind, body = await peer.packet(60)
                self.acknowledged[int.from_bytes(body[:2], "big")] += kind == PUBACK
                if kind == 0xC0:
                    peer.send(b"\xd0\x00")
        await peer.close()

    @contextmanager
    def running(self) -> Iterator[None]:
        task = self.loop.create_task(self.serve())
        thread = threading.Thread(target=lambda: self.loop.run_until_complete(task))
        thread.start()
        assert self._listens.wait(10)
        try:
            yield
        finally:
            self.loop.call_soon_threadsafe(task.cancel)
            thread.join(10)
            for left in asyncio.all_tasks(self.loop):
                left.cancel()
            self.loop.run_until_complete(asyncio.sleep(0.05))
            self.loop.close()


def test_broken_packets_stop_nobody(bench: WorkerBench) -> None:
    broker = BadBroker(f"{bench.tenant}/aq/1")
    with Experiment("packets that break the rules of MQTT") as experiment, broker.running():
        worker = bench.worker(bench.config(feed={"version": "3.1.1", "url": f"mqtt://{LOOPBACK}:{broker.port}"}))
        metrics = bench.settled(worker, ROUNDS * (1 + len(BROKEN)))
        wanted = {"published": ROUNDS, "dead_lettered": ROUNDS * len(BROKEN)}
        experiment.expect("each has its fate", came=fates(metrics), holds=fates(metrics) == wanted)
        experiment.expect("the connection stays", came=broker.connections, holds=broker.connections == 1)
        assert worker.stop() == 0
        reasons = Counter(headers_of(letter)["ce_reason"] for letter in bench.letters())
        said = {"packet_invalid": 5 * ROUNDS, "topic_invalid": 2 * ROUNDS}
        experiment.expect("each dead letter says why", came=reasons, holds=reasons == said)
        good = [broker.acknowledged[number] for number in range(1, ROUNDS + 1)]
        experiment.expect("each good one is acknowledged once", came=min(good), holds=set(good) == {1})
        bad = {number: broker.acknowledged[number] for number in (0, 0x7F01, 0x7F02, 0x7F03, 0x7F04)}
        experiment.expect(
            "each packet id that can be read is acknowledged, and 0 never",
            came=bad,
            holds=bad.pop(0) == 0 and set(bad.values()) == {ROUNDS},
        )
