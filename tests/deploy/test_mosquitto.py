"""The broker's configuration as it is shipped, in a real Mosquitto: only paths, port and user are the test's."""

from __future__ import annotations

import os
import pwd
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.certs import Certificates
from tests.support.mqtt_client import MqttEndpoint, Publisher, Subscriber, trusted
from tests.support.ports import LOOPBACK, free_port, is_open
from tests.support.process import Process
from tests.support.toolchain import find

SHIPPED = Path(__file__).resolve().parents[2] / "deploy" / "mosquitto"
SAVED_EACH = 1  # second: the shipped interval would make the test wait for it


class Broker:
    """The shipped files, moved to where a test may write."""

    def __init__(self, folder: Path, certificates: Certificates) -> None:
        self.port = free_port()
        self.endpoint = MqttEndpoint(self.port, ca=certificates.ca)
        text = (SHIPPED / "mosquitto.conf").read_text(encoding="utf-8")
        moved = {
            "/etc/mosquitto/certs/server.crt": str(certificates.server.certificate),
            "/etc/mosquitto/certs/server.key": str(certificates.server.key),
            "/etc/mosquitto/": f"{folder}/",
            "/var/lib/mosquitto/": f"{folder}/",
            "listener 8883": f"listener {self.port} {LOOPBACK}",
            "autosave_interval 10": f"autosave_interval {SAVED_EACH}",
        }
        for shipped, here in moved.items():
            assert shipped in text, shipped
            text = text.replace(shipped, here)
        user = pwd.getpwuid(os.geteuid()).pw_name  # else a broker that root starts cannot read our folder
        (folder / "mosquitto.conf").write_text(f"{text}\nuser {user}\n", encoding="utf-8")
        (folder / "acl").write_text((SHIPPED / "acl").read_text(encoding="utf-8"), encoding="utf-8")
        (folder / "acl").chmod(0o600)
        for name in ("headrace", "aq-0001"):
            self._add_user(folder / "passwords", name)
        tool = find("mosquitto")
        self.process = Process([tool.path, "-c", folder / "mosquitto.conf"], folder / "mosquitto.log", env=tool.env)

    def as_user(self, name: str) -> MqttEndpoint:
        return replace(self.endpoint, username=name, password=f"{name}-secret")

    def start(self) -> None:
        self.process.start()
        self.process.wait_until(lambda: is_open(self.port), what="listening")

    def _add_user(self, file: Path, name: str) -> None:
        tool = find("mosquitto_passwd")
        create = [] if file.exists() else ["-c"]
        command = [str(tool.path), "-b", *create, str(file), name, f"{name}-secret"]
        subprocess.run(command, env={**os.environ, **tool.env}, check=True, capture_output=True)


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory, certificates: Certificates) -> Iterator[Broker]:
    broker = Broker(tmp_path_factory.mktemp("shipped"), certificates)
    broker.start()
    yield broker
    broker.process.terminate()


def remember(broker: Broker, client_id: str, topic_filter: str) -> None:
    """Make a session that outlives its connection, as Headrace's does."""
    with Subscriber(broker.as_user("headrace"), client_id, clean=False) as subscriber:
        subscriber.subscribe(topic_filter)


@pytest.mark.real
def test_only_the_known_get_in_and_only_by_tls(broker: Broker) -> None:
    with pytest.raises(ConnectionError), Publisher(broker.endpoint):
        pass
    with pytest.raises(ConnectionError), Publisher(replace(broker.endpoint, username="aq-0001", password="guessed")):
        pass
    assert not trusted(replace(broker.endpoint, ca=None))
    with Publisher(broker.as_user("aq-0001")):
        pass


@pytest.mark.real
def test_a_device_speaks_for_itself_only_and_hears_nobody(broker: Broker) -> None:
    with (
        Subscriber(broker.as_user("headrace"), "rights") as headrace,
        Subscriber(broker.as_user("aq-0001"), "nosy") as nosy,
        Publisher(broker.as_user("aq-0001")) as device,
        Publisher(broker.as_user("headrace")) as writer,
    ):
        headrace.subscribe("city/#")
        nosy.subscribe("city/#")
        device.publish([("city/aq/aq-0002/rights", b"forged"), ("city/aq/aq-0001/rights", b"own")])
        writer.publish([("city/aq/aq-0001/rights", b"from headrace")])
        device.publish([("city/aq/aq-0001/rights", b"last")])
        assert [message.payload for message in headrace.wait_for(2)] == [b"own", b"last"]
        assert nosy.messages == []


@pytest.mark.real
def test_what_is_sent_at_qos_0_while_headrace_is_away_comes_at_qos_1(broker: Broker) -> None:
    remember(broker, "qos", "city/+/+/qos")
    with Publisher(broker.as_user("aq-0001")) as device:
        device.publish([("city/aq/aq-0001/qos", b"reading")], qos=0)
    with Subscriber(broker.as_user("headrace"), "qos", clean=False) as headrace:
        [message] = headrace.wait_for(1)
    assert (message.payload, message.qos) == (b"reading", 1)


@pytest.mark.real
@pytest.mark.fault
def test_what_waits_for_headrace_survives_a_kill_of_the_broker(tmp_path: Path, certificates: Certificates) -> None:
    """By Mosquitto's defaults: 1,000 kept of 5,000, and none of them after a SIGKILL."""
    broker = Broker(tmp_path, certificates)
    broker.start()
    remember(broker, "absent", "city/#")
    with Publisher(broker.as_user("aq-0001")) as device:
        device.publish((f"city/aq/aq-0001/{number}", b"reading") for number in range(5000))
    time.sleep(SAVED_EACH + 1.5)  # the interval, and the turn of the broker's loop that looks at it
    broker.process.hard_kill()
    broker.start()
    with Subscriber(broker.as_user("headrace"), "absent", clean=False) as headrace:
        heard = {message.topic for message in headrace.wait_for(5000, timeout=60)}
    broker.process.terminate()
    assert len(heard) == 5000


@pytest.mark.parametrize("file", ["mosquitto.conf", "acl"])
def test_every_line_has_its_reason(file: str) -> None:
    paragraphs = (SHIPPED / file).read_text(encoding="utf-8").strip().split("\n\n")
    settings = [
        paragraph for paragraph in paragraphs if not all(line.startswith("#") for line in paragraph.split("\n"))
    ]
    assert settings
    assert [paragraph for paragraph in settings if not paragraph.startswith("# ")] == []
