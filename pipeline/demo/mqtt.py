"""The city's MQTT client: publishes at QoS 1 and counts what the broker has taken over."""

from __future__ import annotations

import asyncio
import struct
from contextlib import suppress
from typing import Final

from pipeline.core.errors import StartError
from pipeline.demo.processes import LOOPBACK, until_true

_PACKET_IDS: Final = 65_535
_CONNACK: Final = b"\x20\x02\x00\x00"
_PUBACK: Final = 0x40
_PUBACK_SIZE: Final = 4
_KEEPALIVE: Final = 60  # rumqttd refuses 0


class MqttPublisher:
    """One connection, MQTT 3.1.1. `sent` messages were written, `confirmed` of them acknowledged."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.sent = 0
        self.confirmed = 0
        self._reader = reader
        self._writer = writer
        self._counting = asyncio.create_task(self._count(), name="the city's acknowledgements")

    @classmethod
    async def connect(cls, port: int, client_id: str) -> MqttPublisher:
        """Open a session.

        Raises:
            StartError: the broker did not accept it.
        """
        reader, writer = await asyncio.open_connection(LOOPBACK, port)
        name = client_id.encode()
        body = struct.pack("!H4sBBHH", 4, b"MQTT", 4, 2, _KEEPALIVE, len(name)) + name
        writer.write(b"\x10" + _length(len(body)) + body)
        try:
            answer = await reader.readexactly(len(_CONNACK))
        except asyncio.IncompleteReadError as problem:
            answer = problem.partial
        if answer != _CONNACK:
            writer.close()
            raise StartError(f"The demo's MQTT broker did not take the city's session: {answer.hex() or 'closed'}.")
        return cls(reader, writer)

    def publish(self, topic: str, payload: bytes) -> None:
        """Write one message at QoS 1."""
        name = topic.encode()
        packet_id = self.sent % _PACKET_IDS + 1
        body = struct.pack("!H", len(name)) + name + struct.pack("!H", packet_id) + payload
        self._writer.write(b"\x32" + _length(len(body)) + body)
        self.sent += 1

    async def flush(self, seconds: float) -> None:
        """Wait until all is acknowledged, or the time is over."""
        await until_true(lambda: self.confirmed == self.sent or self._counting.done(), seconds)

    async def close(self) -> None:
        """Say goodbye."""
        self._counting.cancel()
        with suppress(OSError):
            self._writer.write(b"\xe0\x00")
            self._writer.close()
            await self._writer.wait_closed()

    async def _count(self) -> None:
        with suppress(asyncio.IncompleteReadError, OSError):
            while True:
                packet = await self._reader.readexactly(_PUBACK_SIZE)
                self.confirmed += packet[0] == _PUBACK


def _length(length: int) -> bytes:
    encoded = bytearray()
    while length > 127:  # noqa: PLR2004 - seven bits a byte (MQTT 3.1.1 clause 2.2.3)
        encoded.append(length & 127 | 128)
        length >>= 7
    encoded.append(length)
    return bytes(encoded)
