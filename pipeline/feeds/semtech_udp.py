"""The feed of Semtech's gateway protocol: packet forwarders send datagrams, one read of the socket is one batch.

The protocol acknowledges receipt only, and no gateway sends twice: what is in memory at a crash is lost,
`max_in_flight` datagrams and the kernel's buffer at most. Headrace never sends PULL_RESP: downlinks are a network
server's.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, IntEnum
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address
from time import monotonic
from typing import Any, NamedTuple, Protocol

from pipeline.core.budgets import Slice
from pipeline.core.clock import CLOCK
from pipeline.core.delivery import Batch, Fate, Lane, Ledger, Message, Stage
from pipeline.core.errors import StartError
from pipeline.core.logs import Log

_VERSIONS = (1, 2)
_HEADER = 12  # bytes: version, token (2), identifier, EUI (8)


class Identifier(IntEnum):
    """What a gateway may send. PULL_RESP (3), a downlink, and the acknowledgements (1, 4) are a server's."""

    PUSH_DATA = 0
    PULL_DATA = 2
    TX_ACK = 5


_ANSWERS = {Identifier.PUSH_DATA: 1, Identifier.PULL_DATA: 4}
_KNOWN = {each.value: each for each in Identifier}


class Datagram(NamedTuple):
    """What a gateway sent.

    Attributes:
        gateway: Its EUI in 16 lower-case hex digits.
        answer: The bytes that acknowledge it; empty where none are due.
        body: JSON, or nothing; not looked at.
    """

    identifier: Identifier
    gateway: str
    answer: bytes
    body: bytes


def parse(data: bytes) -> Datagram | None:
    """Return what a gateway sent, or None if it is nothing that a gateway sends."""
    if len(data) < _HEADER or data[0] not in _VERSIONS:
        return None
    identifier = _KNOWN.get(data[3])
    if identifier is None:
        return None
    code = _ANSWERS.get(identifier)
    answer = b"" if code is None else data[:3] + bytes((code,))
    return Datagram(identifier, data[4:_HEADER].hex(), answer, data[_HEADER:])


_LOG = Log(__name__)
_MOST = 512  # datagrams of one read, so that a flood leaves the loop to the others
_LARGEST = 65_535
_BUFFER = 4 * 1024**2  # what the kernel may keep for us; net.core.rmem_max limits it
_SO_RXQ_OVFL = 40  # Linux, asm-generic/socket.h: each datagram brings the count of those dropped before it
_ANCILLARY = 64
_SAY_SECONDS = 60.0  # any host can send datagrams, and refusals must not fill the log


class HeardGateways(Enum):
    """What came in a datagram; a closed list, so that it may label a metric."""

    PUSH_DATA = "push_data"
    PULL_DATA = "pull_data"
    TX_ACK = "tx_ack"
    MALFORMED = "malformed"  # nothing that a gateway sends
    GATEWAY_REFUSED = "gateway_refused"  # its EUI is not among those allowed
    ADDRESS_REFUSED = "address_refused"  # it came from outside the networks allowed


_SEEN = {each: HeardGateways[each.name] for each in Identifier}


class UdpEvents(Protocol):
    """What the metrics learn from a feed; each call is short and on the event loop's thread."""

    def connected(self, up: bool) -> None:  # noqa: FBT001
        """Note that the feed reads now, or does not any more."""

    def batch(self, size: int) -> None:
        """Count one batch of `size` messages."""

    def datagrams(self, seen: Enum, n: int) -> None:
        """Count `n` datagrams of one kind."""

    def dropped(self, n: int) -> None:
        """Count datagrams that the kernel dropped, since its buffer was full."""


@dataclass(frozen=True, slots=True)
class UdpOptions:
    """Where to listen, and to which gateways.

    Attributes:
        gateways: EUIs in 16 lower-case hex digits; empty, as networks, allows any.
    """

    host: str = "127.0.0.1"
    port: int = 1700
    gateways: frozenset[str] = frozenset()
    networks: tuple[IPv4Network | IPv6Network, ...] = ()
    max_in_flight: int = 5000


