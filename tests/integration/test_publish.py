"""The publisher and a real Kafka: what it stores, what it refuses, and how it is when it is killed."""

from __future__ import annotations

import asyncio
import gc
import json
import subprocess
import threading
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import get_args

import pytest
import uvloop
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from pipeline.core.addresses import Tls
from pipeline.core.errors import StartError
from pipeline.publish import CreateTopics, Sasl
from pipeline.publish.batch import Compression
from pipeline.publish.options import Mechanism
from tests.conftest import USERS
from tests.integration.publish_real import Real, publishing
from tests.support.certs import Certificates
from tests.support.kafka import Kafka
from tests.support.kafka_client import KafkaClient
from tests.support.kafka_cluster import KafkaCluster
from tests.support.ports import LOOPBACK, free_port
from tests.support.toolchain import kafka_command

pytestmark = pytest.mark.real
[(USER, PASSWORD)] = USERS.items()


def whole(real: Real, count: int = 500) -> None:
    """Publish records in several batches and drain."""

    async def work() -> None:
        async with publishing(real):
            for _ in range(5):
                real.put(count // 5)
                await asyncio.sleep(0.005)
            await real.drain()

    asyncio.run(work())
    real.conserved()


@pytest.mark.parametrize("compression", get_args(Compression))
def test_round_trip(compression: Compression, kafka: Kafka, kafka_client: KafkaClient, tenant: str) -> None:
    real = Real(kafka.bootstrap(), tenant, compression=compression)
    whole(real)
    real.complete(kafka_client.consume_all(real.topic))
    assert real.events.records[real.topic] == 500
    assert set(real.events.failures) <= {"NOT_LEADER_OR_FOLLOWER"}  # the topic was made a moment ago


def test_not_idempotent(kafka: Kafka, kafka_client: KafkaClient, tenant: str) -> None:
    real = Real(kafka.bootstrap(), tenant, idempotent=False)
    whole(real)
    real.complete(kafka_client.consume_all(real.topic))


def test_partitions_as_other_producers_choose_them(kafka: Kafka, kafka_client: KafkaClient, tenant: str) -> None:
    real = Real(kafka.bootstrap(), tenant, partitions=7)
    whole(real)
    ours = {record.key: record.partition for record in kafka_client.consume_all(real.topic)}
    theirs, java = f"{tenant}.aiokafka", f"{tenant}.java"
    for topic in (theirs, java):
        kafka_client.create_topic(topic, 7)
    kafka_client.produce(theirs, [(key, b"v") for key in ours])
    lines = "".join(f"{(key or b'').decode()}\tv\n" for key in ours)
    options = ["--bootstrap-server", kafka.bootstrap(), "--topic", java, "--property", "parse.key=true"]
    console = kafka_command("org.apache.kafka.tools.ConsoleProducer", heap_mib=128)
    subprocess.run([*console, *options], input=lines.encode(), capture_output=True, check=True, timeout=150)
    for topic in (theirs, java):
        assert ours == {record.key: record.partition for record in kafka_client.consume_all(topic)}
    assert set(ours.values()) == set(range(7))


def test_topics_are_created_as_told(kafka: Kafka, kafka_client: KafkaClient, tenant: str) -> None:
    configs = {f"{tenant}.dead-letter.v1": {"retention.ms": "12345", "max.message.bytes": "70000"}}
    real = Real(kafka.bootstrap(), tenant, create_topics=CreateTopics(4, configs=configs))
    whole(real, 5)
    assert kafka_client.partitions(real.topic) == 4
    assert kafka_client.configs(real.letters)["retention.ms"] == "12345"
    assert real.publisher._intake.limits[real.letters] == 70_000
    whole(Real(kafka.bootstrap(), tenant, create_topics=None), 5)


class TestStart:
    def start(self, real: Real) -> str:
        with pytest.raises(StartError) as caught:
            whole(real)
        gc.collect()  # a connection that was given up and left open complains now, and not in another test
        return str(caught.value)

    def test_a_topic_is_missing(self, kafka: Kafka, kafka_client: KafkaClient, tenant: str) -> None:
        real = Real(kafka.bootstrap(), tenant, create_topics=None)
        said = self.start(real)
        assert real.topic in said
        assert "create_topics" in said
        assert real.topic not in kafka_client.topics()

    def test_kafka_will_not_create_it(self, kafka: Kafka, tenant: str) -> None:
        real = Real(kafka.bootstrap(), tenant, create_topics=CreateTopics(1, replication_factor=3))
        assert "INVALID_REPLICATION_FACTOR" in self.start(real)

    def test_nobody_is_there(self, tenant: str) -> None:
        port = free_port()
        assert f"127.0.0.1:{port}" in self.start(Real(f"{LOOPBACK}:{port}", tenant))

    def test_wrong_password(self, kafka: Kafka, certificates: Certificates, tenant: str) -> None:
        tls = Tls(ca_file=certificates.ca)
        mechanisms: list[Mechanism] = ["SCRAM-SHA-512", "PLAIN"]
        for mechanism in mechanisms:
            sasl = Sasl(mechanism, lambda: USER, lambda: "wrong")
            said = self.start(Real(kafka.bootstrap("SASL_SSL"), tenant, tls=tls, sasl=sasl))
            assert "credentials" in said
            assert "wrong" not in said

    def test_wrong_authority(self, kafka: Kafka, certificates: Certificates, tenant: str) -> None:
        tls = Tls(ca_file=certificates.other_authority.file)
        assert "TLS" in self.start(Real(kafka.bootstrap("SSL"), tenant, tls=tls))

    def test_tls_is_forgotten(self, kafka: Kafka, tenant: str) -> None:
        said = self.start(Real(kafka.bootstrap("SSL"), tenant, request_timeout=3.0))
        assert kafka.bootstrap("SSL") in said


class TestSecurity:
    def check(self, real: Real, kafka: Kafka) -> None:
        whole(real)
        real.complete(KafkaClient(kafka.bootstrap()).consume_all(real.topic))

    def test_client_certificate(self, kafka: Kafka, certificates: Certificates, tenant: str) -> None:
        mine = certificates.client
        tls = Tls(ca_file=certificates.ca, cert_file=mine.certificate, key_file=mine.key)
        self.check(Real(kafka.bootstrap("SSL"), tenant, tls=tls), kafka)

    @pytest.mark.parametrize("mechanism", ["SCRAM-SHA-256", "SCRAM-SHA-512", "PLAIN"])
    def test_passwords(self, mechanism: Mechanism, kafka: Kafka, certificates: Certificates, tenant: str) -> None:
        sasl = Sasl(mechanism, lambda: USER, lambda: PASSWORD)
        tls = None if mechanism == "PLAIN" else Tls(ca_file=certificates.ca)
        listener = "SASL_PLAINTEXT" if tls is None else "SASL_SSL"
        self.check(Real(kafka.bootstrap(listener), tenant, tls=tls, sasl=sasl), kafka)

    def test_token_file(self, kafka: Kafka, tenant: str, tmp_path: Path) -> None:
        file = tmp_path / "token"
        file.write_text(_token() + "\n", encoding="ascii")
        sasl = Sasl("OAUTHBEARER", token_file=file)
        self.check(Real(kafka.bootstrap("OAUTHBEARER"), tenant, sasl=sasl), kafka)

    def test_token_endpoint(self, kafka: Kafka, tenant: str) -> None:
        with _token_endpoint() as (url, asked):
            sasl = Sasl("OAUTHBEARER", lambda: "id", lambda: "secret/", token_url=url, token_scope="kafka")
            self.check(Real(kafka.bootstrap("OAUTHBEARER"), tenant, sasl=sasl), kafka)
        assert asked[0] == ("Basic aWQ6c2VjcmV0JTJG", b"grant_type=client_credentials&scope=kafka")

    def test_token_endpoint_refuses(self, kafka: Kafka, tenant: str) -> None:
        sasl = Sasl("OAUTHBEARER", token_url=f"http://{LOOPBACK}:{free_port()}/token")
        with pytest.raises(StartError, match="gave no token"):
            whole(Real(kafka.bootstrap("OAUTHBEARER"), tenant, sasl=sasl))


class TestRefusals:
    def test_a_time_ahead_inside_a_full_batch(self, kafka: Kafka, kafka_client: KafkaClient, tenant: str) -> None:
        """Kafka refuses the whole batch, tells its own time, and takes the same records under it."""
        real = Real(kafka.bootstrap(), tenant, partitions=1)

        async def work() -> None:
            async with publishing(real):
                real.put(200)
                real.put(1, timestamp=int((time.time() + 7200) * 1000))
                real.put(200)
                await real.drain()

        asyncio.run(work())
        real.conserved()
        consumed = kafka_client.consume_all(real.topic)
        assert [record.value for record in consumed] == [record.value for record in real.records]
        assert all(abs(record.timestamp / 1000 - time.time()) < 60 for record in consumed)
        assert real.events.failures["INVALID_TIMESTAMP"] == 1  # a new topic may have no leader at first
        assert not real.events.refusals
        assert not real.events.rebuilds
        assert real.clock.ahead == pytest.approx(0, abs=5)

    def test_a_limit_below_the_chunk(self, kafka: Kafka, kafka_client: KafkaClient, tenant: str) -> None:
        real = Real(kafka.bootstrap(), tenant, create_topics=None)
        kafka_client.create_topic(real.topic, 2, {"max.message.bytes": "4000"})
        kafka_client.create_topic(real.letters)
        large = []

        async def work() -> None:
            async with publishing(real):
                real.put(300)
                large.extend(real.put(1, size=5000))
                real.put(300)
                await real.drain()

        asyncio.run(work())
        real.conserved(dead=1)
        real.complete(kafka_client.consume_all(real.topic), large)
        assert not real.events.failures
        assert not real.events.refusals
        [letter] = kafka_client.consume_all(real.letters)
        assert dict(letter.headers)["ce_reason"] == b"record_too_large"

    def test_a_limit_lowered_while_we_run(self, kafka: Kafka, kafka_client: KafkaClient, tenant: str) -> None:
        real = Real(kafka.bootstrap(), tenant, partitions=1)
        large = []

        async def work() -> None:
            async with publishing(real):
                await _set_config(kafka.bootstrap(), real.topic, "max.message.bytes", "3000")
                await asyncio.sleep(0.5)
                real.put(200)
                large.extend(real.put(1, size=5000))
                await real.drain()

        asyncio.run(work())
        real.conserved(dead=1)
        real.complete(kafka_client.consume_all(real.topic), large)
        assert real.events.refusals == {"MESSAGE_TOO_LARGE": 1}

    def test_a_topic_deleted_and_made_again(self, kafka: Kafka, kafka_client: KafkaClient, tenant: str) -> None:
        real = Real(kafka.bootstrap(), tenant, partitions=1)

        async def work() -> None:
            async with publishing(real):
                real.put(10)
                await real.drain()
                await asyncio.to_thread(kafka_client.delete_topic, real.topic)
                real.put(10)
                async with asyncio.timeout(30):
                    while real.publisher.ready:  # noqa: ASYNC110
                        await asyncio.sleep(0.05)
                assert f"Create topic {real.topic}" in real.publisher.trouble
                assert real.topic not in await asyncio.to_thread(kafka_client.topics)
                await asyncio.to_thread(kafka_client.create_topic, real.topic)
                await real.drain(40)
                assert real.publisher.ready

        asyncio.run(work())
        real.conserved()
        values = [int((record.value or b"").rstrip(b".")) for record in kafka_client.consume_all(real.topic)]
        assert values == list(range(10, 20))


@pytest.mark.fault
class TestFaults:
    @pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
    def test_killed_and_restarted_under_load(
        self, loop: Callable[[], asyncio.AbstractEventLoop], living_kafka: Kafka, tenant: str
    ) -> None:
        real = Real(living_kafka.bootstrap(), tenant)

        async def work() -> None:
            async with publishing(real):
                bounce = asyncio.create_task(_bounce(living_kafka))
                while not bounce.done():
                    real.put(50)
                    await asyncio.sleep(0.01)
                await bounce
                await real.drain(30)
                assert real.publisher.ready

        with asyncio.Runner(loop_factory=loop) as runner:
            runner.run(work())
        real.conserved()
        real.complete(KafkaClient(living_kafka.bootstrap()).consume_all(real.topic))
        assert real.events.failures["NO_ANSWER"]
        assert not real.events.rebuilds

    def test_stalled_until_requests_time_out(self, living_kafka: Kafka, tenant: str) -> None:
        """What was written and not answered is stored once, though it is sent again."""
        real = Real(living_kafka.bootstrap(), tenant, request_timeout=1.0)

        async def work() -> None:
            async with publishing(real):
                for _ in range(3):
                    living_kafka.process.pause()
                    real.put(300)
                    await asyncio.sleep(1.5)
                    living_kafka.process.resume()
                    await real.drain(30)

        asyncio.run(work())
        real.conserved()
        real.complete(KafkaClient(living_kafka.bootstrap()).consume_all(real.topic))
        assert real.events.failures["NO_ANSWER"]

    @pytest.mark.parametrize("fate", ["killed", "stalled"])
    def test_close_with_kafka_dead(self, fate: str, living_kafka: Kafka, tenant: str) -> None:
        real = Real(living_kafka.bootstrap(), tenant)

        async def work() -> None:
            async with publishing(real):
                real.put(100)
                await real.drain()
                living_kafka.kill() if fate == "killed" else living_kafka.process.pause()
                real.put(50_000)
                await asyncio.sleep(0.5)
                async with asyncio.timeout(30):
                    await real.publisher.drain(time.monotonic() + 1.0)
                    await real.publisher.close(time.monotonic() + 0.5)
                assert real.publisher.pending() == real.ledger.in_flight() == 50_000

        asyncio.run(work())
        if fate == "stalled":
            living_kafka.process.resume()
        assert real.ledger.conserved()

    def test_the_leader_goes_and_comes(self, kafka_cluster: KafkaCluster, tenant: str) -> None:
        real = Real(kafka_cluster.bootstrap(), tenant)

        async def work() -> None:
            async with publishing(real):
                leader = await asyncio.to_thread(kafka_cluster.leader, real.topic)
                leader.kill()
                for _ in range(300):
                    real.put(20)
                    await asyncio.sleep(0.01)
                await real.drain(30)
                await asyncio.to_thread(leader.start)
                real.put(100)
                await real.drain(30)

        asyncio.run(work())
        real.conserved()
        real.complete(KafkaClient(kafka_cluster.bootstrap()).consume_all(real.topic))


async def _bounce(kafka: Kafka) -> None:
    await asyncio.sleep(0.5)
    await asyncio.to_thread(kafka.bounce)


async def _set_config(bootstrap: str, topic: str, name: str, value: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, {name: value})])
    finally:
        await admin.close()


def _token() -> str:
    now = int(time.time())
    parts = ({"alg": "none"}, {"sub": USER, "iat": now, "exp": now + 600})
    return ".".join(urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts) + "."


@contextmanager
def _token_endpoint() -> Iterator[tuple[str, list[tuple[str, bytes]]]]:
    asked: list[tuple[str, bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            asked.append((self.headers["Authorization"], body))
            answer = json.dumps({"access_token": _token(), "expires_in": 600}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer((LOOPBACK, 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://{LOOPBACK}:{server.server_port}/token", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
