"""The Kafka cluster as the publisher sees it: which broker leads which partition, and a connection to each.

Kafka is asked for our topics alone, and never to make one: aiokafka's own client would let a broker with
`auto.create.topics.enable` make a topic that was deleted.
"""

from __future__ import annotations

import asyncio
import random
import ssl
from collections.abc import Callable, Collection, Sequence
from struct import Struct
from typing import Any, Final, NamedTuple

from aiokafka.conn import AIOKafkaConnection, CloseReason, collect_hosts
from aiokafka.errors import KafkaConnectionError, KafkaError
from aiokafka.protocol.api import Request, Response
from aiokafka.protocol.metadata import MetadataRequest
from aiokafka.protocol.produce import ProduceRequest
from aiokafka.protocol.transaction import InitProducerIdRequest

from pipeline.core.errors import HeadraceError
from pipeline.core.threads import run_detached
from pipeline.publish.error_codes import name_of
from pipeline.publish.options import KafkaOptions, Sasl, TokenProvider

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

        Args:
            timeout: Seconds that the broker may wait for its replicas.

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

    Args:
        lost: Called when an open connection ends otherwise than by us. Not for one that does not open: asking anew
            because of it would be asking without a pause.

    Raises:
        OSError, KafkaError, ValueError, AssertionError: as aiokafka and the files raise them.
    """
    is_open = False

    def closed(_: object, reason: object) -> None:
        if is_open and lost is not None and reason is not None:
            lost()

    context = None if options.tls is None else await run_detached(options.tls.context)
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


# What aiokafka lets escape from a broken, strange or unwilling peer; a wrong SCRAM signature is a ValueError.
PROBLEMS: Final = (OSError, EOFError, KafkaError, ValueError, AssertionError, NotImplementedError)
_BROKER_SHARE: Final = 0.8  # of the request's time the broker may wait for replicas: its answer says more than silence
_NO_TRANSACTION: Final = 60_000


class LinkError(HeadraceError):
    """A request got no answer, or the answer that it cannot be done.

    Args:
        uncertain: The request was written, so Kafka may have obeyed.
        code: The error code of Kafka's answer, or None.
    """

    def __init__(self, text: str, *, uncertain: bool = False, code: int | None = None) -> None:
        super().__init__(text)
        self.uncertain = uncertain
        self.code = code


class Produced(NamedTuple):
    """The answer to a produce request: topic, partition and error code of each batch; seconds to hold back.

    Attributes:
        stored_at: Kafka's time in milliseconds since 1970 UTC, where a topic is stamped by it (LogAppendTime); else -1.
    """

    answers: list[tuple[str, int, int]]
    throttle: float
    stored_at: int = -1


class Cluster:
    """Connections are opened when they are needed and forgotten when they break; nothing runs in the background."""

    def __init__(self, options: KafkaOptions) -> None:
        self.options = options
        self.partitions: dict[str, int] = {}  # topic -> how many it has
        self.codes: dict[str, int] = {}  # topic -> the error code of the last look at it
        self.controller = -1
        self.lost: Callable[[], None] = _nothing  # a connection ended, though nothing was asked
        self._topics: list[str] = []
        self._leaders: dict[tuple[str, int], int] = {}
        self._nodes: dict[int, tuple[str, int]] = {}
        self._connections: dict[int, Connection] = {}
        self._locks: dict[int, asyncio.Lock] = {}

    def leader(self, topic: str, partition: int) -> int | None:
        """Name the broker that leads a partition now, or None while none does."""
        return self._leaders.get((topic, partition))

    def follow(self, topics: Collection[str]) -> None:
        """Name the topics that `refresh` looks at."""
        self._topics = sorted(topics)

    async def refresh(self) -> None:
        """Ask which broker leads which partition.

        Raises:
            LinkError: no broker answered, neither the known ones nor those of `bootstrap_servers`.
        """
        request = MetadataRequest(self._topics, allow_auto_topic_creation=False)
        try:
            self._learn(await self.ask(request))
        except LinkError:
            self._learn(await self._ask_bootstrap(request))

    async def ask(self, request: Request, node: int | None = None) -> Response:
        """Send a small request to one broker, or to the first of all that answers.

        Raises:
            LinkError: no broker answered.
        """
        nodes = random.sample(list(self._nodes), len(self._nodes)) if node not in self._nodes else [node]
        problem = LinkError("No broker of the Kafka cluster is known.")
        for each in nodes:
            try:
                connection = await self._connection(each)
            except LinkError as refused:
                problem = refused
                continue
            try:
                return await connection.send(request)
            except PROBLEMS as broken:
                connection.close()
                problem = LinkError(self._sentence(self._nodes.get(each), broken), uncertain=True)
        raise problem

    async def produce(self, node: int, batches: Batches, sent: Callable[[], None]) -> Produced:
        """Send batches to the broker that leads them; `sent` is called when all is written.

        Raises:
            LinkError: no answer came.
        """
        connection = await self._connection(node)
        timeout = self.options.request_timeout
        try:
            answer = connection.produce(batches, timeout * _BROKER_SHARE)
        except PROBLEMS as problem:
            connection.close()
            raise LinkError(self._sentence(self._nodes.get(node), problem), uncertain=True) from problem
        sent()
        try:
            async with asyncio.timeout(timeout):
                response = await answer
        except PROBLEMS as problem:
            connection.close()
            raise LinkError(self._sentence(self._nodes.get(node), problem), uncertain=True) from problem
        answers = [(topic, part[0], part[1]) for topic, partitions in response.topics for part in partitions]
        stored_at = max((part[3] for _, partitions in response.topics for part in partitions), default=-1)
        return Produced(answers, response.throttle_time_ms / 1000, stored_at)

    async def new_producer(self) -> tuple[int, int]:
        """Get a producer id and its epoch (InitProducerId, without a transaction).

        Raises:
            LinkError: no answer, or `code` says why not.
        """
        response = await self.ask(InitProducerIdRequest(None, _NO_TRANSACTION))
        if response.error_code:
            name = name_of(response.error_code)
            raise LinkError(f"Kafka gave no producer id: {name}.", code=response.error_code)
        return response.producer_id, response.producer_epoch

    def close(self) -> None:
        """Drop every connection at once."""
        for connection in self._connections.values():
            connection.close()
        self._connections.clear()

    async def _connection(self, node: int) -> Connection:
        async with self._locks.setdefault(node, asyncio.Lock()):
            known = self._connections.get(node)
            if known is not None and known.connected():
                return known
            if known is not None:
                known.close()
                del self._connections[node]
            address = self._nodes.get(node)
            if address is None:
                raise LinkError(f"Kafka names broker {node} as a leader, but not where it is.")
            try:
                opened = await connect(self.options, *address, self.lost)
            except PROBLEMS as problem:
                raise LinkError(self._sentence(address, problem)) from problem
            self._connections[node] = opened
            return opened

    async def _ask_bootstrap(self, request: Request) -> Response:
        problem = LinkError("`bootstrap_servers` names no server.")
        for host, port, _ in collect_hosts(list(self.options.bootstrap_servers)):
            connection = None
            try:
                connection = await connect(self.options, host, port)
                return await connection.send(request)
            except PROBLEMS as broken:
                problem = LinkError(self._sentence((host, port), broken))
            finally:
                if connection is not None:
                    connection.close()
        raise problem

    def _learn(self, response: Response) -> None:
        self._nodes = {broker[0]: (broker[1], broker[2]) for broker in response.brokers}
        self.controller = response.controller_id
        self.codes = {topic[1]: topic[0] for topic in response.topics}
        for _, topic, _, partitions in response.topics:
            for gone in range(len(partitions), self.partitions.get(topic, 0) if partitions else 0):
                self._leaders.pop((topic, gone), None)
            for part in partitions:
                if part[2] >= 0:
                    self._leaders[topic, part[1]] = part[2]
                else:
                    self._leaders.pop((topic, part[1]), None)
            if partitions:  # a topic that is not there now keeps its count: its records wait for it
                self.partitions[topic] = len(partitions)
        for node in self._connections.keys() - self._nodes.keys():
            self._connections.pop(node).close()

    def _sentence(self, address: tuple[str, int] | None, problem: BaseException) -> str:
        where = "Kafka" if address is None else f"Kafka at {address[0]}:{address[1]}"
        return f"{where} {_said(problem)}"


def _nothing() -> None:
    pass


def _said(problem: BaseException) -> str:
    cause = problem.__cause__ or problem
    kind = type(problem).__name__
    if "Sasl" in kind or "Authentication" in kind:
        return f"refused our credentials ({problem}). Check `sasl`: mechanism, username and password or token."
    if isinstance(cause, ssl.SSLError):
        return f"did not agree on TLS ({cause}). Check `tls`: ca_file, cert_file, key_file and the broker's name."
    if isinstance(cause, EOFError):
        return "closed the connection. If it never works, compare the port's security protocol with `tls` and `sasl`."
    if isinstance(problem, TimeoutError):
        return "did not answer in time. Check the network to it, and that what it advertises can be reached from here."
    if isinstance(problem, OSError):  # no such name, no route, no listener
        why = "no process listens there" if isinstance(problem, ConnectionRefusedError) else problem.strerror or problem
        return f"cannot be reached: {why}. Check `bootstrap_servers`, and that Kafka runs."
    return f"cannot be used: {problem or kind}."
