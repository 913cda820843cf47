"""The feed against a scripted broker, on both event loops."""

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.delivery import Batch, Fate
from pipeline.errors import StartError
from pipeline.feeds.mqtt_options import MqttTls, Trouble
from pipeline.message import Message
from tests.pipeline.feeds.scripted_broker import (
    DISCONNECT,
    LOOPS,
    PINGREQ,
    PINGRESP,
    PUBACK,
    PUBCOMP,
    PUBREC,
    UNSUBSCRIBE,
    Collector,
    Rig,
    payloads,
    puback,
    publish,
    rig,
    until,
)
from tests.support.ports import free_port

Scenario = Callable[[Rig], Awaitable[None]]


@pytest.fixture(params=LOOPS, ids=["asyncio", "uvloop"])
def play(request: pytest.FixtureRequest) -> Callable[..., None]:
    def run(scenario: Scenario, **options: Any) -> None:
        async def main() -> None:
            async with asyncio.timeout(30), rig(**options) as made:
                await scenario(made)

        request.param(main())

    return run


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
        assert await asyncio.wait_for(peer.reader.readexactly(8), 5) == puback(1, 7)
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
        assert await asyncio.wait_for(peer.reader.readexactly(48), 5) == puback(*range(1, 13))
        assert payloads(made.out.messages) == [b"%d" % n for n in range(1, 13)]
        assert made.events.batches == [5, 5, 2]

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
        made.start(keepalive=1)
        peer = await made.welcomed()
        began = asyncio.get_running_loop().time()
        await peer.expect(PINGREQ)
        await made.welcomed(session_present=True)
        assert 1.0 < asyncio.get_running_loop().time() - began < 1.6
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
        peer.send(publish("a/b", b"good", 1) + b"\x32\x05\x00\x09abc")
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


def test_a_refused_filter_ends_the_first_start_with_a_sentence(play: Callable[..., None]) -> None:
    async def scenario(made: Rig) -> None:
        task = made.start(subscriptions=(("a/#", 1), ("secret/#", 1)))
        await made.welcomed(codes=b"\x01\x80")
        with pytest.raises(StartError, match=r"refused to subscribe secret/#\. Check the broker's access rules"):
            await task

    play(scenario)


