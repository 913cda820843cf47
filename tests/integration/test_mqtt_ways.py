"""Every way into an MQTT broker, by a whole worker; and those that must be refused."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import USERS
from tests.integration.worker_bench import WorkerBench, fates, number_of, reading, until
from tests.support.certs import Certificates, Identity
from tests.support.log import events
from tests.support.mosquitto import Mosquitto
from tests.support.mqtt_client import MqttEndpoint

pytestmark = pytest.mark.real
[(USER, PASSWORD)] = USERS.items()
BATCH = 50
Files = dict[str, str]


def tls(certificates: Certificates, identity: Identity | None = None) -> Files:
    files = {"ca_file": str(certificates.ca)}
    if identity is not None:
        files |= {"cert_file": str(identity.certificate), "key_file": str(identity.key)}
    return files


def brings_everything(bench: WorkerBench, feed: dict[str, Any], endpoint: MqttEndpoint | None = None) -> None:
    worker = bench.worker(bench.config(feed=feed))
    bench.publish(*(reading(number) for number in range(BATCH)), endpoint=endpoint)
    assert fates(bench.settled(worker, BATCH)) == {"published": BATCH}
    assert sorted(map(number_of, bench.records())) == [(1, number) for number in range(BATCH)]
    assert worker.stop() == 0


def refusal(bench: WorkerBench, feed: dict[str, Any]) -> str:
    """Start a worker that must not start: exit code 1, and one sentence on the last line."""
    worker = bench.new_headrace(bench.config(feed=feed))
    worker.start(wait=False)
    assert worker.process.wait(90) == 1
    assert "Traceback" not in worker.logged()
    return str(events(worker.logged(), "The worker cannot start.")[-1]["problem"])


@pytest.mark.parametrize("version", ["3.1.1", "5"])
def test_version(bench: WorkerBench, version: str) -> None:
    brings_everything(bench, {"version": version})


@pytest.mark.parametrize("version", ["3.1.1", "5"])
@pytest.mark.parametrize("scheme", ["ws", "wss"])
def test_websocket(bench: WorkerBench, certificates: Certificates, scheme: str, version: str) -> None:
    port = bench.mosquitto.ws_port if scheme == "ws" else bench.mosquitto.wss_port
    secure = {"tls": tls(certificates)} if scheme == "wss" else {}
    brings_everything(bench, {"url": f"{scheme}://127.0.0.1:{port}/mqtt", "version": version, **secure})


def test_tls(bench: WorkerBench, certificates: Certificates) -> None:
    url = f"mqtts://127.0.0.1:{bench.mosquitto.tls_port}"
    brings_everything(bench, {"url": url, "tls": tls(certificates)})


def test_client_certificate(bench: WorkerBench, certificates: Certificates) -> None:
    url = f"mqtts://127.0.0.1:{bench.mosquitto.mtls_port}"
    brings_everything(bench, {"url": url, "tls": tls(certificates, certificates.client)})


def test_user_and_password(bench: WorkerBench, new_mosquitto: Callable[..., Mosquitto]) -> None:
    bench.mosquitto = new_mosquitto(users=USERS, durable=False)
    endpoint = MqttEndpoint(bench.mosquitto.port, username=USER, password=PASSWORD)
    brings_everything(bench, {"username": USER, "password": PASSWORD}, endpoint)

    said = refusal(bench, {"username": USER, "password": "canary-of-the-password"})
    assert said == (
        f"Feed city: {bench.mosquitto.url} refused client id headrace-{bench.tenant} and user {USER}: Not authorized. "
        "Check user, password, client id and version."
    )


def test_wrong_authority_of_the_broker(bench: WorkerBench, certificates: Certificates) -> None:
    url = f"mqtts://127.0.0.1:{bench.mosquitto.tls_port}"
    said = refusal(bench, {"url": url, "tls": {"ca_file": str(certificates.other_authority.file)}})
    assert said.startswith(f"Feed city: {url} shows a certificate that is not trusted: unable to get local issuer")
    assert said.endswith("Check `ca_file`.")


@pytest.mark.parametrize(
    ("server", "why"),
    [
        ("server_expired", "certificate has expired"),
        ("server_wrong_name", "IP address mismatch, certificate is not valid for '127.0.0.1'"),
        ("server_wrong_authority", "unable to get local issuer certificate"),
    ],
)
def test_bad_certificate_of_the_broker(
    bench: WorkerBench, certificates: Certificates, new_mosquitto: Callable[..., Mosquitto], server: str, why: str
) -> None:
    bad = BadServer(certificates, getattr(certificates, server))
    bench.mosquitto = new_mosquitto(certificates=bad, durable=False)
    url = f"mqtts://127.0.0.1:{bench.mosquitto.tls_port}"
    said = refusal(bench, {"url": url, "tls": tls(certificates)})
    assert said.startswith(f"Feed city: {url} shows a certificate that is not trusted: {why}")


class BadServer:
    """Certificates of which the server's is a bad one."""

    def __init__(self, good: Certificates, server: Identity) -> None:
        self.ca = good.ca
        self.server = server


