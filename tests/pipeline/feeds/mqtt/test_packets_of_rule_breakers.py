"""A broker that breaks the rules of MQTT: one packet costs itself, and the same cause never loops."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.core.delivery import INVALID_TOPIC, Broken
from pipeline.feeds.mqtt.causes import most_filters
from pipeline.feeds.mqtt.options import Trouble
from tests.pipeline.feeds.scripted_broker import (
    CONNECT,
    PUBACK,
    PUBREC,
    SUBSCRIBE,
    UNSUBSCRIBE,
    Peer,
    Rig,
    payloads,
    publish,
    until,
)
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


TWELVE = tuple((f"site{number}/#", 1) for number in range(12))


async def refuse_more_than(most: int, peer: Peer) -> list[int]:
    """Let a client in, close on a SUBSCRIBE of more filters, and return how many filters each one had."""
    sizes: list[int] = []
    await peer.expect(CONNECT)
    peer.send(b"\x20\x02\x00\x00")
    while sum(sizes) < len(TWELVE):
        body = await peer.expect(SUBSCRIBE)
        sizes.append(body.count(b"site"))
        if sizes[-1] > most:
            await peer.close()
            return sizes
        peer.send(b"\x90" + bytes((2 + sizes[-1],)) + body[:2] + b"\x01" * sizes[-1])
    return sizes


@pytest.mark.parametrize(
    ("most", "tried"),
    [(12, [[12]]), (8, [[12], [8, 4]]), (5, [[12], [8], [4, 4, 4]]), (1, [[12], [8], [4], [2], [1] * 12])],
)
def test_a_broker_that_takes_few_filters_at_once_is_asked_for_few(
    play: Callable[..., None], most: int, tried: list[list[int]], caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario(made: Rig) -> None:
        made.start(subscriptions=TWELVE)
        for sizes in tried:
            peer = await made.peer()
            assert await refuse_more_than(most, peer) == sizes
        peer.send(publish("site3/a", b"good", 1))
        assert payloads(await made.out.wait_for(1)) == [b"good"]
        await until(lambda: made.feed.problem == "")
        assert made.events.troubles == [Trouble.UNSUBSCRIBED] * (len(tried) - 1)
        assert made.events.sessions_lost == 0

    with caplog.at_level("WARNING"):
        play(scenario)
    told = " ".join(str(vars(record)) for record in caplog.records)
    assert ("right after SUBSCRIBE of 12 filters" in told) is (most < 12)
    assert ("8 at once (`max_filters_per_subscribe`)" in told) is (most < 12)
    assert "forgotten the session" not in told


def test_a_configured_number_of_filters_holds_and_the_cause_of_the_loop_is_named(play: Callable[..., None]) -> None:
    async def scenario(made: Rig) -> None:
        made.start(subscriptions=TWELVE, max_filters=6)
        for _ in range(3):
            assert await refuse_more_than(5, await made.peer()) == [6]
        await made.peer()
        assert "right after SUBSCRIBE of 6 filters" in made.feed.problem
        assert "3 times in a row" in made.feed.problem
        assert "max_filters_per_subscribe" in made.feed.problem

    play(scenario)


def test_one_filter_on_which_the_broker_closes_is_named(play: Callable[..., None]) -> None:
    async def scenario(made: Rig) -> None:
        made.start(subscriptions=(("site0/#", 1),))
        assert await refuse_more_than(0, await made.peer()) == [1]
        await made.peer()
        assert "right after SUBSCRIBE of the filter site0/#" in made.feed.problem

    play(scenario)


def test_old_filters_are_given_up_a_few_at_a_time_too(play: Callable[..., None], tmp_path: Path) -> None:
    async def scenario(made: Rig) -> None:
        file = tmp_path / "session.json"
        file.unlink(missing_ok=True)
        made.start(subscriptions=TWELVE, max_filters=8, state_file=file)
        assert await refuse_more_than(8, await made.peer()) == [8, 4]
        await until(lambda: made.events.up == [True])
        await made.end()
        made.start(max_filters=8, state_file=file)
        peer = await made.welcomed(session_present=True)
        for size in (8, 4):
            body = await peer.expect(UNSUBSCRIBE)
            assert body.count(b"site") == size
            peer.send(b"\xb0\x02" + body[:2])
        await until(lambda: json.loads(file.read_text())["filters"] == ["a/#"])

    play(scenario)


@pytest.mark.parametrize(
    ("host", "most"),
    [
        ("a1b2c3d4e5f6g7-ats.iot.eu-west-1.amazonaws.com", 8),
        ("A1B2.iot.cn-north-1.amazonaws.com.cn", 8),
        ("a1b2.iot.eu-west-1.amazonaws.com.example.org", None),
        ("broker.example", None),
    ],
)
def test_aws_iot_core_is_known_by_its_name(host: str, most: int | None) -> None:
    assert most_filters(host) == most


async def close_after_connect(peer: Peer) -> None:
    await peer.expect(CONNECT)


async def close_after_suback(peer: Peer) -> None:
    await peer.welcome()


async def close_after_puback(made: Rig, peer: Peer) -> None:
    await peer.welcome()
    before = len(made.out.messages)
    peer.send(publish("a/b", b"good", 1))
    await made.out.wait_for(before + 1)
    made.out.seal()
    await peer.expect(PUBACK)


@pytest.mark.parametrize(
    ("where", "trouble", "cause"),
    [
        ("connect", Trouble.REFUSED, "It may not let the client id headrace-test in"),
        ("suback", Trouble.CLOSED, "Another client may use the client id headrace-test"),
        ("puback", Trouble.CLOSED, "we had just sent our first PUBACK"),
    ],
)
def test_the_cause_of_a_repeated_close_is_named_by_its_place(
    play: Callable[..., None], where: str, trouble: Trouble, cause: str
) -> None:
    async def scenario(made: Rig) -> None:
        made.start()
        for number in range(3):
            peer = await made.peer()
            if where == "connect":
                await close_after_connect(peer)
            elif where == "suback":
                await close_after_suback(peer)
                await until(lambda number=number: len(made.events.up) == 2 * number + 1)  # type: ignore[misc]
            else:
                await close_after_puback(made, peer)
            await peer.close()
            await until(lambda number=number: len(made.events.troubles) == number + 1)  # type: ignore[misc]
            assert (cause in made.feed.problem) is (number == 2)
        assert made.events.troubles == [trouble] * 3

    play(scenario)


def test_a_session_that_another_client_took_over_is_named_at_once(play: Callable[..., None]) -> None:
    async def scenario(made: Rig) -> None:
        made.start(version="5")
        peer = await made.peer()
        await welcome5(peer)
        await until(lambda: made.events.up == [True])
        peer.send(b"\xe0\x02\x8e\x00")
        await made.peer()
        assert "Session taken over by another client with the client id headrace-test" in made.feed.problem

    play(scenario)
