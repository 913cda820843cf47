"""A broker that does only what its test says, packet by packet, and what a test of the feed needs around it."""

import asyncio
import contextlib
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from dataclasses import replace
from typing import Any

import uvloop

from pipeline.core.delivery import Batch, Fate, Ledger, Message
from pipeline.feeds.mqtt.feed import MqttFeed
from pipeline.feeds.mqtt.options import MqttOptions, Trouble
from tests.support.generator import remaining_length
from tests.support.ports import LOOPBACK

LOOPS: list[Callable[[Coroutine[Any, Any, None]], None]] = [asyncio.run, uvloop.run]
CONNECT, PUBACK, PUBREC, PUBCOMP = 0x10, 0x40, 0x50, 0x70
SUBSCRIBE, UNSUBSCRIBE, PINGREQ, DISCONNECT = 0x82, 0xA2, 0xC0, 0xE0
PINGRESP = b"\xd0\x00"


def publish(topic: str | bytes, payload: bytes, packet_id: int = 0, *, qos: int = 1, retain: bool = False) -> bytes:
    name = topic.encode() if isinstance(topic, str) else topic
    body = struct.pack(">H", len(name)) + name + (struct.pack(">H", packet_id) if qos else b"") + payload
    return bytes((0x30 | qos << 1 | retain,)) + remaining_length(len(body)) + body


def puback(*packet_ids: int) -> bytes:
    return b"".join(struct.pack(">BBH", PUBACK, 2, packet_id) for packet_id in packet_ids)


class Peer:
    """The broker's end of one connection, MQTT 3.1.1."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def packet(self, timeout: float = 30.0) -> tuple[int, bytes]:  # noqa: ASYNC109
        return await asyncio.wait_for(self._packet(), timeout)

    async def expect(self, command: int) -> bytes:
        got, body = await self.packet()
        assert got == command
        return body

    async def welcome(self, *, session_present: bool = False, codes: bytes = b"\x01") -> bytes:
        await self.expect(CONNECT)
        self.send(b"\x20\x02" + bytes((session_present, 0)))
        return await self.subscribed(codes)

    async def subscribed(self, codes: bytes = b"\x01") -> bytes:
        body = await self.expect(SUBSCRIBE)
        self.send(b"\x90" + bytes((2 + len(codes),)) + body[:2] + codes)
        return body[2:]

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def nothing(self, seconds: float = 0.1) -> None:
        with contextlib.suppress(TimeoutError):
            raise AssertionError(f"unexpected packet {await self.packet(seconds)}")

    async def close(self) -> None:
        self.writer.close()
        with contextlib.suppress(OSError):
            await self.writer.wait_closed()

    async def _packet(self) -> tuple[int, bytes]:
        command = (await self.reader.readexactly(1))[0]
        length = shift = 0
        while True:
            byte = (await self.reader.readexactly(1))[0]
            length |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return command, await self.reader.readexactly(length)


class Events:
    def __init__(self) -> None:
        self.up: list[bool] = []
        self.troubles: list[Trouble] = []
        self.sessions_lost = 0
        self.batches: list[int] = []

    def connected(self, up: bool) -> None:
        self.up.append(up)

    def reconnecting(self, trouble: Trouble) -> None:
        self.troubles.append(trouble)

    def session_lost(self) -> None:
        self.sessions_lost += 1

    def batch(self, size: int) -> None:
        self.batches.append(size)


class Collector:
    """A stage that keeps everything until it is told to seal."""

    def __init__(self) -> None:
        self.batches: list[Batch[Message]] = []
        self.messages: list[Message] = []
        self.changed = asyncio.Event()

    def put(self, batch: Batch[Message]) -> None:
        self.batches.append(batch)
        self.messages += batch.items
        self.changed.set()

    def pending(self) -> int:
        return len(self.messages)

    async def drain(self, deadline: float) -> None:
        raise NotImplementedError

    async def wait_for(self, count: int, timeout: float = 30.0) -> list[Message]:  # noqa: ASYNC109
        async with asyncio.timeout(timeout):
            while len(self.messages) < count:
                self.changed.clear()
                await self.changed.wait()
        return self.messages

    def seal(self) -> None:
        batches, self.batches = self.batches, []
        for batch in batches:
            batch.delivery.seal(Fate.PUBLISHED, len(batch.items))


class Rig:
    """A scripted broker, a feed on it, and what the feed brought."""

    def __init__(self, port: int, peers: "asyncio.Queue[Peer]", failpoint: Callable[[str], None]) -> None:
        self.options = MqttOptions(
            host=LOOPBACK,
            port=port,
            client_id="headrace-test",
            subscriptions=(("a/#", 1),),
            version="3.1.1",
            connect_timeout=5.0,
            backoff=(0.02, 0.05),
        )
        self.peers, self.failpoint = peers, failpoint
        self.ledger, self.events, self.out = Ledger(), Events(), Collector()
        self._tasks: list[asyncio.Task[None]] = []

    def start(self, **changes: Any) -> "asyncio.Task[None]":
        self.feed = MqttFeed("test", replace(self.options, **changes), self.ledger, self.events, self.failpoint)
        task = asyncio.create_task(self.feed.run(self.out))
        self._tasks.append(task)
        return task

    async def peer(self) -> Peer:
        return await asyncio.wait_for(self.peers.get(), 30)

    async def welcomed(self, *, session_present: bool = False, codes: bytes = b"\x01") -> Peer:
        peer = await self.peer()
        await peer.welcome(session_present=session_present, codes=codes)
        return peer

    async def end(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


def _quiet(_: str) -> None:
    pass


@contextlib.asynccontextmanager
async def rig(failpoint: Callable[[str], None] = _quiet) -> AsyncIterator[Rig]:
    peers: asyncio.Queue[Peer] = asyncio.Queue()
    accepted: list[Peer] = []

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        accepted.append(Peer(reader, writer))
        peers.put_nowait(accepted[-1])

    server = await asyncio.start_server(accept, LOOPBACK, 0)
    made = Rig(server.sockets[0].getsockname()[1], peers, failpoint)
    try:
        yield made
    finally:
        await made.end()
        server.close()
        for peer in accepted:
            await peer.close()
        await server.wait_closed()


async def until(true: Callable[[], bool], timeout: float = 30.0) -> None:  # noqa: ASYNC109
    async with asyncio.timeout(timeout):
        while not true():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


def payloads(messages: Sequence[Message]) -> list[bytes]:
    return [message.payload for message in messages]


Scenario = Callable[[Rig], Awaitable[None]]
"""What a test plays."""