@pytest.mark.parametrize("client", [None, "client_expired", "client_wrong_authority"])
def test_a_client_certificate_that_the_broker_does_not_take(
    bench: WorkerBench, certificates: Certificates, client: str | None
) -> None:
    url = f"mqtts://127.0.0.1:{bench.mosquitto.mtls_port}"
    identity = None if client is None else getattr(certificates, client)
    said = refusal(bench, {"url": url, "tls": tls(certificates, identity)})
    assert said.startswith(f"Feed city: {url} does not take our certificate")
    assert said.endswith("Check `cert_file` and `key_file`.")


def test_certificates_change_while_it_runs(
    bench: WorkerBench, new_mosquitto: Callable[..., Mosquitto], tmp_path: Path
) -> None:
    """Files are read at each connection: a new authority, server and client certificate need no restart of ours."""
    own = Certificates(tmp_path / "own")
    bench.mosquitto = new_mosquitto(certificates=own)
    url = f"mqtts://127.0.0.1:{bench.mosquitto.mtls_port}"
    worker = bench.worker(bench.config(feed={"url": url, "tls": tls(own, own.client)}))
    bench.publish(*map(reading, range(10)))
    bench.settled(worker, 10)

    own.server.become(own.server_wrong_authority)
    own.client.become(own.client_wrong_authority)
    own.ca.write_bytes(own.other_authority.file.read_bytes())
    bench.mosquitto.restart()
    until(lambda: worker.metric("headrace_reconnects_total") > 0, "the connection to be lost")
    worker.wait_ready()

    bench.publish(*map(reading, range(10, 20)))
    assert fates(bench.settled(worker, 20)) == {"published": 20}
    assert worker.metric("headrace_sessions_lost_total") == 0
    assert worker.stop() == 0


def test_a_password_changes_while_it_runs(
    bench: WorkerBench, new_mosquitto: Callable[..., Mosquitto], tmp_path: Path
) -> None:
    bench.mosquitto = new_mosquitto(users=USERS)
    secret = tmp_path / "secret"
    secret.write_text(PASSWORD, encoding="utf-8")
    worker = bench.worker(bench.config(feed={"username": USER, "password_file": str(secret)}))

    bench.mosquitto.set_users({USER: "another"})
    bench.mosquitto.restart()
    # Refused after it has started: an operator may be in the middle of a change, so it asks again and says why.
    until(lambda: worker.metric("headrace_reconnects_total", reason="refused") > 0, "the old password to be refused")
    assert "Not authorized" in worker.logged()
    assert not worker.ready()
    secret.write_text("another\n", encoding="utf-8")
    worker.wait_ready(timeout=180)

    bench.publish(reading(), endpoint=MqttEndpoint(bench.mosquitto.port, username=USER, password="another"))
    assert fates(bench.settled(worker, 1)) == {"published": 1}
    assert worker.stop() == 0
