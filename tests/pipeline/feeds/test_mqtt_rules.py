"""A broker that breaks the rules of MQTT: one packet costs itself, and the same cause never loops."""

import asyncio
from collections.abc import Callable

import pytest

from pipeline.feeds.mqtt_options import Trouble
from pipeline.message import INVALID_TOPIC, Broken
from tests.pipeline.feeds.scripted_broker import PUBACK, PUBREC, Peer, Rig, payloads, publish
from tests.support.generator import remaining_length

CONNACK5 = b"\x20\x03\x00\x00\x00"


async def welcome5(peer: Peer, *, connack: bytes = CONNACK5, more: bytes = b"") -> None:
    """Let an MQTT 5 client in; `more` are properties of SUBACK."""
    await peer.packet()
    peer.send(connack)
    _, body = await peer.packet()
    answer = body[:2] + remaining_length(len(more)) + more + b"\x01"
    peer.send(b"\x90" + remaining_length(len(answer)) + answer)


def user_properties(count: int) -> bytes:
    return (b"\x26\x00\x03key\x03\xe8" + b"v" * 1000) * count


BROKEN = [
    (b"\x32\x05\x00\x09abc", None),  # a topic longer than the packet
    (b"\x36\x06\x00\x01a\x00\x07x", (PUBACK, 7)),  # QoS 3
    (b"\x32\x06\x00\x01a\x00\x00x", None),  # packet id 0
    (b"\x32\x05\x00\x00\x00\x08x", (PUBACK, 8)),  # no topic
    (b"\x32\x06\x00\x01\xff\x00\x09x", (PUBACK, 9)),  # a topic that is no UTF-8
    (b"\x32\x06\x00\x01#\x00\x0ax", (PUBACK, 10)),  # a wildcard
    (b"\x34\x05\x00\x00\x00\x0bx", (PUBREC, 11)),  # no topic, at QoS 2
    (b"\x30\x00", None),  # nothing at all
]


def test_a_publish_that_breaks_a_rule_costs_itself_alone(play: Callable[..., None]) -> None:
    async def scenario(made: Rig) -> None:
        made.start()
        peer = await made.welcomed()
        for number, (packet, _) in enumerate(BROKEN):
            peer.send(publish("a/b", b"good", 100 + number) + packet)
        messages = await made.out.wait_for(2 * len(BROKEN))
        made.out.seal()
        acknowledged = [await peer.packet() for _ in range(len(BROKEN) + sum(bool(token) for _, token in BROKEN))]
        wanted: list[tuple[int, int]] = []
        for number, (_, token) in enumerate(BROKEN):
            wanted += [(PUBACK, 100 + number), *([token] if token else [])]
        assert [(kind, int.from_bytes(body, "big")) for kind, body in acknowledged] == wanted
        assert payloads(messages[::2]) == [b"good"] * len(BROKEN)
        assert all(each.topic.startswith(INVALID_TOPIC) for each in messages[1::2])
        for (packet, _), message in zip(BROKEN, messages[1::2], strict=True):
            assert not isinstance(message.payload, Broken) or bytes(message.payload) == packet
        assert made.events.troubles == []
        assert made.ledger.conserved()

    play(scenario)


def test_large_properties_of_any_packet_are_read(play: Callable[..., None]) -> None:
    async def scenario(made: Rig) -> None:
        made.start(version="5")
        peer = await made.peer()
        keepalive = b"\x13\x00\x3c"
        properties = user_properties(90) + keepalive
        connack = b"\x00\x00" + remaining_length(len(properties)) + properties
        await welcome5(peer, connack=b"\x20" + remaining_length(len(connack)) + connack, more=user_properties(2000))
        properties = user_properties(300)
        inner = remaining_length(len(properties)) + properties
        peer.send(publish("a/b", inner + b"1", 1) + publish("a/b", inner + b"2", 2, qos=2))
        assert payloads(await made.out.wait_for(2)) == [b"1", b"2"]
        made.out.seal()
        assert await peer.expect(PUBACK) == b"\x00\x01"
        assert await peer.expect(PUBREC) == b"\x00\x02"
        release = b"\x00\x02\x00" + inner
        peer.send(b"\x62" + remaining_length(len(release)) + release)
        assert await peer.expect(0x70) == b"\x00\x02"
        assert made.feed._connection is not None
        assert made.feed._connection.client.keepalive == 60  # the broker's own, behind the long ones
        leave = b"\x8b" + inner
        peer.send(b"\xe0" + remaining_length(len(leave)) + leave)
        await asyncio.wait_for(made.peers.get(), 5)
        assert made.feed.problem.endswith("ended the connection: Server shutting down.")
        assert made.events.troubles == [Trouble.CLOSED]

    play(scenario)


@pytest.mark.parametrize(
    "packet", [b"\xf0\x00", b"\x00\x00", b"\x82\x02\x00\x01", b"\x90\x03\x00\x01\x7f", b"\xe0\x02\x00\xff"]
)
def test_the_fourth_connection_reads_past_a_packet_that_nobody_understands(
    play: Callable[..., None], packet: bytes
) -> None:
    async def scenario(made: Rig) -> None:
        made.start(version="5")
        for _ in range(3):
            peer = await made.peer()
            await welcome5(peer)
            peer.send(packet + publish("a/b", b"\x00good", 1))
        peer = await made.peer()
        await welcome5(peer)
        peer.send(packet + publish("a/b", b"\x00good", 1))
        assert payloads(await made.out.wait_for(1)) == [b"good"]
        made.out.seal()
        assert await peer.expect(PUBACK) == b"\x00\x01"
        assert made.events.troubles == [Trouble.PROTOCOL] * 3

    play(scenario)


def test_bytes_that_do_not_say_where_a_packet_ends_are_not_asked_for_again_and_again(play: Callable[..., None]) -> None:
    async def scenario(made: Rig) -> None:
        made.start()
        for _ in range(4):
            peer = await made.welcomed()
            peer.send(b"\x32\xff\xff\xff\xff\x01")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(made.peers.get(), 1.0)  # twenty times what it waits otherwise
        assert "more than 3 times in a row" in made.feed.problem

    play(scenario)


def test_messages_before_the_answer_to_connect_fill_no_memory(play: Callable[..., None]) -> None:
    async def scenario(made: Rig) -> None:
        made.start()
        peer = await made.peer()
        await peer.packet()
        peer.send(publish("a/b", bytes(1000), 1) * 1000)
        await made.peer()
        assert made.events.troubles == [Trouble.PROTOCOL]
        assert made.out.messages == []

    play(scenario)
