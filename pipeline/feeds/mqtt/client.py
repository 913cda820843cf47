"""paho's client without its loop, its threads and its socket handling: it makes and understands the rarer packets.

PUBLISH is read by mqtt_frames.py and PUBACK written by mqtt_writer.py; all other packets pass through paho's own
handlers. The private names of paho that this takes stand in PAHO_PRIVATE, and a test pins them.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol, cast

from paho.mqtt.client import Client, MQTTMessageInfo, _WebsocketWrapper
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.exception import MalformedPacket
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from pipeline.feeds.mqtt.options import MqttOptions
from pipeline.feeds.mqtt.packets import ProtocolError, lean

READ_SIZE = 256 * 1024
_TLS_RECORD = 16 * 1024
_ABOUT_US = ("CERTIFICATE", "UNKNOWN_CA", "ACCESS_DENIED", "HANDSHAKE_FAILURE")  # the last: TLS 1.2 without one


class BrokerSocket(Protocol):
    """What the connection needs of a socket, whatever is underneath."""

    def recv(self, size: int, /) -> bytes:
        """As socket.recv; b"" when the peer has closed."""

    def send(self, data: bytearray, /) -> int:
        """As socket.send; 0 when nothing of `data` counts as sent yet."""

    def fileno(self) -> int:
        """Give the descriptor for the event loop."""

    def close(self) -> None:
        """Close it."""

    def setblocking(self, flag: bool, /) -> None:  # noqa: FBT001
        """As socket.setblocking."""


class ReadAhead:
    """Stands between paho's websocket reader and its socket: that reader asks for one byte, then one, then two."""

    def __init__(self, inner: socket.socket) -> None:
        self._inner = inner
        self._data = b""
        self._at = 0

    def recv(self, size: int) -> bytes:
        """Give what was read ahead; read more only when nothing is left."""
        if self._at >= len(self._data):
            self._data = self._inner.recv(_TLS_RECORD if isinstance(self._inner, ssl.SSLSocket) else READ_SIZE)
            self._at = 0
        taken = self._data[self._at : self._at + size]
        self._at += len(taken)
        return taken

    def pending(self) -> int:
        """How many bytes a selector does not know of."""
        return len(self._data) - self._at + _decrypted(self._inner)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        return getattr(self._inner, name)


def pending(connection: BrokerSocket) -> int:
    """How many bytes are waiting that a selector does not know of."""
    inner = connection._socket if isinstance(connection, _WebsocketWrapper) else connection  # noqa: SLF001
    return inner.pending() if isinstance(inner, ReadAhead) else _decrypted(inner)


def _decrypted(connection: object) -> int:
    return connection.pending() if isinstance(connection, ssl.SSLSocket) else 0


def read_size(connection: BrokerSocket) -> int:
    """How many bytes one `recv` may bring: a TLS record at most, for a longer buffer would be made for nothing."""
    return _TLS_RECORD if isinstance(connection, ssl.SSLSocket) else READ_SIZE


def open_socket(options: MqttOptions, context: ssl.SSLContext | None) -> BrokerSocket:
    """Connect, verify and upgrade, each step within `connect_timeout` seconds.

    Raises:
        OSError: any step failed (ssl.SSLError and paho's WebsocketConnectionError are OSErrors).
    """
    plain = socket.create_connection((options.host, options.port), timeout=options.connect_timeout)
    try:
        # An acknowledgement is small and must not wait for the peer's delayed TCP acknowledgement.
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if context is not None:
            plain = context.wrap_socket(plain, server_hostname=options.host, do_handshake_on_connect=False)
            plain.do_handshake()
        upgraded = plain if options.transport == "tcp" else _upgrade(plain, options)
        upgraded.setblocking(False)  # noqa: FBT003
    except BaseException:
        plain.close()
        raise
    return upgraded


def refuses_us(error: OSError) -> bool:
    """Say whether this is the broker's word that it does not take our certificate (alerts: RFC 8446 section 6.2)."""
    reason = getattr(error, "reason", None) or ""
    return "_ALERT_" in reason and any(word in reason for word in _ABOUT_US)


