"""The feed against a scripted broker: refusals at the start and later, and the filters of a session."""

import json
import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.core.addresses import Tls
from pipeline.core.errors import StartError
from pipeline.feeds.mqtt.options import Trouble
from tests.pipeline.feeds.scripted_broker import (
    UNSUBSCRIBE,
    Rig,
    publish,
    until,
)
from tests.support.log import told
from tests.support.ports import free_port


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
    monkeypatch.setattr("pipeline.feeds.mqtt.feed._ASK_AGAIN_SECONDS", 0.1)

    async def scenario(made: Rig) -> None:
        made.start(subscriptions=(("a/#", 1), ("b/#", 1)))
        await (await made.welcomed(codes=b"\x01\x01")).close()
        peer = await made.welcomed(session_present=True, codes=b"\x01\x80")
        assert await peer.subscribed(b"\x80") == b"\x00\x03b/#\x01"
        assert await peer.subscribed(b"\x01") == b"\x00\x03b/#\x01"
        await peer.nothing(0.3)

    play(scenario)
    assert "refused to subscribe b/#" in told(caplog)


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
    assert told(caplog).count("cannot be reached") == 1


def test_an_unreadable_certificate_ends_the_first_start(play: Callable[..., None], tmp_path: Path) -> None:
    async def scenario(made: Rig) -> None:
        with pytest.raises(StartError, match="certificate file cannot be read"):
            await made.start(tls=Tls(ca_file=tmp_path / "none.pem"))

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
