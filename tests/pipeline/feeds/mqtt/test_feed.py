"""The feed against a scripted broker, on both event loops: messages, windows, keepalive."""

import asyncio
import time
from collections.abc import Callable

from pipeline.core.delivery import MAX_WEIGHT, Fate
from pipeline.feeds.mqtt.connection import _DEAD_AFTER, _LOOK_EVERY
from pipeline.feeds.mqtt.options import Trouble
from tests.pipeline.feeds.scripted_broker import (
    PINGREQ,
    PINGRESP,
    PUBACK,
    PUBCOMP,
    PUBREC,
    Rig,
    payloads,
    puback,
    publish,
)


def test_messages_are_acknowledged_in_order_once_they_are_sealed(play: Callable[..., None]) -> None:
    async def scenario(made: Rig) -> None:
        made.start()
        peer = await made.welcomed()
        peer.send(publish("a/1", b"x", 1) + publish("a/2", b"y", 0, qos=0) + publish("a/3", b"z", 7, retain=True))
        one, two, three = await made.out.wait_for(3)
        assert (one.topic, two.topic, three.topic) == ("a/1", "a/2", "a/3")
        assert (one.retained, three.retained) == (False, True)
        assert abs(one.arrival - time.time() * 1000) < 5000
        await peer.nothing()
        made.out.seal()
        assert await asyncio.wait_for(peer.reader.readexactly(8), 30) == puback(1, 7)
        assert made.ledger.conserved()
        assert made.events.up == [True]

    play(scenario)


def test_a_late_acknowledgement_never_reaches_the_next_connection(play: Callable[..., None]) -> None:
    async def scenario(made: Rig) -> None:
        made.start()
        peer = await made.welcomed()
        peer.send(publish("a/old", b"old", 1))
        await made.out.wait_for(1)
        old, made.out.batches = made.out.batches, []
        await peer.close()

        peer = await made.welcomed(session_present=False)
        peer.send(publish("a/new", b"new", 1))
        await made.out.wait_for(2)
        old[0].delivery.seal(Fate.PUBLISHED)
        await peer.nothing(0.2)

        assert (made.ledger.stale, made.ledger.acknowledged) == (1, 0)
        assert (made.events.sessions_lost, made.events.troubles) == (1, [Trouble.CLOSED])
        made.out.seal()
        assert await peer.expect(PUBACK) == b"\x00\x01"
        assert made.ledger.conserved()

    play(scenario)


def test_a_session_that_is_still_there_is_not_counted_as_lost(play: Callable[..., None]) -> None:
    async def scenario(made: Rig) -> None:
        made.start()
        await (await made.welcomed()).close()
        await made.welcomed(session_present=True)
        assert made.events.sessions_lost == 0

    play(scenario)


def test_the_window_is_exact(play: Callable[..., None]) -> None:
    async def scenario(made: Rig) -> None:
        made.start(max_in_flight=5)
        peer = await made.welcomed()
        peer.send(b"".join(publish("a/b", b"%d" % n, n) for n in range(1, 13)))
        await made.out.wait_for(5)
        await asyncio.sleep(0.1)
        assert made.ledger.in_flight() == 5
        made.out.seal()
        await made.out.wait_for(10)
        await asyncio.sleep(0.1)
        assert made.ledger.in_flight() == 5
        made.out.seal()
        await made.out.wait_for(12)
        made.out.seal()
        assert await asyncio.wait_for(peer.reader.readexactly(48), 30) == puback(*range(1, 13))
        assert payloads(made.out.messages) == [b"%d" % n for n in range(1, 13)]
        assert made.events.batches == [5, 5, 2]

    play(scenario)


def test_the_window_is_bounded_in_bytes_too(play: Callable[..., None]) -> None:
    async def scenario(made: Rig) -> None:
        made.start(max_in_flight=5000)
        peer = await made.welcomed()
        size, most = 256 * 1024, MAX_WEIGHT // (256 * 1024)
        peer.send(b"".join(publish("a/b", bytes(size), n) for n in range(1, most + 21)))
        await made.out.wait_for(most)
        await asyncio.sleep(0.1)
        assert most <= made.ledger.in_flight() <= most + 2
        assert size < made.ledger.weight() / made.ledger.in_flight() <= size + 11
        made.out.seal()
        await made.out.wait_for(most + 20)
        assert made.ledger.conserved()

    play(scenario)


def test_a_paused_reader_keeps_its_connection(play: Callable[..., None]) -> None:
    async def scenario(made: Rig) -> None:
        made.start(keepalive=1, max_in_flight=1)
        peer = await made.welcomed()
        peer.send(publish("a/b", b"1", 1) + publish("a/b", b"2", 2))
        await made.out.wait_for(1)
        for _ in range(4):  # each answer stands behind an unread message
            await peer.expect(PINGREQ)
            peer.send(PINGRESP)
        made.out.seal()
        assert await peer.expect(PUBACK) == b"\x00\x01"
        assert payloads(await made.out.wait_for(2)) == [b"1", b"2"]
        assert made.events.troubles == []

    play(scenario)


def test_a_peer_that_fell_silent_is_noticed_within_one_and_a_half_keepalives(play: Callable[..., None]) -> None:
    async def scenario(made: Rig) -> None:
        made.start(keepalive=2)
        peer = await made.welcomed()
        began = asyncio.get_running_loop().time()
        await peer.expect(PINGREQ)
        await made.welcomed(session_present=True)
        assert asyncio.get_running_loop().time() - began > 2.0
        assert _DEAD_AFTER + _LOOK_EVERY < 1.5
        assert made.events.troubles == [Trouble.SILENT]

    play(scenario)


def test_an_answered_ping_keeps_an_idle_connection(play: Callable[..., None]) -> None:
    async def scenario(made: Rig) -> None:
        made.start(keepalive=1)
        peer = await made.welcomed()
        for _ in range(4):
            await peer.expect(PINGREQ)
            peer.send(PINGRESP)
        assert made.events.troubles == []

    play(scenario)


def test_what_is_not_mqtt_costs_the_connection_and_nothing_else(play: Callable[..., None]) -> None:
    async def scenario(made: Rig) -> None:
        made.start()
        peer = await made.welcomed()
        peer.send(publish("a/b", b"good", 1) + b"\x32\xff\xff\xff\xff\x01")
        assert payloads(await made.out.wait_for(1)) == [b"good"]
        peer = await made.welcomed(session_present=True)
        peer.send(publish("a/b", b"again", 1))
        await made.out.wait_for(2)
        assert made.events.troubles == [Trouble.PROTOCOL]

    play(scenario)


def test_a_qos_2_message_of_an_older_subscription_is_kept_until_it_is_sealed(play: Callable[..., None]) -> None:
    async def scenario(made: Rig) -> None:
        made.start(subscriptions=(("a/#", 2),))
        peer = await made.peer()
        assert await peer.welcome() == b"\x00\x03a/#\x01"
        peer.send(publish("a/b", b"x", 5, qos=2))
        await made.out.wait_for(1)
        await peer.nothing()
        made.out.seal()
        assert await peer.expect(PUBREC) == b"\x00\x05"
        peer.send(b"\x62\x02\x00\x05")
        assert await peer.expect(PUBCOMP) == b"\x00\x05"

    play(scenario)