def _upgrade(plain: socket.socket, options: MqttOptions) -> BrokerSocket:
    wrapper = _WebsocketWrapper(
        socket=plain,
        host=options.host,
        port=options.port,
        is_ssl=options.tls is not None,
        path=options.path,
        extra_headers=None,
    )
    wrapper._socket = ReadAhead(plain)  # type: ignore[assignment]  # noqa: SLF001
    return wrapper


# What we override, call or set; a test compares the source of each with what it was when this was written.
PAHO_PRIVATE: Final = (
    "Client._create_socket",
    "Client._handle_connack",
    "Client._handle_disconnect",
    "Client._handle_pubrel",
    "Client._handle_suback",
    "Client._handle_unsuback",
    "Client._packet_handle",
    "Client._packet_queue",
    "Client._packet_read",
    "Client._send_connect",
    "Client._send_pingreq",
    "Client._send_pubcomp",
    "Client._sock_close",
    "Client.reconnect",
    "_WebsocketWrapper",
)

UNSUPPORTED_VERSION: Final = 132
_CONNACK, _PUBREL = 0x20, 0x60
_MAX_RECEIVE = 65_535
_NEW_SUBSCRIPTIONS_ONLY = 1


@dataclass(frozen=True, slots=True)
class BrokerAnswer:
    """What CONNACK or DISCONNECT said: an MQTT 5 reason code (section 2.4), also for 3.1.1, and its name."""

    code: int
    reason: str
    session_present: bool = False


class BrokerAnswers(Protocol):
    """Who hears the broker's answers."""

    def on_connack(self, answer: BrokerAnswer) -> None:
        """Hear the answer to CONNECT; messages may follow at once."""

    def on_suback(self, packet_id: int, codes: Sequence[int]) -> None:
        """Hear one code for each filter of a SUBSCRIBE: the QoS granted, or 128 and more."""

    def on_unsuback(self, packet_id: int) -> None:
        """Hear that an UNSUBSCRIBE was done."""

    def on_disconnect(self, answer: BrokerAnswer) -> None:
        """Hear why the broker goes (MQTT 5)."""


