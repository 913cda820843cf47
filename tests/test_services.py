"""Every way into the real parts works, so that a failure elsewhere is not the fault of the test bench."""

import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt.enums import MQTTProtocolVersion

from tests.conftest import USERS
from tests.support.certs import Certificates
from tests.support.headrace import Headrace
from tests.support.kafka import Kafka
from tests.support.kafka_client import KafkaClient, UnsignedToken, tls_context
from tests.support.kafka_cluster import KafkaCluster
from tests.support.mosquitto import Mosquitto
from tests.support.mqtt_client import MqttEndpoint, Subscriber, publish, trusted
from tests.support.prometheus import Prometheus, check_metrics

pytestmark = pytest.mark.real
MESSAGES = [(f"services/{number}", str(number).encode()) for number in range(5)]
[(USER, PASSWORD)] = USERS.items()


def _passes(endpoint: MqttEndpoint | int) -> bool:
    with Subscriber(endpoint) as subscriber:
        subscriber.subscribe("services/#")
        publish(endpoint, MESSAGES)
        heard = subscriber.wait_for(len(MESSAGES))
    return [message.payload for message in heard] == [payload for _, payload in MESSAGES]


class TestMosquitto:
    def test_plain(self, mosquitto: Mosquitto) -> None:
        assert _passes(mosquitto.port)
        assert _passes(MqttEndpoint(mosquitto.port, protocol=MQTTProtocolVersion.MQTTv5))

    def test_websockets(self, mosquitto: Mosquitto, certificates: Certificates) -> None:
        assert _passes(MqttEndpoint(mosquitto.ws_port, transport="websockets"))
        assert _passes(MqttEndpoint(mosquitto.wss_port, transport="websockets", ca=certificates.ca))

    def test_tls(self, mosquitto: Mosquitto, certificates: Certificates) -> None:
        assert _passes(MqttEndpoint(mosquitto.tls_port, ca=certificates.ca))
        assert not trusted(MqttEndpoint(mosquitto.tls_port, ca=certificates.other_authority.file))

    def test_client_certificates(self, mosquitto: Mosquitto, certificates: Certificates) -> None:
        port = mosquitto.mtls_port
        assert _passes(MqttEndpoint(port, ca=certificates.ca, identity=certificates.client))
        for bad in (None, certificates.client_expired, certificates.client_wrong_authority):
            assert not trusted(MqttEndpoint(port, ca=certificates.ca, identity=bad))

    def test_passwords(self, new_mosquitto: Callable[..., Mosquitto]) -> None:
        broker = new_mosquitto(users=USERS)
        assert _passes(MqttEndpoint(broker.port, username=USER, password=PASSWORD))
        with pytest.raises(ConnectionError):
            publish(MqttEndpoint(broker.port, username=USER, password="wrong"), MESSAGES)

    def test_a_reload_brings_the_new_certificate(self, new_mosquitto: Callable[..., Mosquitto], tmp_path: Path) -> None:
        own = Certificates(tmp_path / "own")
        broker = new_mosquitto(certificates=own)
        own.server.become(own.server_wrong_authority)
        broker.reload()
        new = MqttEndpoint(broker.tls_port, ca=own.other_authority.file)
        deadline = time.monotonic() + 30
        while not trusted(new):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert _passes(new)

    def test_what_it_acknowledged_survives_a_kill(self, new_mosquitto: Callable[..., Mosquitto]) -> None:
        broker = new_mosquitto()
        with Subscriber(broker.port, "stays", clean=False) as subscriber:
            subscriber.subscribe("services/#")
        publish(broker.port, MESSAGES)
        time.sleep(0.5)  # the acknowledgement leaves a moment before the state is saved
        broker.kill()
        broker.start()
        with Subscriber(broker.port, "stays", clean=False) as subscriber:
            assert len(subscriber.wait_for(len(MESSAGES))) == len(MESSAGES)
            assert subscriber.session_present