def test_a_filter_that_is_refused_later_is_logged_and_asked_again(
    play: Callable[..., None], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.feeds.mqtt._ASK_AGAIN_SECONDS", 0.1)

    async def scenario(made: Rig) -> None:
        made.start(subscriptions=(("a/#", 1), ("b/#", 1)))
        await (await made.welcomed(codes=b"\x01\x01")).close()
        peer = await made.welcomed(session_present=True, codes=b"\x01\x80")
        assert await peer.subscribed(b"\x80") == b"\x00\x03b/#\x01"
        assert await peer.subscribed(b"\x01") == b"\x00\x03b/#\x01"
        await peer.nothing(0.3)

    play(scenario)
    assert "refused to subscribe b/#" in caplog.text


@pytest.mark.parametrize(("code", "reason"), [(1, "protocol version"), (4, "user name or password"), (5, "authorized")])
def test_a_refused_connection_ends_the_first_start_with_a_sentence(
    play: Callable[..., None], code: int, reason: str
) -> None:
    async def scenario(made: Rig) -> None:
        task = made.start(username="me", password=lambda: "secret")
        peer = await made.peer()
        assert b"\x00\x02me\x00\x06secret" in (await peer.packet())[1]
        peer.send(b"\x20\x02\x00" + bytes((code,)))
        await peer.close()
        with pytest.raises(StartError, match=rf"Feed test: mqtt://.* refused client id .* user me: .*{reason}.*Check"):
            await task

    play(scenario)


def test_later_the_same_refusal_is_tried_again_with_the_password_as_it_is_then(play: Callable[..., None]) -> None:
    async def scenario(made: Rig) -> None:
        passwords = iter(["first", "second", "third"])
        made.start(username="me", password=lambda: next(passwords))
        await (await made.welcomed()).close()
        peer = await made.peer()
        assert (await peer.packet())[1].endswith(b"second")
        peer.send(b"\x20\x02\x00\x05")
        peer = await made.peer()
        assert (await peer.packet())[1].endswith(b"third")
        assert made.events.troubles == [Trouble.CLOSED, Trouble.REFUSED]

    play(scenario)


def test_an_unavailable_broker_is_tried_again_even_at_first(play: Callable[..., None]) -> None:
    async def scenario(made: Rig) -> None:
        made.start()
        peer = await made.peer()
        peer.send(b"\x20\x02\x00\x03")
        await made.welcomed()
        assert made.events.troubles == [Trouble.REFUSED]

    play(scenario)


def test_a_broker_that_is_not_there_is_tried_again_and_said_once(
    play: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario(made: Rig) -> None:
        task = made.start(port=free_port())
        await until(lambda: len(made.events.troubles) >= 5)
        assert not task.done()
        assert set(made.events.troubles) == {Trouble.UNREACHABLE}

    with caplog.at_level(logging.WARNING):
        play(scenario)
    assert [record.message for record in caplog.records if "cannot be reached" in record.message][1:] == []


def test_an_unreadable_certificate_ends_the_first_start(play: Callable[..., None], tmp_path: Path) -> None:
    async def scenario(made: Rig) -> None:
        with pytest.raises(StartError, match="certificate file cannot be read"):
            await made.start(tls=MqttTls(ca_file=tmp_path / "none.pem"))

    play(scenario)


def test_filters_of_an_earlier_life_are_unsubscribed(play: Callable[..., None], tmp_path: Path) -> None:
    file = tmp_path / "state" / "city.json"

    async def scenario(made: Rig) -> None:
        file.unlink(missing_ok=True)
        made.start(state_file=file, subscriptions=(("a/#", 1), ("$share/g/b/#", 1)))
        await made.welcomed(codes=b"\x01\x01")
        await made.end()
        assert json.loads(file.read_text())["filters"] == ["$share/g/b/#", "a/#"]

        made.start(state_file=file)
        peer = await made.peer()
        await peer.welcome(session_present=True)
        body = await peer.expect(UNSUBSCRIBE)
        assert body[2:] == b"\x00\x0c$share/g/b/#"
        peer.send(b"\xb0\x02" + body[:2] + publish("b/1", b"of the old filter", 3))
        await made.out.wait_for(1)
        await until(lambda: json.loads(file.read_text())["filters"] == ["a/#"])
        await made.end()

        made.start(state_file=file, subscriptions=(("c/#", 1),))
        await made.welcomed(session_present=False)
        assert made.events.sessions_lost == 1

    play(scenario)


def test_a_state_file_of_another_session_or_with_nonsense_is_ignored(play: Callable[..., None], tmp_path: Path) -> None:
    file = tmp_path / "city.json"

    async def scenario(made: Rig) -> None:
        for content in ('{"broker": "x:1", "client_id": "y", "filters": ["z"]}', "[1, 2", "{}", "3"):
            file.write_text(content)
            made.start(state_file=file)
            peer = await made.welcomed(session_present=True)
            await peer.nothing(0.05)
            await made.end()

    play(scenario)


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
        await asyncio.wait_for(task, 1)

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
        assert await asyncio.wait_for(peer.reader.readexactly(16), 5) == puback(1, 2, 3, 4)
        assert failpoint.told[-2:] == ["before_ack_write", "half_ack_write"]

    play(scenario, failpoint=failpoint)


def test_all_filters_go_into_one_packet(play: Callable[..., None]) -> None:
    async def scenario(made: Rig) -> None:
        made.start(subscriptions=(("a/#", 1), ("b/+/c", 0)))
        peer = await made.peer()
        assert await peer.welcome(codes=b"\x01\x00") == b"\x00\x03a/#\x01\x00\x05b/+/c\x00"
        await peer.nothing()

    play(scenario)
