"""Whatever servers, gateways and strangers send: the running worker stays alive, and every message has a fate."""

from __future__ import annotations

import re
import socket
from collections import Counter
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from orjson import dumps

from tests.connectors.network_servers import fuzz, messages
from tests.connectors.network_servers.capture import published
from tests.connectors.network_servers.events import EVENTS
from tests.connectors.network_servers.messages import UPLINKS
from tests.connectors.network_servers.test_chirpstack_v3 import TOPIC as V3
from tests.connectors.network_servers.test_chirpstack_v3 import marshalled
from tests.integration.captured import BRIDGE, JSON_BRIDGE, SERVER, pushed, registry
from tests.integration.networks import network_config, written
from tests.integration.worker_bench import WorkerBench, assert_conserved, fates, until
from tests.support.headrace import Headrace
from tests.support.ports import LOOPBACK, free_port

DRAWS, EACH = 60, 7
"""5,880 messages of 13 dialects over MQTT, and 420 datagrams: as many draws of hypothesis, and of each so many."""

Messages = list[tuple[str, bytes]]


def corpora(shared_data: Path) -> dict[str, Messages]:
    """Return what each dialect's messages are made from."""
    found: dict[str, Messages] = {}
    for name, uplink in UPLINKS.items():
        found[name] = [(topic, dumps(said)) for topic, said in (uplink, *EVENTS[name])]
    found["chirpstack_v3"] += [
        (f"{V3}up", marshalled("up", form, fCnt=1, fPort=2, data="AAECAw==", object={"t": 1}))
        for form in ("json", "protobuf")
    ]
    found["chirpstack"] += [each for file in SERVER.files for each in published(shared_data, file)]
    found["chirpstack_gateway"] = [
        each for way in (BRIDGE, JSON_BRIDGE) for file in way.files for each in published(shared_data, file)
    ]
    return found


@pytest.mark.real
def test_messages_that_no_server_sends(bench: WorkerBench, tmp_path: Path, shared_data: Path) -> None:
    corpus = corpora(shared_data)
    sent, packets = damaged(bench.tenant, corpus, pushed(shared_data))
    written(tmp_path, [*registry(shared_data), {"key": "th-17", "dev_eui": messages.DEVICE}])
    worker = bench.worker(network_config(tmp_path, bench.tenant, bench.kafka, feeds(bench, list(corpus))))

    push(packets, worker.config["feeds"]["packets"]["listen"])
    bench.publish_on([message for each in sent.values() for message in each])
    counts = Counter({name: len(each) for name, each in sent.items()})
    before = settled(worker, counts)
    seen = [n for name, n in before.items() if name.startswith("headrace_datagrams_total")]
    assert sum(seen) == len(packets)
    bench.publish_on([(f"{bench.tenant}/{name}/{topic}", dumps(said)) for name, (topic, said) in UPLINKS.items()])
    after = settled(worker, counts + Counter(UPLINKS.keys()))

    for feed in (*corpus, "auto", "packets"):
        assert_conserved(after, feed)
        assert fates(after, feed).keys() <= {"published", "dead_lettered", "filtered", "deduplicated"}
        assert fates(before, feed)["published"] > 0, "a damaged message may still say something"
        assert fates(before, feed)["dead_lettered"] > 0
        whole = fates(after, feed)["published"] - fates(before, feed)["published"]
        assert whole == (len(UPLINKS) if feed == "auto" else feed in UPLINKS), "who sends well is heard, after all that"
    assert not [name for name, n in after.items() if n and re.search("internal_error|connector_failed|crash", name)]
    assert worker.live()
    assert worker.stop() == 0
    assert "Traceback" not in worker.logged()


def damaged(
    tenant: str, corpus: dict[str, Messages], datagrams: list[bytes]
) -> tuple[dict[str, Messages], list[bytes]]:
    """Return messages below the name of their dialect, and datagrams."""
    sent: dict[str, Messages] = {name: [] for name in corpus}
    packets: list[bytes] = []

    @settings(max_examples=DRAWS, suppress_health_check=list(HealthCheck), database=None)
    @given(st.integers(0, 2**64 - 1))
    def draw(seed: int) -> None:
        for name, whole in corpus.items():
            sent[name] += [(f"{tenant}/{name}/{topic}", payload) for topic, payload in fuzz.cases(seed, whole)[:EACH]]
        chance = Random(seed)
        bodies = [("", chance.choice(datagrams)[12:]) for _ in range(EACH)]
        for _, body in fuzz.cases(seed, [("", body) for _, body in bodies])[:EACH]:
            packets.append(chance.choice(datagrams)[: chance.choice((12, 12, 12, 12, 3))] + body)

    draw()
    return sent, packets


def feeds(bench: WorkerBench, names: list[str]) -> dict[str, dict[str, object]]:
    """Return a feed for each dialect, one that hears them all, and one of datagrams."""
    made: dict[str, dict[str, object]] = {
        name: {
            "kind": "mqtt",
            "url": bench.mosquitto.url,
            "client_id": f"{bench.tenant}-{name}",
            "subscribe": [f"{bench.tenant}/#" if name == "auto" else f"{bench.tenant}/{name}/#"],
            "dialect": name,
        }
        for name in (*names, "auto")
    }
    return made | {"packets": {"kind": "semtech_udp", "listen": f"{LOOPBACK}:{free_port()}"}}


def push(packets: list[bytes], address: str) -> None:
    """Send datagrams, a few at a time: the kernel keeps only so many."""
    host, _, port = address.rpartition(":")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as gateway:
        gateway.settimeout(0.02)
        for packet in packets:
            gateway.sendto(packet, (host, int(port)))
            try:
                gateway.recv(64)
            except TimeoutError:
                continue  # not every one is answered


def settled(worker: Headrace, counts: Counter[str]) -> dict[str, float]:
    """Wait until every message has its fate on its own feed, and on the one that hears them all."""
    due = {**counts, "auto": counts.total()}

    def done() -> bool:
        metrics = worker.metrics()
        return due == {name: metrics[f'headrace_acknowledged_messages_total{{feed="{name}"}}'] for name in due}

    until(done, "every message to have its fate")
    return worker.metrics()
