"""Every way into Kafka, by a whole worker: listeners, compressions, linger, and whose partitions they are."""

import socket
import time
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import USERS
from tests.integration.worker_bench import WorkerBench, fates, number_of, reading
from tests.support.certs import Certificates
from tests.support.kafka_client import UnsignedToken
from tests.support.log import events
from tests.support.ports import LOOPBACK

pytestmark = pytest.mark.real
[(USER, PASSWORD)] = USERS.items()
BATCH = 200
DEVICES = 20


def brings_everything(bench: WorkerBench, kafka: dict[str, Any]) -> dict[str, float]:
    worker = bench.worker(bench.config(kafka=kafka))
    expected = [(device, number) for number in range(BATCH // DEVICES) for device in range(DEVICES)]
    bench.publish(*(reading(number, device) for device, number in expected))
    metrics = bench.settled(worker, BATCH)
    assert fates(metrics) == {"published": BATCH}
    assert sorted(map(number_of, bench.records())) == sorted(expected)
    assert worker.stop() == 0
    return metrics


def refusal(bench: WorkerBench, kafka: dict[str, Any]) -> str:
    worker = bench.new_headrace(bench.config(kafka=kafka))
    worker.start(wait=False)
    assert worker.process.wait(120) == 1
    assert "Traceback" not in worker.logged()
    return str(events(worker.logged(), "The worker cannot start.")[-1]["problem"])


class TestSsl:
    def way(self, bench: WorkerBench, certificates: Certificates, identity: str | None = "client") -> dict[str, Any]:
        files = {"ca_file": str(certificates.ca)}
        if identity is not None:
            own = getattr(certificates, identity)
            files |= {"cert_file": str(own.certificate), "key_file": str(own.key)}
        return {"bootstrap_servers": [bench.kafka.bootstrap("SSL")], "security_protocol": "SSL", "tls": files}

    def test_client_certificate(self, bench: WorkerBench, certificates: Certificates) -> None:
        brings_everything(bench, self.way(bench, certificates))

    @pytest.mark.parametrize("identity", [None, "client_expired", "client_wrong_authority"])
    def test_a_certificate_that_kafka_does_not_take(
        self, bench: WorkerBench, certificates: Certificates, identity: str | None
    ) -> None:
        said = refusal(bench, self.way(bench, certificates, identity))
        assert said.startswith(f"Kafka at {bench.kafka.bootstrap('SSL')} ")
        assert "cert_file" in said

    def test_an_authority_that_is_not_kafkas(self, bench: WorkerBench, certificates: Certificates) -> None:
        way = self.way(bench, certificates)
        way["tls"]["ca_file"] = str(certificates.other_authority.file)
        said = refusal(bench, way)
        assert "did not agree on TLS" in said
        assert "ca_file" in said


class TestSasl:
    def way(self, bench: WorkerBench, ca: Path, **sasl: str) -> dict[str, Any]:
        return {
            "bootstrap_servers": [bench.kafka.bootstrap("SASL_SSL")],
            "security_protocol": "SASL_SSL",
            "tls": {"ca_file": str(ca)},
            "sasl": sasl,
        }

    @pytest.mark.parametrize("mechanism", ["SCRAM-SHA-256", "SCRAM-SHA-512", "PLAIN"])
    def test_user_and_password(
        self, bench: WorkerBench, certificates: Certificates, mechanism: str, tmp_path: Path
    ) -> None:
        secret = tmp_path / "secret"
        secret.write_text(f"{PASSWORD}\n", encoding="utf-8")
        way = self.way(bench, certificates.ca, mechanism=mechanism, username=USER, password_file=str(secret))
        brings_everything(bench, way)

    def test_a_wrong_password(self, bench: WorkerBench, certificates: Certificates) -> None:
        wrong = {"mechanism": "SCRAM-SHA-512", "username": USER, "password": "canary-of-the-password"}
        said = refusal(bench, self.way(bench, certificates.ca, **wrong))
        assert "refused our credentials" in said
        assert "canary" not in said

    def test_a_token(self, bench: WorkerBench, tmp_path: Path) -> None:
        file = tmp_path / "token"
        now = time.time()
        file.write_text(UnsignedToken(USER, issued_at=now - 60, expires_at=now + 3600)._token, encoding="ascii")
        servers = {"bootstrap_servers": [bench.kafka.bootstrap("OAUTHBEARER")]}
        sasl = {"mechanism": "OAUTHBEARER", "token_file": str(file)}
        brings_everything(bench, {**servers, "security_protocol": "SASL_PLAINTEXT", "sasl": sasl})


def test_whoever_does_not_answer(bench: WorkerBench) -> None:
    with socket.create_server((LOOPBACK, 0)) as deaf:
        server = f"{LOOPBACK}:{deaf.getsockname()[1]}"
        said = refusal(bench, {"bootstrap_servers": [server], "request_timeout": "1s"})
    assert f"Kafka at {server} did not answer in time. Check the network to it, and that what it advertises" in said


@pytest.mark.parametrize("compression", ["none", "gzip", "snappy", "lz4", "zstd"])
def test_compression(bench: WorkerBench, compression: str) -> None:
    metrics = brings_everything(bench, {"compression": compression, "linger": "100ms"})
    size = metrics[f'headrace_published_bytes_total{{topic="{bench.topic}"}}']
    # 20 devices on 6 partitions: the entities of a chunk are alike, so that a codec must show.
    assert size > 300 * BATCH if compression == "none" else size < 450 * BATCH


def test_linger_gathers(bench: WorkerBench) -> None:
    chunks = f'headrace_chunk_records_count{{topic="{bench.topic}"}}'
    metrics = brings_everything(bench, {"linger": "2s", "chunk_bytes": "1MiB", "create_topics": {"partitions": 1}})
    # One partition, one linger: whatever the reads were, they travel together.
    assert metrics[chunks] == 1
    waited = metrics[f'headrace_ingest_latency_seconds_sum{{topic="{bench.topic}"}}'] / BATCH
    assert waited > 1


def test_partitions_are_those_of_any_other_producer(bench: WorkerBench) -> None:
    worker = bench.worker()
    bench.publish(*(reading(0, device) for device in range(BATCH)))
    bench.settled(worker, BATCH)
    ours = {record.key: record.partition for record in bench.records()}
    assert len(ours) == BATCH
    assert len(set(ours.values())) == 6

    others = f"{bench.tenant}.others"
    bench.client.create_topic(others, 6)
    bench.client.produce(others, [(key, b"{}") for key in ours])
    assert {record.key: record.partition for record in bench.client.consume_all(others)} == ours


def test_order_per_device(bench: WorkerBench) -> None:
    worker = bench.worker(bench.config(kafka={"linger": "0ms"}))
    bench.publish(*(reading(number, number % 7) for number in range(1400)))
    bench.settled(worker, 1400)
    seen: dict[int, int] = {}
    for device, number in map(number_of, bench.records()):
        assert number > seen.get(device, -1)
        seen[device] = number
    assert len(seen) == 7
