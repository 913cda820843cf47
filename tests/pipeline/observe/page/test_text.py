"""What `headrace top` shows: the same figures, in lines that fit, and nothing that a terminal would obey."""

from __future__ import annotations

import asyncio
import json
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

import pytest

from pipeline.__main__ import main
from pipeline.cli.commands.top import lines
from pipeline.core.errors import Reason, StartError
from pipeline.devices.silence import SilentDevice
from pipeline.http.client import fetch_snapshot
from tests.pipeline.observe.page.test_server import TOKEN, serving
from tests.pipeline.observe.page.test_snapshot import told_of_five_messages
from tests.support.headrace import example_config
from tests.support.ports import LOOPBACK, free_port


def test_the_lines() -> None:
    silent = SilentDevice("device", "aq-\x1b[2J", 0, 0, 300.0, "learned")
    told = told_of_five_messages([silent])
    text = "\n".join(lines(told, 200))
    assert "received 5: published 3; in flight 2: every message accounted for" in text
    assert f"1  malformed          {Reason.MALFORMED.explanation}" in text
    assert "city               up               5         0" in text
    assert "device aq-\\x1b[2J: never heard, expected every 300 s (learned)" in text


@pytest.mark.parametrize("width", [60, 80])
def test_every_line_fits_and_nothing_is_cut(width: int) -> None:
    told = told_of_five_messages([SilentDevice("device", "hall-3", 1, 0, 300.0, "learned")])
    reason = "Feed city is not connected. mqtts://b:8883 cannot be reached: Refused. Check the address, and the broker."
    [feed] = told["feeds"]
    large = {**feed, "name": "a-feed-with-a-long-name", "received": 9_999_999_999, "limit": 65_535, "in_flight": 65_535}
    judged = {**told["verdict"], "reasons": [reason]}
    narrow = lines({**told, "verdict": judged, "feeds": [feed, large]}, width)
    assert max(map(len, narrow)) <= width
    said = " ".join(line.strip() for line in narrow)
    assert reason in said
    assert Reason.MALFORMED.explanation in said
    if width == 80:
        assert any(line.endswith("[########] 65,535") for line in narrow)


def test_faults_by_source_with_the_registrys_name() -> None:
    told = told_of_five_messages()
    wrong = [{"count": 3, "reason": "malformed", "topic": "city/aq/\x1b1", "device": "Town hall (aq-1)"}]
    doubtful = [{"quality": "clock", "id": "urn:ngsi-ld:AirQualityObserved:ghent:1", "device": None}]
    text = lines({**told, "wrong": wrong, "doubtful": doubtful}, 200)
    at = text.index("LATEST FAULTS, by source")
    assert text[at + 1] == r"        3  malformed          city/aq/\x1b1  Town hall (aq-1)"
    assert text[at + 2] == "           clock              urn:ngsi-ld:AirQualityObserved:ghent:1"
    assert "LATEST FAULTS, by source" not in lines(told, 200)


def test_it_asks_with_the_token() -> None:
    async def asked() -> None:
        async with serving(lambda: TOKEN) as port:
            assert (await asyncio.to_thread(fetch_snapshot, LOOPBACK, port, TOKEN))["tenant"] == "ghent"
            with pytest.raises(StartError, match="does not take the token"):
                await asyncio.to_thread(fetch_snapshot, LOOPBACK, port, "wrong")

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
    assert "Messages do not all flow.\n- Away." in text
    assert len(documents[0].splitlines()) == 2


def test_a_worker_that_is_restarted_is_waited_for(tmp_path: Path) -> None:
    """Without --count it goes on; what it showed last stays there meanwhile."""
    config = example_config("ghent", "mqtt://127.0.0.1:1883", "127.0.0.1:9092")
    file, port = tmp_path / "city.yaml", free_port()
    file.write_text(json.dumps({**config, "admin": {"listen": f"{LOOPBACK}:{port}"}}), encoding="utf-8")
    command = [sys.executable, "-m", "pipeline", "top", str(file), "--format", "json"]

    async def top() -> None:
        async with serving(port=port):
            told = await asyncio.create_subprocess_exec(*command, stdout=PIPE, stderr=PIPE)
            assert told.stdout is not None
            assert told.stderr is not None
            assert json.loads(await told.stdout.readline())["tenant"] == "ghent"
        assert b"No worker answers" in await told.stderr.readline()
        assert b"Waiting for it." in await told.stderr.readline()
        async with serving(port=port):
            while not told.stdout.at_eof():
                if json.loads(await told.stdout.readline())["tenant"] == "ghent":
                    break
        told.terminate()
        await told.communicate()

    asyncio.run(asyncio.wait_for(top(), 50))


def test_no_worker_answers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = example_config("ghent", "mqtt://127.0.0.1:1883", "127.0.0.1:9092")
    file = tmp_path / "city.yaml"
    file.write_text(json.dumps({**config, "admin": {"listen": f"{LOOPBACK}:{free_port()}"}}), encoding="utf-8")
    assert main(["top", str(file)]) == 1
    assert "Start it by `headrace run`" in capsys.readouterr().err
    assert main(["top", str(file), "--count", "0"]) == 2