class PahoClient(Client):
    """One connection's packets. What is to be sent collects in `outbox`, whole packets in order."""

    def __init__(self, options: MqttOptions, answers: BrokerAnswers) -> None:
        self.version5 = options.version == "5"
        super().__init__(
            CallbackAPIVersion.VERSION2,
            client_id=options.client_id,
            clean_session=None if self.version5 else options.clean,
            protocol=MQTTProtocolVersion.MQTTv5 if self.version5 else MQTTProtocolVersion.MQTTv311,
            # Otherwise paho answers a refused protocol version by a blocking reconnect from within its handler.
            reconnect_on_failure=False,
        )
        self.outbox = bytearray()
        self.queued: Callable[[], None] = _nothing
        self._options = options
        self._context: ssl.SSLContext | None = None
        self._answers = answers
        self._listen(answers)

    def open(self) -> BrokerSocket:
        """Connect the socket and queue CONNECT; blocking, for a thread.

        Raises:
            UnreadableError: the password, a key or a certificate cannot be read.
            OSError: the broker cannot be reached or is not trusted.
        """
        options = self._options
        try:
            password = options.password() if options.password is not None else None
            self._context = None if options.tls is None else options.tls.context()
        except (OSError, ValueError) as error:
            raise UnreadableError(str(error)) from error
        self.username_pw_set(options.username, password)
        properties = self._connect_properties5() if self.version5 else None
        self.connect_async(
            options.host, options.port, options.keepalive, clean_start=options.clean, properties=properties
        )
        self.reconnect()
        return cast("BrokerSocket", self.socket())

    def handle(self, command: int, body: bytes) -> None:
        """Give paho one complete packet that is no PUBLISH.

        Raises:
            ProtocolError: paho cannot make sense of it.
        """
        if command & 0xF0 == _PUBREL:
            # What paho keeps of QoS 2 messages is not used: the message went on when its PUBLISH came.
            self._send_pubcomp(int.from_bytes(body[:2], "big"))
            return
        if command == _CONNACK and not self.version5 and body[1:] == b"\x01":
            self._answers.on_connack(BrokerAnswer(UNSUPPORTED_VERSION, "Unsupported protocol version"))
            return
        if self.version5:
            body = lean(command, body)
        self._in_packet = {
            "command": command,
            "have_remaining": 1,
            "remaining_count": [],
            "remaining_mult": 1,
            "remaining_length": len(body),
            "packet": bytearray(body),
            "to_process": 0,
            "pos": 0,
        }
        try:
            code = self._packet_handle()
        except MalformedPacket as error:
            raise ProtocolError(f"The broker sent a malformed packet of type {command >> 4}: {error}.") from error
        if code not in {MQTTErrorCode.MQTT_ERR_SUCCESS, MQTTErrorCode.MQTT_ERR_CONN_REFUSED} and command != _CONNACK:
            raise ProtocolError(f"The broker sent a packet of type {command >> 4} that a client cannot take.")

    def ask(self, filters: Sequence[tuple[str, int]]) -> int:
        """Queue one SUBSCRIBE for all filters; its packet id."""
        if not self.version5:
            return int(self.subscribe(list(filters))[1] or 0)
        # MQTT 5 section 3.8.3.1: an unchanged subscription must not bring its retained messages at each reconnect.
        options = [(name, SubscribeOptions(qos=qos, retainHandling=_NEW_SUBSCRIPTIONS_ONLY)) for name, qos in filters]
        return int(self.subscribe(options)[1] or 0)

    def renounce(self, filters: Sequence[str]) -> int:
        """Queue one UNSUBSCRIBE for all filters; its packet id."""
        return int(self.unsubscribe(list(filters))[1] or 0)

    def ping(self) -> None:
        """Queue a PINGREQ."""
        self._send_pingreq()

    def _create_socket(self) -> Any:  # noqa: ANN401
        return open_socket(self._options, self._context)

    def _sock_close(self) -> None:
        """Leave the socket alone: the event loop must let go of it first, and mqtt_connection.py sees to both."""

    def _packet_queue(
        self,
        command: int,  # noqa: ARG002
        packet: bytes | bytearray,
        mid: int,  # noqa: ARG002
        qos: int,  # noqa: ARG002
        info: MQTTMessageInfo | None = None,  # noqa: ARG002
    ) -> MQTTErrorCode:
        self.outbox += packet
        self.queued()
        return MQTTErrorCode.MQTT_ERR_SUCCESS

    def _connect_properties5(self) -> Properties:
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.ReceiveMaximum = min(_MAX_RECEIVE, self._options.max_in_flight)
        # No MaximumPacketSize: a broker drops what is larger without a word (MQTT 5 section 3.1.2.11.4), where we cut
        # it and keep it as a dead letter.
        properties.SessionExpiryInterval = self._options.session_expiry
        return properties

    def _listen(self, answers: BrokerAnswers) -> None:
        def connack(_client: object, _data: object, flags: Any, reason: Any, _properties: object) -> None:  # noqa: ANN401
            answers.on_connack(BrokerAnswer(reason.value, str(reason), bool(flags.session_present)))

        def suback(_client: object, _data: object, packet_id: int, reasons: Any, _properties: object) -> None:  # noqa: ANN401
            answers.on_suback(packet_id, [reason.value for reason in reasons])

        def unsuback(_client: object, _data: object, packet_id: int, *_: object) -> None:
            answers.on_unsuback(packet_id)

        def disconnect(_client: object, _data: object, _flags: object, reason: Any, _properties: object) -> None:  # noqa: ANN401
            answers.on_disconnect(BrokerAnswer(reason.value, str(reason)))

        self.on_connect = connack
        self.on_subscribe = suback
        self.on_unsubscribe = unsuback
        self.on_disconnect = disconnect


class UnreadableError(OSError):
    """A file of ours that the connection needs cannot be read."""


def _nothing() -> None:
    pass
