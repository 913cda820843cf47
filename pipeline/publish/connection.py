"""One connection to one Kafka broker: aiokafka's, and a way to write a produce request without copying it.

aiokafka connects, negotiates versions, authenticates (TLS, SASL) and reads the answers. Its own encoding of a produce
request copies the batches five times; `produce` writes the pieces as they are. For that it uses five private names of
`AIOKafkaConnection`, which a test pins.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from struct import Struct
from typing import Any, Final

from aiokafka.conn import AIOKafkaConnection, CloseReason
from aiokafka.errors import KafkaConnectionError
from aiokafka.protocol.produce import ProduceRequest

from pipeline.core.threads import in_thread
from pipeline.publish.options import KafkaOptions, Sasl
from pipeline.publish.token import TokenProvider

ALL_REPLICAS: Final = -1
FIRST_WITH_BATCHES: Final = 3  # Produce v3: record batches of magic 2, Kafka 0.11
CONNECT_TIMEOUT: Final = 10.0
_IDLE_MS: Final = 540_000

_I16: Final = Struct(">h")
_I32: Final = Struct(">i")
_HEADER: Final = Struct(">hhih")
_START: Final = Struct(">hhii")  # no transaction, acks, timeout, number of topics
_PARTITION: Final = Struct(">ii")

Batches = Sequence[tuple[str, int, bytes, bytes]]
"""Topic, partition, head and body of each batch of a request; a partition at most once."""


class Connection(AIOKafkaConnection):  # type: ignore[misc]
    """A connection that is closed at once when it is given up, whatever still waits to be written."""

    def produce(self, batches: Batches, timeout: float) -> asyncio.Future[Any]:
        """Write a produce request for acks=all; the future gives aiokafka's ProduceResponse.

        timeout: seconds that the broker may wait for its replicas.

        Raises:
            KafkaConnectionError: nothing was written.
        """
        if self._writer is None:
            raise KafkaConnectionError(f"The connection to {self._host}:{self._port} is closed.")
        milliseconds = int(timeout * 1000)
        request = ProduceRequest(None, ALL_REPLICAS, milliseconds, []).prepare(self._versions)
        if request.API_VERSION < FIRST_WITH_BATCHES:
            raise KafkaConnectionError("The broker is older than Kafka 0.11 and cannot store records with headers.")
        correlation = self._next_correlation_id()
        client = self._client_id.encode()
        header = _HEADER.pack(request.API_KEY, request.API_VERSION, correlation, len(client)) + client
        parts = [b"", header, *_body(batches, milliseconds)]
        parts[0] = _I32.pack(sum(map(len, parts)))
        answer: asyncio.Future[Any] = self._loop.create_future()
        self._requests.append((correlation, request, answer))
        try:
            self._writer.writelines(parts)
        except (OSError, RuntimeError) as problem:  # uvloop: RuntimeError on a transport that was closed
            self.close()
            raise KafkaConnectionError(f"{self._host}:{self._port}: {problem}") from problem
        return answer

    def close(self, reason: CloseReason | None = None, exc: BaseException | None = None) -> Any:  # noqa: ANN401 - aiokafka's
        """Close without waiting for a peer that may be dead or slow: to take what is left, or to say goodbye in TLS."""
        writer = self._writer
        closed = super().close(reason, exc)
        if writer is not None:
            writer.transport.abort()
        return closed


def _body(batches: Batches, milliseconds: int) -> list[bytes]:
    """Encode a ProduceRequest, versions 3 to 8 (Kafka protocol guide, "Produce API")."""
    topics: dict[str, list[tuple[int, bytes, bytes]]] = {}
    for topic, partition, head, body in batches:
        topics.setdefault(topic, []).append((partition, head, body))
    parts = [_START.pack(-1, ALL_REPLICAS, milliseconds, len(topics))]
    for topic, partitions in topics.items():
        name = topic.encode()
        parts.append(_I16.pack(len(name)) + name + _I32.pack(len(partitions)))
        for partition, head, body in partitions:
            parts += (_PARTITION.pack(partition, len(head) + len(body)) + head, body)
    return parts


def _credentials(sasl: Sasl) -> dict[str, Any]:
    """Return what aiokafka is told of them; files are read now."""
    return {
        "sasl_mechanism": sasl.mechanism,
        "sasl_plain_username": None if sasl.username is None else sasl.username(),
        "sasl_plain_password": None if sasl.password is None else sasl.password(),
        "sasl_oauth_token_provider": TokenProvider(sasl) if sasl.mechanism == "OAUTHBEARER" else None,
    }


async def connect(options: KafkaOptions, host: str, port: int, lost: Callable[[], None] | None = None) -> Connection:
    """Open a connection: versions known, authenticated. Certificates and passwords are read now.

    lost: called when it ends otherwise than by us, once it is open: who asks anew because of one that does not open
    would ask without a pause.

    Raises:
        OSError, KafkaError, ValueError, AssertionError: as aiokafka and the files raise them.
    """
    is_open = False

    def closed(_: object, reason: object) -> None:
        if is_open and lost is not None and reason is not None:
            lost()

    context = None if options.tls is None else await in_thread(options.tls.context)
    connection = Connection(
        host,
        port,
        client_id=options.client_id,
        request_timeout_ms=int(options.request_timeout * 1000),
        ssl_context=context,
        security_protocol=options.security,
        max_idle_ms=_IDLE_MS,
        on_close=closed,
        **({} if options.sasl is None else _credentials(options.sasl)),
    )
    try:
        async with asyncio.timeout(min(CONNECT_TIMEOUT, options.request_timeout)):
            await connection.connect()
    except BaseException:
        connection.close()
        raise
    is_open = True
    return connection
