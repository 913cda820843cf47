"""The writer: order over partial writes, on a socket whose other end reads slowly."""

import asyncio
import socket

from pipeline.feeds.mqtt.writer import Writer
from tests.pipeline.feeds.scripted_broker import LOOPS, puback


async def _overwhelm(near: socket.socket, far: socket.socket) -> None:
    outbox, problems = bytearray(), list[OSError]()
    writer = Writer(near, outbox, lambda _: None, problems.append)
    expected = b""
    for start in range(1, 60_001, 5_000):
        writer.acknowledge([puback(*range(start, start + 2_000)), b"", puback(*range(start + 2_000, start + 5_000))])
        outbox += b"\xc0\x00"  # a PINGREQ that paho queued in the same turn stands before or after, never inside
        expected += b"\xc0\x00" + puback(*range(start, start + 5_000))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    flushed = asyncio.create_task(writer.flushed())
    await asyncio.sleep(0.05)
    assert not flushed.done()
    got = b""
    while len(got) < len(expected):
        got += await asyncio.get_running_loop().sock_recv(far, 10_000)
    await flushed
    assert got == expected
    assert not outbox

    far.close()
    writer.acknowledge([puback(1)])
    await asyncio.sleep(0.05)
    writer.acknowledge([puback(1)])
    await asyncio.sleep(0.05)
    assert problems
    writer.close()
    await asyncio.wait_for(writer.flushed(), 30)


def test_partial_writes_keep_packets_whole_and_in_order() -> None:
    for run in LOOPS:
        near, far = socket.socketpair()
        with near, far:
            near.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
            near.settimeout(0)
            far.settimeout(0)
            run(_overwhelm(near, far))
