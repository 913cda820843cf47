"""B15: joins of a registered device, and gateways, that somebody made up, on a real UDP socket."""

import json
import socket
import struct
from base64 import b64encode
from collections import Counter
from pathlib import Path

import pytest

from tests.hostile.experiment import Experiment, sized
from tests.integration.networks import network_config, written
from tests.integration.worker_bench import WorkerBench, assert_conserved, headers_of, until
from tests.support.lorawan import join_request
from tests.support.ports import LOOPBACK, free_port

pytestmark = [pytest.mark.real, pytest.mark.timeout(180)]
FORGED = sized(500, 2000)
EUI = "0011223344556677"
ALLOWED = 20


class Attacker:
    """Whoever reaches the port; each datagram is answered before the next, so that none is lost on the way."""

    def __init__(self, port: int) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.settimeout(10)
        self._socket.connect((LOOPBACK, port))

    def push(self, gateway: int, body: object) -> None:
        head = b"\x02\0\0\0" + struct.pack(">Q", gateway)
        self._socket.send(head + json.dumps(body).encode())
        assert self._socket.recv(8)[3] == 1

    def join(self, nonce: int) -> None:
        phy = b64encode(join_request(EUI, "1112131415161718", nonce)).decode()
        self.push(7, {"rxpk": [{"freq": 868.1, "datr": "SF7BW125", "stat": 1, "data": phy}]})

    def close(self) -> None:
        self._socket.close()


def test_forged_joins_and_gateways(bench: WorkerBench, tmp_path: Path) -> None:
    port = free_port()
    written(tmp_path, [{"key": "victim", "dev_eui": EUI}])
    feed = {"kind": "semtech_udp", "listen": f"{LOOPBACK}:{port}", "max_in_flight": 5000}
    worker = bench.worker(network_config(tmp_path, bench.tenant, bench.kafka, {"gates": feed}))
    attacker = Attacker(port)
    with Experiment("Forged joins and gateways") as experiment:
        for number in range(FORGED):
            attacker.join(number)
            attacker.push(7, {"stat": {"rxnb": number}})
        attacker.close()

        def settled() -> bool:
            fates = worker.metric("headrace_messages_total", feed="gates")
            return fates == 2 * FORGED and worker.metric("headrace_in_flight_messages", feed="gates") == 0

        until(settled, "all datagrams to have their fate")
        metrics = worker.metrics()
        assert_conserved(metrics, "gates")
        limited = worker.metric("headrace_raw_frames_total", outcome="join_limited")
        gateways = worker.metric("headrace_gateway_events_limited_total", feed="gates")
        assert worker.stop() == 0
        records = bench.client.consume_all(f"{bench.tenant}.device-events.v1")
        kinds = Counter(headers_of(each)["ce_type"].rpartition(".")[2] for each in records)
        joins, told = kinds["join"], kinds["gateway_stats"]
        # A bucket fills while the attack goes on, at 20 an hour.
        experiment.expect("joins make no more records than allowed", came=joins, holds=ALLOWED <= joins < ALLOWED + 4)
        experiment.expect("the rest is counted", came=limited, holds=joins + limited == FORGED)
        experiment.expect("a gateway's word is bounded", came=told, holds=told < 400 and told + gateways == FORGED)
        unverified = [each for each in records if headers_of(each).get("ce_verified") == "false"]
        experiment.expect("each says unverified", came=len(unverified), holds=len(unverified) == len(records))
        experiment.notes["forged"] = FORGED
