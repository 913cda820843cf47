"""A small MQTT publisher and subscriber for tests; paho's own threads do the waiting."""

import socket
import ssl
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from tests.support.certs import Identity
from tests.support.ports import LOOPBACK


@dataclass(frozen=True)
class MqttEndpoint:
    """Where a broker listens and how to get in."""

    port: int
    transport: str = "tcp"
    ca: Path | None = None
    identity: Identity | None = None
    username: str | None = None
    password: str | None = None
    protocol: MQTTProtocolVersion = MQTTProtocolVersion.MQTTv311

    def context(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=self.ca)
        if self.identity is not None:
            context.load_cert_chain(self.identity.certificate, self.identity.key)
        return context


class _Connection:
    def __init__(self, endpoint: MqttEndpoint | int, client_id: str = "", *, clean: bool = True) -> None:
        self.endpoint = MqttEndpoint(endpoint) if isinstance(endpoint, int) else endpoint
        self.changed = threading.Condition()
        self.session_present = False
        self._refused: str | None = None
        self._connected = False
        self.client = self._make(client_id, clean=clean)
        self.client.on_connect = self._on_connect

    def connect(self, timeout: float = 30.0) -> None:
        self.client.connect(LOOPBACK, self.endpoint.port, keepalive=30, **self._clean_start())
        self.client.loop_start()
        self._wait(lambda: self._connected or self._refused is not None, timeout, "the broker's answer to CONNECT")
        if self._refused is not None:
            raise ConnectionError(self._refused)

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()

    def _make(self, client_id: str, *, clean: bool) -> Client:
        self._clean = clean
        version5 = self.endpoint.protocol == MQTTProtocolVersion.MQTTv5
        client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            clean_session=None if version5 else clean,
            protocol=self.endpoint.protocol,
            transport=self.endpoint.transport,  # type: ignore[arg-type]
        )
        if self.endpoint.ca is not None:
            client.tls_set_context(self.endpoint.context())
        client.username_pw_set(self.endpoint.username, self.endpoint.password)
        return client

    def _clean_start(self) -> dict[str, Any]:
        return {"clean_start": self._clean} if self.endpoint.protocol == MQTTProtocolVersion.MQTTv5 else {}

    def _on_connect(self, _client: Client, _data: Any, flags: Any, reason: Any, _properties: Any) -> None:
        with self.changed:
            self._refused = f"the broker refused: {reason}" if reason.is_failure else None
            self._connected = not reason.is_failure
            self.session_present = flags.session_present
            self.changed.notify_all()

    def _wait(self, done: Any, timeout: float, what: str) -> None:
        with self.changed:
            if not self.changed.wait_for(done, timeout):
                raise TimeoutError(f"waited {timeout:g} s for {what}")


class Publisher(_Connection):
    """Publishes and knows which messages the broker has acknowledged."""

    def __init__(self, endpoint: MqttEndpoint | int, client_id: str = "", *, window: int = 1000) -> None:
        super().__init__(endpoint, client_id)
        self.acknowledged = 0
        self.client.max_inflight_messages_set(window)
        self.client.on_publish = self._on_publish

    def publish(
        self,
        messages: Iterable[tuple[str, bytes] | tuple[str, bytes, bool]],
        *,
        qos: int = 1,
        timeout: float = 180.0,
        properties: Properties | None = None,
    ) -> int:
        """Publish all and wait until the broker has taken every one of them; how many they were."""
        before, sent = self.acknowledged, 0
        for topic, payload, *retain in messages:
            self.client.publish(topic, payload, qos, retain=bool(retain and retain[0]), properties=properties)
            sent += 1
        self._wait(lambda: self.acknowledged - before >= sent, timeout, f"{sent} acknowledgements")
        return sent

    def __enter__(self) -> "Publisher":
        self.connect()
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _on_publish(self, *_: Any) -> None:
        with self.changed:
            self.acknowledged += 1
            self.changed.notify_all()


class Subscriber(_Connection):
    """Collects what it hears."""

    def __init__(self, endpoint: MqttEndpoint | int, client_id: str = "", *, clean: bool = True) -> None:
        super().__init__(endpoint, client_id, clean=clean)
        self.messages: list[MQTTMessage] = []
        self._subscribed = 0
        self.client.on_message = self._on_message
        self.client.on_subscribe = self._on_subscribe

    def subscribe(self, topic_filter: str, qos: int = 1, timeout: float = 30.0) -> None:
        before = self._subscribed
        self.client.subscribe(topic_filter, qos)
        self._wait(lambda: self._subscribed > before, timeout, "the broker's answer to SUBSCRIBE")

    def wait_for(self, count: int, timeout: float = 30.0) -> list[MQTTMessage]:
        self._wait(lambda: len(self.messages) >= count, timeout, f"{count} messages")
        return self.messages

    def __enter__(self) -> "Subscriber":
        self.connect()
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _on_message(self, _client: Client, _data: Any, message: MQTTMessage) -> None:
        with self.changed:
            self.messages.append(message)
            self.changed.notify_all()

    def _on_subscribe(self, *_: Any) -> None:
        with self.changed:
            self._subscribed += 1
            self.changed.notify_all()


def user_properties(size: int) -> Properties:
    """Make MQTT 5 properties of a PUBLISH, about `size` bytes of them."""
    made = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
    made.UserProperty = [(f"key-{number}", "v" * 1000) for number in range(max(size // 1010, 1))]
    return made


def publish(endpoint: MqttEndpoint | int, messages: Iterable[tuple[str, bytes] | tuple[str, bytes, bool]]) -> int:
    """Connect, publish all at QoS 1, wait for every PUBACK and leave."""
    with Publisher(endpoint) as publisher:
        return publisher.publish(messages)


def trusted(endpoint: MqttEndpoint) -> bool:
    """Try TLS and one CONNECT by hand: paho leaves a socket open, which pytest reports, when a handshake fails.

    With TLS 1.3 a server judges the client's certificate after the client's handshake is over, hence the CONNECT.
    """
    connect = b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x1e\x00\x00"
    try:
        with (
            socket.create_connection((LOOPBACK, endpoint.port), timeout=30) as plain,
            endpoint.context().wrap_socket(plain, server_hostname=LOOPBACK) as secure,
        ):
            secure.sendall(connect)
            return secure.recv(1) == b"\x20"
    except OSError:
        return False
