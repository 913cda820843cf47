"""The feed against a scripted broker: leaving, reconnecting, bugs downstream, failpoints."""

import asyncio
from collections.abc import Callable

import pytest

from pipeline.core.delivery import Batch, Message
from tests.pipeline.feeds.scripted_broker import (
    DISCONNECT,
    PUBACK,
    Collector,
    Rig,
    puback,
    publish,
    until,
)
from tests.support.ports import free_port


def test_stopping_keeps_acknowledging_and_then_leaves_in_good_order(play: Callable[..., None]) -> None:
    async def scenario(made: Rig) -> None:
        task = made.start()
        peer = await made.welcomed()
        peer.send(publish("a/b", b"1", 1))
        await made.out.wait_for(1)
        made.feed.stop_reading()
        peer.send(publish("a/b", b"2", 2))
        await asyncio.sleep(0.05)
        made.out.seal()
        leaving = asyncio.create_task(made.feed.disconnect())
        assert await peer.expect(PUBACK) == b"\x00\x01"
        assert await peer.expect(DISCONNECT) == b""
        assert not leaving.done()
        await peer.close()
        await leaving
        await task
        assert len(made.out.messages) == 1

    play(scenario)


def test_leaving_a_broker_that_does_not_answer_takes_no_longer_than_allowed(play: Callable[..., None]) -> None:
    async def scenario(made: Rig) -> None:
        task = made.start()
        await made.welcomed()
        await made.feed.disconnect(0.1)
        await task

    play(scenario)


def test_stopping_ends_the_wait_for_a_broker_that_is_away(play: Callable[..., None]) -> None:
    async def scenario(made: Rig) -> None:
        task = made.start(port=free_port(), backoff=(20.0, 30.0))
        await until(lambda: bool(made.events.troubles))
        made.feed.stop_reading()
        await made.feed.disconnect()
        await asyncio.wait_for(task, 30)

    play(scenario)


def test_a_reconnection_waits_until_most_of_the_old_window_has_a_fate(play: Callable[..., None]) -> None:
    async def scenario(made: Rig) -> None:
        made.start(max_in_flight=4)
        peer = await made.welcomed()
        peer.send(b"".join(publish("a/b", b"%d" % n, n) for n in range(1, 4)))
        await made.out.wait_for(3)
        await peer.close()
        await asyncio.sleep(0.3)
        assert made.peers.empty()
        made.out.seal()
        await made.welcomed(session_present=True)

    play(scenario)


class Broken(Collector):
    def put(self, batch: Batch[Message]) -> None:
        raise RuntimeError(f"planted for {len(batch.items)}")


def test_a_bug_downstream_ends_the_feed_and_is_not_hidden(play: Callable[..., None]) -> None:
    async def scenario(made: Rig) -> None:
        made.out = Broken()
        task = made.start()
        peer = await made.welcomed()
        peer.send(publish("a/b", b"1", 1))
        with pytest.raises(RuntimeError, match="planted"):
            await task

    play(scenario)


def test_failpoints_stand_between_receipt_and_acknowledgement(play: Callable[..., None]) -> None:
    told: list[tuple[str, int]] = []

    async def scenario(made: Rig) -> None:
        made.failpoint = lambda name: told.append((name, len(made.out.messages)))
        made.start()
        peer = await made.welcomed()
        peer.send(publish("a/b", b"1", 1))
        await made.out.wait_for(1)
        made.out.seal()
        await peer.expect(PUBACK)
        assert told == [("after_read", 0), ("before_ack_write", 1)]
        told.clear()

    play(scenario)


class HalfAck:
    armed = "half_ack_write"

    def __init__(self) -> None:
        self.told: list[str] = []

    def __call__(self, name: str) -> None:
        self.told.append(name)


def test_half_an_acknowledgement_write_stops_inside_a_packet(play: Callable[..., None]) -> None:
    failpoint = HalfAck()

    async def scenario(made: Rig) -> None:
        made.start()
        peer = await made.welcomed()
        peer.send(b"".join(publish("a/b", b"%d" % n, n) for n in range(1, 5)))
        await made.out.wait_for(4)
        made.out.seal()
        await until(lambda: "half_ack_write" in failpoint.told)
        assert await asyncio.wait_for(peer.reader.readexactly(16), 30) == puback(1, 2, 3, 4)
        assert failpoint.told[-2:] == ["before_ack_write", "half_ack_write"]

    play(scenario, failpoint=failpoint)


def test_all_filters_go_into_one_packet(play: Callable[..., None]) -> None:
    async def scenario(made: Rig) -> None:
        made.start(subscriptions=(("a/#", 1), ("b/+/c", 0)))
        peer = await made.peer()
        assert await peer.welcome(codes=b"\x01\x00") == b"\x00\x03a/#\x01\x00\x05b/+/c\x00"
        await peer.nothing()

    play(scenario)
