"""`headrace replay`: what is remembered, which letters can be made again, and what becomes of each."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pipeline import config
from pipeline.__main__ import main
from pipeline.build import options as wiring
from pipeline.core.delivery import INVALID_TOPIC, Broken, Cut, Message
from pipeline.core.errors import Reason, StartError
from pipeline.core.record import Record, decode_headers, shortened
from pipeline.encode.dead_letter import DeadLetters
from pipeline.publish.consumer import StoredRecord
from pipeline.tools.dry_run import DryRunPublisher
from pipeline.tools.replay import ReplayReport, ReplaySelection, text
from pipeline.tools.replay.offsets import Offsets, Replayed
from pipeline.tools.replay.session import Attempts, Letter, letter_of
from tests.pipeline.cli.commands.golden_text import EXAMPLE
from tests.pipeline.flow import ARRIVAL, READING
from tests.pipeline.vendor_flow import TH1, written

GOOD = json.dumps(READING).encode()


def stored(
    payload: bytes = GOOD, *, topic: str = "city/aq/0001", feed: str = "city", keep: str = "full", offset: int = 0
) -> StoredRecord:
    letters = DeadLetters("bench", "bench.dead-letter.v1", keep)  # type: ignore[arg-type]
    made = letters.record(
        Message(topic, payload, ARRIVAL), feed=feed, connector="", stage="route", reason=Reason.NO_ROUTE, detail="No."
    )
    return as_stored(made, offset)


def as_stored(made: Record, offset: int = 0) -> StoredRecord:
    headers = tuple(decode_headers(made.headers))
    return StoredRecord(made.destination.topic, 0, offset, made.destination.key, made.value, headers, made.timestamp)


@given(st.lists(st.integers(0, 40)))
def test_offsets_are_a_set_in_ranges(added: list[int]) -> None:
    offsets = Offsets()
    for offset in added:
        offsets.add(offset)
    assert {offset for offset in range(-1, 42) if offset in offsets} == set(added)
    assert all(first <= last for first, last in offsets.ranges)
    assert all(one[1] + 1 < other[0] for one, other in zip(offsets.ranges, offsets.ranges[1:], strict=False))
    json.loads(json.dumps(offsets.ranges))


def test_what_kafka_no_longer_has_is_forgotten() -> None:
    offsets = Offsets([[0, 4], [6, 9]])
    offsets.clip(8, 12)
    assert offsets.ranges == [[8, 9]]
    offsets.clip(0, 5)
    assert offsets.ranges == []  # the topic was made anew: it has never had offset 9


def test_the_file_outlives_the_process_and_has_one_holder(tmp_path: Path) -> None:
    ends = {0: 10, 1: 10}
    first = Replayed(tmp_path, "t")
    first.open({0: 0, 1: 0}, ends)
    first.add(0, 3)
    first.add(0, 4)
    first.save()
    with pytest.raises(StartError, match="Another replay"):
        Replayed(tmp_path, "t").open({0: 0, 1: 0}, ends)
    first.close()

    second = Replayed(tmp_path, "t")
    second.open({0: 0, 1: 0}, ends)
    assert [(0, 3) in second, (0, 5) in second, (1, 3) in second] == [True, False, False]
    second.close()
    assert (tmp_path / "t.replayed.json").read_text() == '{"0":[[3,4]]}'


def test_a_file_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "t.replayed.json").write_text("[1]")
    with pytest.raises(StartError, match="no list of replayed offsets"):
        Replayed(tmp_path, "t").open({}, {})
    (tmp_path / "file").touch()
    with pytest.raises(StartError, match="cannot be used"):
        Replayed(tmp_path / "file", "t").open({}, {})


def test_a_letter_gives_the_message_that_it_was() -> None:
    assert letter_of(stored()).message == Message("city/aq/0001", GOOD, ARRIVAL)
    assert letter_of(stored(b"")).message == Message("city/aq/0001", b"", ARRIVAL)


@pytest.mark.parametrize(
    "record",
    [
        stored(keep="hash"),
        stored(keep="none"),
        stored(topic="city/\x07"),
        stored(topic="city/" + "x" * 2000),
        StoredRecord("t", 0, 0, b"k", GOOD, (), 0),
    ],
)
def test_what_was_not_kept_cannot_be_made_again(record: StoredRecord) -> None:
    letter = letter_of(record)
    assert letter.message is None
    assert letter.lost


def test_what_was_cut_is_never_replayed() -> None:
    letters = DeadLetters("bench", "bench.dead-letter.v1")
    about: dict[str, Any] = {"feed": "city", "connector": "", "stage": "decode", "detail": "d"}
    cut = letters.record(Message("city/aq/1", Cut(GOOD, 900), ARRIVAL), reason=Reason.PAYLOAD_TOO_LARGE, **about)
    whole = letters.record(Message("city/aq/1", GOOD, ARRIVAL), reason=Reason.PAYLOAD_TOO_LARGE, **about)
    packet = Message(f"{INVALID_TOPIC}city/aq/1", Broken(GOOD, len(GOOD), "its QoS is 3"), ARRIVAL)
    topic = Message(f"{INVALID_TOPIC}city/aq/+", GOOD, ARRIVAL)
    bench = Bench()
    report = bench.put(
        as_stored(cut),
        as_stored(shortened(whole, 40, "RECORD_TOO_LARGE")),
        as_stored(shortened(whole, 0, "RECORD_TOO_LARGE")),
        as_stored(letters.record(packet, reason=Reason.PACKET_INVALID, **about)),
        as_stored(letters.record(topic, reason=Reason.TOPIC_INVALID, **about)),
        as_stored(whole),
    )
    assert (report.published, sum(report.unusable.values()), report.clean) == (1, 5, False)
    assert "2 cannot be replayed: of the payload only the start was kept" in text(report)
    assert bench.done == [(0, 0)]


class Bench:
    """Attempts in front of a publisher of paper."""

    def __init__(self, file: Path = EXAMPLE) -> None:
        self.config = config.load(file, {})
        self.report = ReplayReport("bench.dead-letter.v1", dry_run=False)
        self.records: list[Record] = []
        self.done: list[tuple[int, ...]] = []
        letters = wiring.dead_letters(self.config)
        paper = DryRunPublisher(letters, self.records.append)
        self.attempts = Attempts(self.config, paper, letters, self.report, lambda *place: self.done.append(place))

    def put(self, *records: StoredRecord) -> ReplayReport:
        for record in records:
            self.attempts.put(letter_of(record))
        assert self.attempts.pending == 0
        return self.report


def test_what_becomes_of_letters() -> None:
    bench = Bench()
    report = bench.put(
        stored(offset=0),
        stored(b"{", offset=1),
        stored(topic="city/noise/1", offset=2),
        stored(feed="town", offset=3),
        stored(keep="none", offset=4),
        stored(json.dumps({**READING, "lat": 0, "lon": 0}).encode(), offset=5),
    )
    assert report.published == 1
    assert report.again == {"malformed": 1, "no_route": 1, "location_invalid": 1}
    assert sum(report.unusable.values()) == 2
    assert bench.done == [(0, 0)]  # what failed again may be tried again
    assert len(bench.records) == 1
    assert bench.records[0].timestamp == ARRIVAL
    assert not report.clean
    said = text(report)
    assert "1 came out as records" in said
    assert "1 malformed: Expected JSON" in said
    assert "their feed is no longer in the configuration" in said


def test_what_a_route_ignores_is_done(tmp_path: Path) -> None:
    content = yaml.safe_load(EXAMPLE.read_text())
    content["feeds"]["city"]["routes"].append({"topic": "city/#", "ignore": True})
    file = tmp_path / "city.yaml"
    file.write_text(yaml.safe_dump(content))
    bench = Bench(file)
    assert bench.put(stored(topic="city/debug/1")).filtered == 1
    assert bench.done == [(0, 0)]
    assert "1 filtered" in text(bench.report)


def test_an_old_state_of_a_device_takes_no_newer_ones_place(tmp_path: Path) -> None:
    file = tmp_path / "city.yaml"
    file.write_text(yaml.safe_dump(written({"th": TH1})))
    bench = Bench(file)
    report = bench.put(stored(bytes.fromhex("ffce3764"), topic="city/th/0001"))
    assert report.published == 1
    assert [record.destination.topic for record in bench.records] == ["bench.WeatherObserved.v1"]


def test_room_is_waited_for() -> None:
    async def wait() -> None:
        bench = Bench()
        bench.attempts.pending = 5000
        waiting = asyncio.create_task(bench.attempts.room())
        await asyncio.sleep(0)
        assert not waiting.done()
        bench.attempts.put(letter_of(stored()))
        bench.attempts.pending = 0
        await waiting

    asyncio.run(wait())


def test_which_letters_are_wanted() -> None:
    letter = Letter(0, 0, "city", "no_route", None)
    assert ReplaySelection().takes(letter, 0)
    assert ReplaySelection(reasons=frozenset({"no_route"})).takes(letter, 0)
    assert not ReplaySelection(reasons=frozenset({"malformed"})).takes(letter, 0)
    assert ReplaySelection(since=10).takes(letter, 10)
    assert not ReplaySelection(since=10).takes(letter, 9)


def test_arguments_that_cannot_be_used(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["replay", str(EXAMPLE), "--dead-letters", "--since", "yesterday"]) == 2
    assert "2h, 3d" in capsys.readouterr().err
    for wrong in (["--dead-letters", "--reason", "bad"], []):
        with pytest.raises(SystemExit) as stop:
            main(["replay", str(EXAMPLE), *wrong])
        assert stop.value.code == 2
    file = tmp_path / "city.yaml"
    file.write_text(EXAMPLE.read_text().replace("127.0.0.1:9092", "127.0.0.1:1"))
    for since in ("2h", "2026-01-21T12:00:00Z"):
        assert main(["replay", str(file), "--dead-letters", "--since", since]) == 1
    assert "no process listens there" in capsys.readouterr().err