class TestKafka:
    @pytest.mark.parametrize("listener", ["PLAINTEXT", "SSL", "SASL_SSL", "SASL_PLAINTEXT", "OAUTHBEARER"])
    def test_listener(self, listener: str, kafka: Kafka, certificates: Certificates, tenant: str) -> None:
        for number, security in enumerate(_securities(listener, certificates)):
            client = KafkaClient(kafka.bootstrap(listener), security)
            topic = f"{tenant}.{number}"
            client.create_topic(topic)
            client.produce(topic, [(b"key", b"value")])
            [record] = client.consume_all(topic)
            assert (record.key, record.value) == (b"key", b"value")

    def test_several_partitions_and_their_ends(self, kafka_client: KafkaClient, tenant: str) -> None:
        kafka_client.create_topic(tenant, 3, {"max.message.bytes": "2048"})
        kafka_client.produce(tenant, [(str(number).encode(), b"value") for number in range(100)])
        assert kafka_client.partitions(tenant) == 3
        assert kafka_client.configs(tenant)["max.message.bytes"] == "2048"
        assert len({record.partition for record in kafka_client.consume_all(tenant)}) == 3
        assert kafka_client.count(tenant) == len(kafka_client.consume_all(tenant)) == 100
        assert len(kafka_client.wait_for(100, tenant)) == 100

    def test_a_topic_is_never_made_by_writing_to_it(self, kafka_client: KafkaClient, tenant: str) -> None:
        with pytest.raises(AssertionError, match="no topic"):
            kafka_client.consume_all(tenant)
        assert tenant not in kafka_client.topics()

    def test_bounced_it_keeps_its_records(self, new_kafka: Callable[..., Kafka]) -> None:
        broker = new_kafka()
        client = KafkaClient(broker.bootstrap())
        client.create_topic("kept")
        client.produce("kept", [(None, b"1"), (None, b"2")])
        broker.bounce()
        assert [record.value for record in client.consume_all("kept")] == [b"1", b"2"]

    @pytest.mark.fault
    def test_a_cluster_goes_on_without_the_leader(self, kafka_cluster: KafkaCluster) -> None:
        client = KafkaClient(kafka_cluster.bootstrap())
        client.create_topic("kept", replicas=3)
        client.produce("kept", [(None, b"1")])
        killed = kafka_cluster.leader("kept")
        killed.kill()
        client.produce("kept", [(None, b"2")])
        assert kafka_cluster.leader("kept") is not killed
        assert [record.value for record in client.consume_all("kept")] == [b"1", b"2"]
        killed.start()


# Stands in for the worker: any page answers, with the metrics of the process.
STAND_IN = """
import signal, sys, yaml
from prometheus_client import Counter, start_http_server
config = yaml.safe_load(open(sys.argv[2], encoding="utf-8"))
host, port = config["admin"]["listen"].split(":")
published = Counter("headrace_published", "What it would have published.", ["feed"])
published.labels(feed="city").inc(3)
published.labels(feed="port").inc(4)
start_http_server(int(port), host)
signal.sigwait({signal.SIGTERM})
"""


class TestHeadraceAndPrometheus:
    def test_a_scraped_worker(
        self, new_headrace: Callable[..., Headrace], new_prometheus: Callable[..., Prometheus]
    ) -> None:
        worker = new_headrace({"tenant": "acme"}, launcher=["-c", STAND_IN])
        worker.start()
        assert worker.metrics()['headrace_published_total{feed="city"}'] == 3
        assert worker.metric("headrace_published_total") == 7
        assert 0 < worker.rss() <= worker.peak_rss()
        prometheus = new_prometheus(targets=[worker.admin.removeprefix("http://")])
        assert prometheus.wait_for("sum(headrace_published_total)") == 7
        worker.kill()
        worker.start()
        assert worker.stop() in {0, -signal.SIGTERM}

    def test_promtool_tells_good_metrics_from_bad(self) -> None:
        good = "# HELP headrace_lanes Lanes that are open.\n# TYPE headrace_lanes gauge\nheadrace_lanes 1\n"
        assert check_metrics(good) == ""
        assert "counter" in check_metrics(good.replace("gauge", "counter"))


def _securities(listener: str, certificates: Certificates) -> list[dict[str, Any]]:
    password = {"sasl_plain_username": USER, "sasl_plain_password": PASSWORD}
    token = UnsignedToken(USER, issued_at=time.time(), expires_at=time.time() + 600)
    ssl_only = {"ssl_context": tls_context(certificates.ca)}
    plaintext, secure = {"security_protocol": "SASL_PLAINTEXT"}, {"security_protocol": "SASL_SSL", **ssl_only}
    ways: dict[str, list[dict[str, Any]]] = {
        "PLAINTEXT": [{}],
        "SSL": [{"security_protocol": "SSL", "ssl_context": tls_context(certificates.ca, certificates.client)}],
        "SASL_SSL": [{**secure, **password, "sasl_mechanism": f"SCRAM-SHA-{bits}"} for bits in (256, 512)],
        "SASL_PLAINTEXT": [{**plaintext, **password, "sasl_mechanism": "PLAIN"}],
        "OAUTHBEARER": [{**plaintext, "sasl_mechanism": "OAUTHBEARER", "sasl_oauth_token_provider": token}],
    }
    return ways[listener]
