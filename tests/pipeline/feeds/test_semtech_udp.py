"""The feed of gateways on real sockets: what it answers, brings, sheds and refuses."""

import asyncio
import contextlib
import socket
from collections import Counter
from collections.abc import Callable, Coroutine
from enum import Enum
from ipaddress import ip_network
from typing import Any

import pytest

from pipeline.core.delivery import Batch, Fate, Ledger, Message, Stage
from pipeline.core.errors import StartError
from pipeline.feeds.semtech_udp import HeardGateways, SemtechUdpFeed, UdpOptions
from tests.pipeline.feeds.scripted_broker import LOOPS

ONE, OTHER = "a84041ffff1e0a01", "a84041ffff1e0b02"
BODY = b'{"rxpk":[]}'
PUSH, PULL, TX_ACK = 0, 2, 5


def datagram(identifier: int, gateway: str = ONE, body: bytes = b"", token: int = 7, version: int = 2) -> bytes:
    return bytes((version, *token.to_bytes(2), identifier)) + bytes.fromhex(gateway) + body


class Events:
    def __init__(self) -> None:
        self.up: list[bool] = []
        self.batches: list[int] = []
        self.seen: Counter[Enum] = Counter()
        self.lost = 0
        self.changed = asyncio.Event()

    def connected(self, up: bool) -> None:
        self.up.append(up)
        self.changed.set()

    def batch(self, size: int) -> None:
        self.batches.append(size)

    def datagrams(self, seen: Enum, n: int) -> None:
        self.seen[seen] += n
        self.changed.set()

    def dropped(self, n: int) -> None:
        self.lost += n


class Kept(Stage[Message]):
    """Keeps what it gets, and decides no fate before it is told."""

    def __init__(self) -> None:
        self.batches: list[Batch[Message]] = []

    def put(self, batch: Batch[Message]) -> None:
        self.batches.append(batch)

    def pending(self) -> int:
        return len(self.messages)

    async def drain(self, deadline: float) -> None:
        pass

    @property
    def messages(self) -> list[Message]:
        return [message for batch in self.batches for message in batch.items]

    def seal(self) -> None:
        batches, self.batches = self.batches, []
        for batch in batches:
            batch.delivery.seal(Fate.PUBLISHED, len(batch.items))


class Rig:
    """A feed on a free port, and a gateway's socket."""

    def __init__(self, **options: Any) -> None:
        self.ledger, self.events, self.out = Ledger(), Events(), Kept()
        self.feed = SemtechUdpFeed("gates", UdpOptions(**{"port": 0, **options}), self.ledger, self.events)

    async def __aenter__(self) -> "Rig":
        self.task = asyncio.create_task(self.feed.run(self.out))
        await self.until(lambda: bool(self.feed.address))
        family = socket.AF_INET6 if ":" in self.feed.address[0] else socket.AF_INET
        self.gateway = socket.socket(family, socket.SOCK_DGRAM)
        self.gateway.setblocking(False)  # noqa: FBT003
        self.gateway.connect(self.feed.address[:2])
        return self

    async def __aexit__(self, *_: object) -> None:
        self.task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self.task
        self.gateway.close()

    async def until(self, true: Callable[[], bool]) -> None:
        async with asyncio.timeout(30):
            while not true():
                self.events.changed.clear()
                await self.events.changed.wait()

    async def seen(self, seen: HeardGateways, n: int = 1) -> None:
        await self.until(lambda: self.events.seen[seen] >= n)

    async def answer(self) -> bytes:
        return await asyncio.wait_for(asyncio.get_running_loop().sock_recv(self.gateway, 100), 30)

    def silent(self) -> bool:
        with contextlib.suppress(BlockingIOError):
            return not self.gateway.recv(100)
        return True


Runner = Callable[[Coroutine[Any, Any, None]], None]


