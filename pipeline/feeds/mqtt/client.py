"""paho's client without its loop, its threads and its socket handling: it makes and understands the rarer packets.

PUBLISH is read by packets.py and PUBACK written by writer.py; all other packets pass through paho's own
handlers. The private names of paho that this takes stand in PAHO_PRIVATE, and a test pins them.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Sequence
from contextlib import suppress
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
# RFC 6455, clause 5.2: kinds of frames, and by the short length how many bytes the real one has.
_BINARY, _CLOSE, _PING, _PONG = 2, 8, 9, 10
_CONTENTS = frozenset({0, _BINARY})  # 0 goes on with a message
_LONGER = {126: 2, 127: 8}
_LONGEST_CONTROL = 125
_PIECES = 16_384  # bytes of heads, and pieces of contents, that one `recv` looks at
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


class Websocket:
    """A broker's websocket: its frames (RFC 6455, clause 5) are read here as they come, and paho writes ours.

    paho's own reader holds a frame until it is whole, and copies what came of it at each read: 60 MB, which may be one
    message of a sender's, took 3.5 s and 130 MB. Here a frame is nowhere in memory, however long it is.
    """

    def __init__(self, inner: socket.socket, writer: _WebsocketWrapper) -> None:
        self._inner = inner
        self._writer = writer
        self._data = b""  # what was read ahead, for the heads of frames have few bytes
        self._at = 0
        self._head = bytearray()
        self._opcode = _BINARY
        self._left = 0  # bytes of the frame under way
        self._control = bytearray()
        self._ping: bytes | None = None
        self._over = False  # the broker said that it closes, and waits for us

    def recv(self, size: int) -> bytes:
        """Give what has come of the frames' contents; b"" when the broker has closed.

        Raises:
            BlockingIOError: only heads and control frames have come, or were looked at so far.
            OSError: the broker sends what is no websocket of MQTT.
        """
        if self._over:
            return b""
        if self._at >= len(self._data):
            self._data = self._inner.recv(_TLS_RECORD if isinstance(self._inner, ssl.SSLSocket) else READ_SIZE)
            self._at = 0
            if not self._data:
                return b""
        parts: list[bytes] = []
        for _ in range(_PIECES):
            if not size or self._over or self._at >= len(self._data):
                break
            if self._left or self._begun():
                part = self._data[self._at : self._at + min(self._left, size)]
                self._at += len(part)
                self._left -= len(part)
                if self._opcode not in _CONTENTS:
                    self._obey(part)
                elif part:
                    parts.append(part)
                    size -= len(part)
        self._answer_ping()
        if not parts and not self._over:
            raise BlockingIOError
        return b"".join(parts)

    def _begun(self) -> bool:
        """Take one byte of a frame's head, and say whether it was the last."""
        head = self._head
        head.append(self._data[self._at])
        self._at += 1
        if len(head) == 1:
            return False
        short = head[1] & 127
        if len(head) < 2 + _LONGER.get(short, 0):
            return False
        self._opcode, self._left = head[0] & 15, int.from_bytes(head[2:], "big") if short in _LONGER else short
        masked = head[1] > 127  # noqa: PLR2004
        head.clear()
        control = self._opcode >= _CLOSE
        if masked or (self._opcode not in _CONTENTS and (not control or self._left > _LONGEST_CONTROL)):
            raise ConnectionAbortedError("it sent a frame that no websocket of MQTT has")
        return True

    def _obey(self, part: bytes) -> None:
        """Take bytes of a control frame, and note what it asks for once it is whole."""
        self._control += part
        if not self._left:
            content, self._control = bytes(self._control), bytearray()
            self._over = self._opcode == _CLOSE
            if self._opcode == _PING:
                self._ping = content

    def _answer_ping(self) -> None:
        """Answer the last ping of a read, where that is possible now (clause 5.5.3)."""
        if self._ping is None:
            return
        pong = self._writer._create_frame(_PONG, bytearray(self._ping))  # noqa: SLF001
        self._ping = None
        waiting = self._writer._sendbuffer  # noqa: SLF001
        if waiting:  # behind the frame of which only a part is out
            waiting += pong
            return
        with suppress(BlockingIOError, ssl.SSLWantWriteError):
            if self._inner.send(pong) < len(pong):
                raise ConnectionAbortedError("it takes no bytes")

    def send(self, data: bytearray) -> int:
        """Send a frame; 0 while it is not out whole: the same data must then be sent again."""
        return int(self._writer.send(data))

    def pending(self) -> int:
        """How many bytes a selector does not know of, or that the end is."""
        return len(self._data) - self._at + _decrypted(self._inner) + self._over

    def fileno(self) -> int:
        """Give the descriptor for the event loop."""
        return self._inner.fileno()

    def close(self) -> None:
        """Close the socket."""
        self._inner.close()

    def setblocking(self, flag: bool) -> None:  # noqa: FBT001
        """As socket.setblocking."""
        self._inner.setblocking(flag)


def pending(connection: BrokerSocket) -> int:
    """How many bytes are waiting that a selector does not know of."""
    return connection.pending() if isinstance(connection, Websocket) else _decrypted(connection)


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
    return Websocket(plain, wrapper)


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
    """Observer of the broker's answers."""

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
        """Leave the socket alone: the event loop must let go of it first, and connection.py sees to both."""

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
