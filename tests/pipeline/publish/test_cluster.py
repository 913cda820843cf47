"""What we write is what aiokafka would write, and the private names of aiokafka that we use are still there."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import pytest
from aiokafka.errors import KafkaConnectionError
from aiokafka.protocol.produce import ProduceRequest

from pipeline.core.addresses import Tls
from pipeline.publish.cluster import Connection, connect
from pipeline.publish.options import KafkaOptions, Sasl

BATCHES = [("one", 0, b"head", b"body"), ("two", 3, b"h", b"b" * 300), ("one", 7, b"", b"")]
GROUPED = [("one", [(0, b"headbody"), (7, b"")]), ("two", [(3, b"h" + b"b" * 300)])]


class Transport:
    aborted = False

    def abort(self) -> None:
        self.aborted = True


class Writer:
    """Stands for asyncio's StreamWriter."""

    def __init__(self, problem: Exception | None = None) -> None:
        self.written = b""
        self.transport = Transport()
        self._problem = problem

    def writelines(self, parts: list[bytes]) -> None:
        if self._problem is not None:
            raise self._problem
        self.written += b"".join(parts)

    def write(self, data: bytes) -> None:
        self.written += data

    def close(self) -> None:
        pass


def connected(version: int, problem: Exception | None = None) -> tuple[Connection, Writer]:
    connection = Connection("127.0.0.1", 1, client_id="headrace")
    writer = Writer(problem)
    connection._writer = writer
    connection._versions = {0: (0, version)}
    return connection, writer


@pytest.mark.parametrize("version", [3, 5, 7, 99])
def test_the_same_bytes_as_aiokafka(version: int) -> None:
    async def work() -> None:
        connection, writer = connected(version)
        answer = connection.produce(BATCHES, 2.5)
        mine, writer.written = writer.written, b""
        connection._correlation_id = 0
        theirs = asyncio.ensure_future(connection.send(ProduceRequest(None, -1, 2500, GROUPED)))
        await asyncio.sleep(0)
        assert mine == writer.written
        theirs.cancel()
        correlation, request, waiting = connection._requests[0]
        assert (correlation, waiting) == (1, answer)
        response = request.RESPONSE_TYPE([("one", [(0, 45, *[0] * (3 if version > 3 else 2))])], 9)
        connection._handle_frame(b"\0\0\0\1" + response.encode())
        got: Any = await answer
        assert (got.topics[0][0], got.topics[0][1][0][:2], got.throttle_time_ms) == ("one", (0, 45), 9)

    asyncio.run(work())


def test_too_old_a_broker() -> None:
    async def work() -> None:
        with pytest.raises(KafkaConnectionError, match="older"):
            connected(2)[0].produce(BATCHES, 1.0)

    asyncio.run(work())


@pytest.mark.parametrize("problem", [OSError("gone"), RuntimeError("the handler is closed")])
def test_a_write_that_fails(problem: Exception) -> None:
    async def work() -> None:
        connection, writer = connected(7, problem)
        with pytest.raises(KafkaConnectionError, match=str(problem)):
            connection.produce(BATCHES, 1.0)
        assert writer.transport.aborted
        connection._writer = None
        with pytest.raises(KafkaConnectionError, match="closed"):
            connection.produce(BATCHES, 1.0)

    asyncio.run(work())


def test_a_connection_that_aiokafka_gives_up_waits_for_nothing() -> None:
    async def work() -> None:
        connection, writer = connected(7)
        connection._on_read_task_error(lambda: connection, _failed(EOFError()))
        assert writer.transport.aborted
        assert not connection.connected()

    asyncio.run(work())


def _failed(problem: Exception) -> asyncio.Future[None]:
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    future.set_exception(problem)
    return future


@pytest.mark.parametrize("greets", [True, False])
def test_a_connection_is_lost_that_was_open(greets: bool) -> None:
    """One that never opens is none: a broker that takes nobody would be asked without a pause."""

    async def broker(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = await reader.readexactly(int.from_bytes(await reader.readexactly(4), "big"))
        if greets:
            writer.write((10).to_bytes(4, "big") + asked[4:8] + bytes(6))  # its versions: no error, and none
            await asyncio.sleep(0.05)
        writer.close()

    async def work() -> int:
        lost = 0

        def count() -> None:
            nonlocal lost
            lost += 1

        server = await asyncio.start_server(broker, "127.0.0.1", 0)
        async with server:
            held = None
            with suppress(KafkaConnectionError):
                held = await connect(KafkaOptions([]), "127.0.0.1", server.sockets[0].getsockname()[1], count)
            await asyncio.sleep(0.2)
            assert (held is not None) is greets
        return lost

    assert asyncio.run(work()) == greets


def test_security_follows_from_what_is_given() -> None:
    sasl, tls = Sasl("PLAIN"), Tls()
    names = [KafkaOptions([], tls=t, sasl=s).security for s in (None, sasl) for t in (None, tls)]
    assert names == ["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
