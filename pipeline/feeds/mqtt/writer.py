"""What goes out on one MQTT connection: whole packets in order, one write each turn of the event loop."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Sequence
from time import monotonic

from pipeline.feeds.mqtt.client import BrokerSocket

_TLS_WANTS_READ_SECONDS = 0.01


class Writer:
    """Owns the sending side. Acknowledgements join paho's packets in one buffer, so that none gets inside another.

    `failpoint` is told "before_ack_write". When its attribute `armed` is "half_ack_write", half of the acknowledgements
    are written, then it is told so.
    """

    def __init__(
        self,
        connection: BrokerSocket,
        outbox: bytearray,
        failpoint: Callable[[str], None],
        failed: Callable[[OSError], None],
    ) -> None:
        self.written_at = monotonic()
        self.first_acknowledged_at: float | None = None
        self._connection = connection
        self._descriptor = connection.fileno()
        self._outbox = outbox
        self._failpoint = failpoint
        self._failed = failed
        self._loop = asyncio.get_running_loop()
        self._acknowledgements: list[bytes] = []
        self._scheduled = False
        self._watching = False
        self._closed = False
        self._empty: asyncio.Event = asyncio.Event()

    def acknowledge(self, tokens: Sequence[bytes]) -> None:
        """Send these acknowledgements, in order, at the end of this turn of the loop."""
        self._acknowledgements += tokens
        if self.first_acknowledged_at is None and any(tokens):
            self.first_acknowledged_at = monotonic()
        self.soon()

    def soon(self) -> None:
        """Write what is waiting at the end of this turn of the loop."""
        if self._closed:
            return
        self._empty.clear()
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._turn)

    async def flushed(self) -> None:
        """Wait until the operating system has taken everything, or the connection is closed."""
        self.soon()
        await self._empty.wait()

    def close(self) -> None:
        """Let go of the socket before it is closed; what was not written is forgotten."""
        if self._watching:
            self._loop.remove_writer(self._descriptor)
        self._watching, self._closed = False, True
        self._empty.set()

    def _turn(self) -> None:
        self._scheduled = False
        if self._closed:
            return
        joined = b"".join(self._acknowledgements)
        self._acknowledgements.clear()
        if joined:
            self._failpoint("before_ack_write")
            if getattr(self._failpoint, "armed", None) == "half_ack_write":
                joined = self._half(joined)
            self._outbox += joined
        if not self._watching:
            self._send()

    def _half(self, joined: bytes) -> bytes:
        middle = len(joined) // 2 + 1  # acknowledgements have four bytes: never between two of them
        self._outbox += joined[:middle]
        self._send()
        self._failpoint("half_ack_write")
        return joined[middle:]

    def _send(self) -> None:
        outbox = self._outbox
        while outbox and not self._closed:
            try:
                sent = self._connection.send(outbox)
            except ssl.SSLWantReadError:
                self._loop.call_later(_TLS_WANTS_READ_SECONDS, self.soon)
                return
            except (BlockingIOError, ssl.SSLWantWriteError):
                sent = 0
            except OSError as error:
                self._failed(error)
                return
            if not sent:
                # paho's websocket frames count as sent only when they are out whole; it remembers what is left.
                self._watch()
                return
            self.written_at = monotonic()
            del outbox[:sent]
        self._done()

    def _watch(self) -> None:
        if not self._watching:
            self._watching = True
            self._loop.add_writer(self._descriptor, self._send)

    def _done(self) -> None:
        if self._watching and not self._closed:
            self._loop.remove_writer(self._descriptor)
            self._watching = False
        if not self._acknowledgements:
            self._empty.set()
