"""A connected socket to a broker: TCP, then TLS, then websocket. Blocking: for a thread, never for the event loop."""

from __future__ import annotations

import socket
import ssl
from typing import Any, Protocol

from paho.mqtt.client import _WebsocketWrapper

from pipeline.core.files import regular
from pipeline.feeds.mqtt.options import MqttOptions, MqttTls

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


def tls_context(tls: MqttTls) -> ssl.SSLContext:
    """Read the files as they are now.

    Raises:
        OSError: a file is missing or no PEM, or key and certificate do not belong together.
    """
    for file in (tls.ca_file, tls.cert_file, tls.key_file):
        if file is not None:
            regular(file)
    context = ssl.create_default_context(cafile=tls.ca_file)
    context.check_hostname = tls.check_hostname
    if tls.cert_file is not None:
        # Without a callable OpenSSL would ask for an encrypted key's password on the terminal, and wait.
        context.load_cert_chain(tls.cert_file, tls.key_file, tls.key_password or str)
    return context


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
