"""What `headrace top` shows: the same figures, in lines that fit, and nothing that a terminal would obey."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from pipeline.__main__ import main
from pipeline.errors import Reason, StartError
from pipeline.page.ask import ask
from pipeline.page.text import lines
from pipeline.silent_device import SilentDevice
from tests.pipeline.page.test_server import TOKEN, serving
from tests.pipeline.page.test_snapshot import told_of_five_messages
from tests.support.headrace import example_config
from tests.support.ports import LOOPBACK, free_port


def test_the_lines() -> None:
    silent = SilentDevice("device", "aq-\x1b[2J", 0, 0, 300.0, "learned")
    told = told_of_five_messages([silent])
    text = "\n".join(lines(told, 200))
    assert "received 5: published 3; in flight 2: every message accounted for" in text
    assert f"1  malformed          {Reason.MALFORMED.explanation}" in text
    assert "city                 connected                 5         0" in text
    assert "device aq-\\x1b[2J: never heard, expected every 300 s (learned)" in text
    assert max(map(len, lines(told, 60))) == 60
    reason = "Feed city is not connected. mqtts://b:8883 cannot be reached: Refused. Check the address, and the broker."
    narrow = lines({**told, "not_ready": [reason]}, 60)
    assert max(map(len, narrow)) == 60
    assert " ".join(narrow[1:3]) == reason


def test_who_is_wrong_and_what_is_late() -> None:
    told = told_of_five_messages()
    [feed] = told["feeds"]
    wrong = [{"count": 3, "reason": "malformed", "topic": "city/aq/\x1b1"}]
    doubtful = [{"quality": "clock", "id": "urn:ngsi-ld:AirQualityObserved:ghent:1"}]
    text = lines({**told, "feeds": [{**feed, "oldest": 4.2}], "wrong": wrong, "doubtful": doubtful}, 200)
    assert text[1] == "A message of feed city has waited for 4.2 s: not confirmed yet."
    at = text.index("WRONG OF LATE")
    assert text[at + 1] == r"        3  malformed          city/aq/\x1b1"
    assert text[at + 2] == "           clock              urn:ngsi-ld:AirQualityObserved:ghent:1"
    assert "WRONG OF LATE" not in lines(told, 200)


def test_it_asks_with_the_token() -> None:
    async def asked() -> None:
        async with serving(lambda: TOKEN) as port:
            assert (await asyncio.to_thread(ask, LOOPBACK, port, TOKEN))["tenant"] == "ghent"
            with pytest.raises(StartError, match="does not take the token"):
                await asyncio.to_thread(ask, LOOPBACK, port, "wrong")

    asyncio.run(asked())


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = example_config("ghent", "mqtt://127.0.0.1:1883", "127.0.0.1:9092")
    file = tmp_path / "city.yaml"

    async def top() -> None:
        async with serving() as port:
            file.write_text(json.dumps({**config, "admin": {"listen": f"{LOOPBACK}:{port}"}}), encoding="utf-8")
            assert await asyncio.to_thread(main, ["top", str(file), "--count", "1"]) == 0
            assert await asyncio.to_thread(main, ["top", str(file), "--count", "2", "--format", "json"]) == 0

    asyncio.run(top())
    text, *documents = capsys.readouterr().out.split("\n\n{")
    assert "Away." in text
    assert len(documents[0].splitlines()) == 2


def test_no_worker_answers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = example_config("ghent", "mqtt://127.0.0.1:1883", "127.0.0.1:9092")
    file = tmp_path / "city.yaml"
    file.write_text(json.dumps({**config, "admin": {"listen": f"{LOOPBACK}:{free_port()}"}}), encoding="utf-8")
    assert main(["top", str(file)]) == 1
    assert "Start it by `headrace run`" in capsys.readouterr().err
    assert main(["top", str(file), "--count", "0"]) == 2