class SemtechUdpFeed:
    """A `Feed[Message]` with topics `<gateway EUI>/push_data` and `<gateway EUI>/tx_ack`; the payload is the JSON.

    What the lane has no room for is shed, counted, and not acknowledged, so that the gateway's own statistics
    (`stat.ackr`) show it.
    """

    resends = False
    problem = ""

    def __init__(self, name: str, options: UdpOptions, ledger: Ledger, events: UdpEvents) -> None:
        self.name = name
        self.address: tuple[Any, ...] = ()
        self._options, self._events = options, events
        self._lane: Lane[None] = Lane(None, options.max_in_flight, ledger=ledger)
        # Of their own, so that they are settled at once and do not queue behind what waits for Kafka.
        self._shed: Lane[None] = Lane(None, 1, ledger=ledger)
        self._allowed = lru_cache(maxsize=4096)(self._in_networks)
        self._buffer = bytearray(_LARGEST)
        self._slice = Slice()
        self._socket: socket.socket | None = None
        self._dropped = 0
        self._silent_until = 0.0
        self._out: Stage[Message] | None = None
        self._stop = asyncio.Event()

    async def run(self, out: Stage[Message]) -> None:
        """Read until cancelled or stopped.

        Raises:
            StartError: the address cannot be listened on.
        """
        options = self._options
        try:
            opened = await open_socket(options.host, options.port)
        except OSError as error:
            said = f"Feed {self.name} cannot listen on {options.host}:{options.port} (UDP): {error.strerror or error}."
            raise StartError(f"{said} Check `listen`, and that no other program has the port.") from error
        self._socket, self._out = opened, out
        self.address = opened.getsockname()
        asyncio.get_running_loop().add_reader(opened, self._read)
        self._events.connected(True)  # noqa: FBT003
        _LOG.info("The feed listens.", feed=self.name, address=self.address[0], port=self.address[1])
        try:
            await self._stop.wait()
        finally:
            self._close()

    def stop_reading(self) -> None:
        """Take what the kernel holds already, and no more; a successor may have the address."""
        left = _MOST
        while self._socket is not None and left > 0:
            left -= self._take() or left
        self._close()
        self._stop.set()

    async def disconnect(self, timeout: float = 5.0) -> None:  # noqa: ARG002, ASYNC109 - the shape of a feed
        """Stop reading; gateways expect no goodbye."""
        self.stop_reading()

    def _close(self) -> None:
        opened, self._socket = self._socket, None
        if opened is not None:
            asyncio.get_running_loop().remove_reader(opened)
            opened.close()
            self._events.connected(False)  # noqa: FBT003

    def _read(self) -> None:
        """Take a slice of what has come; the rest waits in the kernel's buffer until the loop's next turn."""
        self._slice.begin()
        self._take()
        self._slice.over()

    def _take(self) -> int:
        """Take one slice of what has come, acknowledge it, hand it on, and return how many datagrams it had."""
        arrival = CLOCK.now()
        counts = dict.fromkeys(HeardGateways, 0)
        messages: list[Message] = []
        room, weight, shed = self._lane.room, 0, 0
        datagrams = self._datagrams()
        for data, address in datagrams:
            seen, answer, message = self._judge(data, address, arrival)
            counts[seen] += 1
            if message is not None:
                if len(messages) >= room:
                    shed += 1
                    continue
                messages.append(message)
                weight += len(message.payload)
            if answer:
                self._answer(answer, address)
        self._hand_on(messages, weight, shed)
        for seen, n in counts.items():
            if n:
                self._events.datagrams(seen, n)
        return len(datagrams)

    def _datagrams(self) -> Sequence[tuple[bytes, tuple[Any, ...]]]:
        found: list[tuple[bytes, tuple[Any, ...]]] = []
        opened, buffer, left = self._socket, memoryview(self._buffer), self._slice.size
        while opened is not None and len(found) < _MOST and left > 0:
            try:
                size, ancillary, _, address = opened.recvmsg_into([buffer], _ANCILLARY)
            except OSError:  # no more, or an answer of ours that could not be delivered
                break
            found.append((bytes(buffer[:size]), address))
            left -= size
            if ancillary:
                self._count_dropped(ancillary)
        return found

    def _judge(
        self, data: bytes, address: tuple[Any, ...], arrival: int
    ) -> tuple[HeardGateways, bytes, Message | None]:
        """Say what a datagram is, with what it is answered, and what it brings."""
        if not self._allowed(address[0]):
            self._say_refused("no network in `addresses` has its sender", address=address[0])
            return HeardGateways.ADDRESS_REFUSED, b"", None
        datagram = parse(data)
        if datagram is None:
            return HeardGateways.MALFORMED, b"", None
        allowed = self._options.gateways
        if allowed and datagram.gateway not in allowed:
            self._say_refused("`gateways` does not list its gateway", gateway=datagram.gateway, address=address[0])
            return HeardGateways.GATEWAY_REFUSED, b"", None
        seen = _SEEN[datagram.identifier]
        if seen is HeardGateways.PULL_DATA:
            return seen, datagram.answer, None
        return seen, datagram.answer, Message(f"{datagram.gateway}/{seen.value}", datagram.body, arrival)

    def _say_refused(self, why: str, **who: str) -> None:
        now = monotonic()
        if now >= self._silent_until:
            self._silent_until = now + _SAY_SECONDS
            _LOG.warning("A datagram is refused; for a minute more are only counted.", feed=self.name, why=why, **who)

    def _hand_on(self, messages: list[Message], weight: int, shed: int) -> None:
        if shed:
            self._shed.receive(shed, None).seal(Fate.SHED, shed)
        if messages and self._out is not None:
            self._events.batch(len(messages))
            self._out.put(Batch(self._lane.receive(len(messages), None, weight), messages))

    def _answer(self, answer: bytes, address: tuple[Any, ...]) -> None:
        if self._socket is not None:
            with contextlib.suppress(OSError):  # as if it were lost on the way
                self._socket.sendto(answer, address)

    def _in_networks(self, host: str) -> bool:
        networks = self._options.networks
        if not networks:
            return True
        address = ip_address(host.partition("%")[0])
        if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        return any(address in network for network in networks)

    def _count_dropped(self, ancillary: Sequence[tuple[int, int, bytes]]) -> None:
        for level, kind, data in ancillary:
            if (level, kind) == (socket.SOL_SOCKET, _SO_RXQ_OVFL):
                total = struct.unpack("=I", data)[0]
                self._events.dropped((total - self._dropped) % 2**32)
                self._dropped = total


async def open_socket(host: str, port: int) -> socket.socket:
    """Return a socket that datagrams come to, with all the buffer that the kernel grants."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_DGRAM)
    family, kind, protocol, _, address = found[0]
    opened = socket.socket(family, kind, protocol)
    try:
        opened.setblocking(False)  # noqa: FBT003
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
        with contextlib.suppress(OSError):  # another system than Linux
            opened.setsockopt(socket.SOL_SOCKET, _SO_RXQ_OVFL, 1)
        opened.bind(address)
    except OSError:
        opened.close()
        raise
    return opened
