"""A city of one worker that has every trouble once: what dashboards and rules have to show something of."""

import json
import socket
from base64 import b64encode
from pathlib import Path

from tests.faults.fence import fence
from tests.faults.frames import Fleet
from tests.faults.load import Load
from tests.integration.networks import network_config, written
from tests.integration.worker_bench import READING, WorkerBench, reading, until
from tests.support.headrace import Headrace
from tests.support.ports import LOOPBACK, free_port

GATEWAY = bytes.fromhex("0102030405060708")
PUSH_DATA, PULL_DATA = 0, 2
STAT = {"time": "2026-11-23 04:06:40 GMT", "rxnb": 10, "rxok": 9}


class Trouble:
    """One worker with a feed of MQTT and one of gateways, on a Mosquitto and a Kafka that are its own."""

    def __init__(self, bench: WorkerBench, folder: Path) -> None:
        self._bench, self._fleet, self._sent = bench, Fleet(), 0
        self._gates = (LOOPBACK, free_port())
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        written(folder, self._fleet.registry())
        self._load = Load(bench.mosquitto.url, rate=300, devices=50, prefix=f"{bench.tenant}/aq")
        bench.client.create_topic(bench.topic, 1)
        self.worker: Headrace = bench.worker(self._config(folder))

    def _config(self, folder: Path) -> dict[str, object]:
        gates = {"kind": "semtech_udp", "listen": "{}:{}".format(*self._gates), "deduplicate": {"window": "100ms"}}
        networks = network_config(folder, self._bench.tenant, self._bench.kafka, {"gates": gates})
        city = self._bench.config(kafka={"linger": "500ms", "request_timeout": "2s"})
        for part in ("feeds", "connectors"):
            city[part] = {**city[part], **networks[part]}
        return {**networks, **city, "unknown_devices": "accept"}

    def happen(self) -> None:
        """Let Kafka refuse a record, forget the producer and stall, and the broker forget the session."""
        bench = self._bench
        bench.configure_topic({"max.message.bytes": "2300"})
        large = json.dumps({**READING, "device": "\u00fc" * 200}).encode()
        bench.publish(*map(reading, range(20)), large, *map(reading, range(20, 40)))
        self._see("headrace_refused_records_total", "a refused record")
        bench.configure_topic({"max.message.bytes": "1048588"})
        self._load.start()
        self._load.wait_for(300)
        fence(bench.kafka, bench.topic)
        self._see("headrace_producer_rebuilds_total", "a rebuild")
        bench.kafka.process.pause()
        self._see("headrace_publish_failures_total", "a try that fails")
        bench.kafka.process.resume()
        bench.mosquitto.stop()
        bench.mosquitto.start()
        self._see("headrace_sessions_lost_total", "a lost session")

    def go_on(self) -> None:
        """Send what comes all the time: readings, nonsense, frames, a gateway's signs of life and its statistics."""
        self._bench.publish(b"poison", b"[]")
        for index in range(self._sent, self._sent + 20):
            phy = b64encode(self._fleet.frame(index).phy).decode()
            heard = {"freq": 868.1, "datr": "SF7BW125", "stat": 1, "rssi": -90 + index % 20, "lsnr": 5.5, "data": phy}
            self._push(PUSH_DATA, {"rxpk": [heard]})
        self._push(PUSH_DATA, {"stat": STAT})
        self._push(PULL_DATA)
        self._sent += 20

    def end(self) -> None:
        self._load.abandon()
        self._socket.close()

    def _push(self, identifier: int, said: object = None) -> None:
        body = b"" if said is None else json.dumps(said).encode()
        self._socket.sendto(bytes((2, 0, 7, identifier)) + GATEWAY + body, self._gates)

    def _see(self, metric: str, what: str) -> None:
        until(lambda: self.worker.metric(metric) > 0, what)
