"""Options and observer protocol of the MQTT feed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Literal, Protocol

from pipeline.core.addresses import Tls

Version = Literal["3.1.1", "5"]
Transport = Literal["tcp", "websockets"]


class Trouble(Enum):
    """Why a feed has no connection; a closed list, so that it may label a metric."""

    UNREACHABLE = "unreachable"  # no TCP connection, TLS session or websocket came about
    UNTRUSTED = "untrusted"  # a certificate of either side was refused
    REFUSED = "refused"  # the broker answered CONNECT with a refusal, or closed the connection on it
    UNSUBSCRIBED = "unsubscribed"  # the broker refused a filter, or closed the connection on SUBSCRIBE
    CLOSED = "closed"  # the broker closed the connection later
    SILENT = "silent"  # nothing came for 1.5 times the keepalive (MQTT 3.1.1 section 3.1.2.10)
    PROTOCOL = "protocol"  # the broker sent what is not MQTT


@dataclass(frozen=True, slots=True)
class MqttOptions:
    """One broker, one session, its subscriptions.

    keepalive, connect_timeout, session_expiry (MQTT 5 only) and backoff (shortest and longest wait between attempts)
    are seconds. max_payload is bytes: of a payload longer than that and than 1 MiB only the start is held.

    Attributes:
        max_filters: Of one SUBSCRIBE; None: all of them, or what the broker turns out to take. password is called at
            each connection. state_file remembers the session's filters, because MQTT cannot list them.
        clean: The broker keeps nothing of this session, before and after.
    """

    host: str
    client_id: str
    subscriptions: tuple[tuple[str, int], ...]
    port: int = 1883
    transport: Transport = "tcp"
    path: str = "/mqtt"
    version: Version = "5"
    username: str | None = None
    password: Callable[[], str] | None = None
    tls: Tls | None = None
    keepalive: int = 30
    max_in_flight: int = 5000
    session_expiry: int = 7 * 24 * 3600
    max_filters: int | None = None
    max_payload: int = 256 * 1024
    connect_timeout: float = 10.0
    backoff: tuple[float, float] = (1.0, 30.0)
    state_file: Path | None = None
    clean: bool = False

    @property
    def broker(self) -> str:
        """The broker's address, for a person."""
        scheme = {"tcp": "mqtt", "websockets": "ws"}[self.transport] + ("s" if self.tls else "")
        return f"{scheme}://{self.host}:{self.port}{self.path if self.transport == 'websockets' else ''}"


class FeedEvents(Protocol):
    """What the metrics learn from a feed; each call is short and on the event loop's thread."""

    def connected(self, up: bool) -> None:  # noqa: FBT001
        """Note that the feed reads now, or does not any more."""

    def reconnecting(self, trouble: Trouble) -> None:
        """Say that a connection was lost or did not come about; another attempt follows."""

    def session_lost(self) -> None:
        """Count one session that the broker has forgotten, with what it had not delivered."""

    def batch(self, size: int) -> None:
        """Count one batch of `size` messages."""