@pytest.fixture(params=LOOPS, ids=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Runner:
    made: Runner = request.param
    return made


def test_push_data_is_acknowledged_at_once_and_brought_on(run: Runner) -> None:
    async def scenario() -> None:
        async with Rig() as rig:
            rig.gateway.send(datagram(PUSH, body=BODY, token=0xABCD))
            assert await rig.answer() == b"\x02\xab\xcd\x01"
            [message] = rig.out.messages
            assert message[:2] == (f"{ONE}/push_data", BODY)
            assert rig.ledger.in_flight() == 1
            rig.out.seal()
            assert rig.ledger.fates[Fate.PUBLISHED] == rig.ledger.received == 1
            assert rig.ledger.unacknowledged() == 0

    run(scenario())


def test_pull_data_is_acknowledged_and_no_message_and_tx_ack_the_reverse(run: Runner) -> None:
    async def scenario() -> None:
        async with Rig() as rig:
            rig.gateway.send(datagram(PULL, token=1, version=1))
            assert await rig.answer() == b"\x01\x00\x01\x04"
            rig.gateway.send(datagram(TX_ACK, OTHER, b'{"txpk_ack":{"error":"NONE"}}'))
            await rig.seen(HeardGateways.TX_ACK)
            assert [message.topic for message in rig.out.messages] == [f"{OTHER}/tx_ack"]
            assert rig.silent()
            assert rig.events.seen == {HeardGateways.PULL_DATA: 1, HeardGateways.TX_ACK: 1}

    run(scenario())


def test_datagrams_of_one_read_are_one_batch(run: Runner) -> None:
    async def scenario() -> None:
        async with Rig() as rig:
            for token in range(50):  # nothing is read before this coroutine waits
                rig.gateway.send(datagram(PUSH, body=BODY, token=token))
            await rig.seen(HeardGateways.PUSH_DATA, 50)
            assert rig.events.batches == [50]
            assert len(rig.out.batches) == 1
            assert [await rig.answer() for _ in range(50)] == [bytes((2, 0, token, 1)) for token in range(50)]

    run(scenario())


def test_what_there_is_no_room_for_is_shed_and_not_acknowledged(run: Runner) -> None:
    async def scenario() -> None:
        async with Rig(max_in_flight=8) as rig:
            for token in range(20):
                rig.gateway.send(datagram(PUSH, body=BODY, token=token))
            await rig.seen(HeardGateways.PUSH_DATA, 20)
            assert len(rig.out.messages) == 8
            assert rig.ledger.received == 20
            assert rig.ledger.fates[Fate.SHED] == 12
            assert rig.ledger.in_flight() == rig.ledger.unacknowledged() == 8
            assert rig.ledger.conserved()
            assert [(await rig.answer())[2] for _ in range(8)] == list(range(8))
            rig.gateway.send(datagram(PULL))  # keeps the way back open, whatever the load
            assert (await rig.answer())[3] == 4
            rig.out.seal()
            rig.gateway.send(datagram(PUSH, body=BODY, token=99))
            assert (await rig.answer())[2] == 99
            assert rig.ledger.conserved()
            assert rig.ledger.fates[Fate.SHED] == 12

    run(scenario())


def test_only_gateways_that_are_listed_are_heard(run: Runner, caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        async with Rig(gateways=frozenset({OTHER})) as rig:
            for identifier in (PUSH, PULL, TX_ACK):
                rig.gateway.send(datagram(identifier, ONE, BODY))
            await rig.seen(HeardGateways.GATEWAY_REFUSED, 3)
            rig.gateway.send(datagram(PUSH, OTHER, BODY, token=5))
            assert await rig.answer() == b"\x02\x00\x05\x01"
            assert rig.silent()
            assert [message.topic for message in rig.out.messages] == [f"{OTHER}/push_data"]
            assert rig.ledger.received == 1

    run(scenario())
    (said,) = [record for record in caplog.records if record.levelname == "WARNING"]  # of three: a flood fills no log
    assert said.getMessage() == "A datagram is refused; for a minute more are only counted."
    assert vars(said)["fields"]["gateway"] == ONE


@pytest.mark.parametrize(
    ("host", "network", "heard"),
    [
        ("127.0.0.1", "127.0.0.0/8", True),
        ("127.0.0.1", "192.0.2.0/24", False),
        ("::1", "::1/128", True),
        ("::1", "127.0.0.1/32", False),
    ],
)
def test_only_addresses_that_are_listed_are_heard(run: Runner, host: str, network: str, heard: bool) -> None:
    async def scenario() -> None:
        async with Rig(host=host, networks=(ip_network(network),)) as rig:
            rig.gateway.send(datagram(PUSH, body=BODY))
            await rig.seen(HeardGateways.PUSH_DATA if heard else HeardGateways.ADDRESS_REFUSED)
            assert rig.ledger.received == len(rig.out.messages) == heard
            if not heard:
                assert rig.silent()

    run(scenario())


def test_an_ipv4_gateway_on_a_socket_for_both_is_known_by_its_own_address(run: Runner) -> None:
    async def scenario() -> None:
        async with Rig(host="::", networks=(ip_network("127.0.0.1/32"),)) as rig:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as gateway:
                gateway.sendto(datagram(PUSH, body=BODY), ("127.0.0.1", rig.feed.address[1]))
                await rig.seen(HeardGateways.PUSH_DATA)

    run(scenario())


def test_what_no_gateway_sends_is_counted_only(run: Runner) -> None:
    async def scenario() -> None:
        async with Rig() as rig:
            for data in (b"", b"GET / HTTP/1.1", datagram(3), datagram(PUSH)[:11], datagram(PUSH, version=3)):
                rig.gateway.send(data)
            await rig.seen(HeardGateways.MALFORMED, 5)
            assert rig.silent()
            assert rig.ledger.received == 0
            rig.gateway.send(datagram(PUSH, body=b"{"))  # what is no JSON is a dead letter, made by the dialect
            await rig.answer()
            assert rig.out.messages[0].payload == b"{"

    run(scenario())


def test_a_stop_takes_what_the_kernel_has_and_frees_the_address_while_messages_wait(run: Runner) -> None:
    async def scenario() -> None:
        async with Rig() as rig:
            rig.gateway.send(datagram(PUSH, body=BODY))
            rig.feed.stop_reading()
            assert len(rig.out.messages) == 1
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as successor:
                successor.bind(rig.feed.address[:2])
            await asyncio.wait_for(rig.task, 30)
            assert rig.events.up == [True, False]
            assert rig.ledger.in_flight() == 1
            rig.out.seal()
            await rig.feed.disconnect()
            assert rig.ledger.conserved()
            assert rig.ledger.fates[Fate.PUBLISHED] == 1

    run(scenario())


def test_an_address_in_use_stops_the_start(run: Runner) -> None:
    async def scenario() -> None:
        async with Rig() as rig:
            second = SemtechUdpFeed("more", UdpOptions(port=rig.feed.address[1]), Ledger(), Events())
            with pytest.raises(
                StartError, match=r"Feed more cannot listen on 127\.0\.0\.1:\d+ \(UDP\): Address .* use"
            ):
                await second.run(Kept())

    run(scenario())


def test_what_the_kernel_dropped_is_counted(run: Runner) -> None:
    async def scenario() -> None:
        async with Rig(max_in_flight=65_535) as rig:
            sent = 0
            for _ in range(40_000):  # more than the largest buffer takes, and nothing is read meanwhile
                with contextlib.suppress(BlockingIOError):
                    sent += rig.gateway.send(datagram(PUSH, body=b"x" * 1000)) > 0
            await rig.seen(HeardGateways.PUSH_DATA, 100)
            await asyncio.sleep(0.2)
            rig.gateway.send(datagram(PUSH, body=b"last"))  # it brings the count
            await rig.until(lambda: rig.out.messages[-1].payload == b"last")
            assert rig.events.lost > 0
            assert rig.events.lost + rig.ledger.received == sent + 1
            assert rig.ledger.conserved()

    run(scenario())
