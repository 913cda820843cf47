"""`headrace tail`: what a record looks like, and which topic is meant; the reading itself is tested on a real Kafka."""

import json
from pathlib import Path

import pytest

from pipeline.__main__ import main
from pipeline.core.delivery import Cut, Message
from pipeline.core.errors import Reason
from pipeline.core.record import Record, decode_headers, shortened
from pipeline.encode.dead_letter import DeadLetters
from pipeline.publish.consumer import StoredRecord
from pipeline.tools.tail import Follow, plain, readable
from tests.pipeline.cli.commands.golden_text import EXAMPLE, hold
from tests.pipeline.flow import ARRIVAL, READING, Flow
from tests.pipeline.network_flow import NetworkFlow


def stored(record: Record, offset: int = 7) -> StoredRecord:
    headers = tuple(decode_headers(record.headers))
    destination = record.destination
    return StoredRecord(destination.topic, 2, offset, destination.key, record.value, headers, record.timestamp)


def letter(payload: bytes, topic: str = "city/aq/0001", **keep: object) -> StoredRecord:
    letters = DeadLetters("bench", "bench.dead-letter.v1", **keep)  # type: ignore[arg-type]
    message = Message(topic, payload, ARRIVAL)
    detail = "Expected JSON: unexpected end of data."
    where = {"feed": "city", "connector": "city-aq@1", "stage": "decode", "reason": Reason.MALFORMED}
    return stored(letters.record(message, detail=detail, **where))  # type: ignore[arg-type]


def test_what_a_person_reads() -> None:
    [good] = Flow().put(json.dumps(READING).encode())
    [odd] = Flow().put(json.dumps({**READING, "temperature": 99.5}).encode())
    letters = [letter(b"{bro\x1b[31mken"), letter(b"\xff\xce7"), letter(b"{", keep="hash"), letter(b"x" * 3000)]
    hold("tail.txt", "\n".join(map(readable, [stored(good), stored(odd), *letters])) + "\n")


def test_a_cut_payload_is_shown_as_cut() -> None:
    letters = DeadLetters("bench", "bench.dead-letter.v1")
    about = {"feed": "f", "connector": "", "stage": "s", "reason": Reason.PAYLOAD_TOO_LARGE, "detail": "d"}
    made = letters.record(Message("t", Cut(b'{"t":98', 5_000_000), ARRIVAL), **about)  # type: ignore[arg-type]
    shown = readable(stored(made))
    assert shown.endswith('payload  cut: the first 7 of 5000000 bytes, never replayed: {"t":98')
    assert readable(stored(shortened(made, 0, "X"))).endswith("payload  not kept; it had 5000000 bytes")


def test_what_happened_to_a_device(tmp_path: Path) -> None:
    topic = "application/1/device/0011223344556677/event/join"
    odd = {"devEui": "0011223344556677", "deviceName": "\x1b[2J", "tags": {"long": "x" * 3000}}
    [joined] = NetworkFlow(tmp_path).put((topic, {"deviceInfo": odd, "devAddr": "01ab23cd"}))
    _, event, device, details = readable(stored(joined)).split("\n")
    assert (event, device) == ("    event: join", "    devEui: 0011223344556677")
    assert details.startswith('    details: {"deviceInfo": {"devEui": "0011223344556677", "deviceName": "\\u001b[2J"')
    assert details.endswith("x...")
    assert readable(stored(joined)._replace(value=b"[1]")).endswith("\n    [1]")


def test_what_is_no_record_of_ours() -> None:
    for value in (b"text", b"[1]", b"\xff", None, b'{"a": 1}'):
        record = StoredRecord("t", 0, 0, None, value, (), -1)
        assert readable(record).startswith("-1  t 0@0")
        json.dumps(plain(record))


def test_what_a_program_reads() -> None:
    [good] = Flow().put(json.dumps(READING).encode())
    said = plain(stored(good))
    assert said["value"]["temperature"]["value"] == 21.5
    assert said["headers"]["ce_feed"] == "city"
    assert plain(letter(b"\xff"))["value"] == {"hex": "ff"}
    assert plain(letter(b"{broken"))["value"] == "{broken"


def test_which_records_are_wanted() -> None:
    [good] = Flow().put(json.dumps(READING).encode())
    record = stored(good)
    assert Follow("t").takes(record)
    assert Follow("t", key="aq-0001").takes(record)
    assert Follow("t", key="urn:ngsi-ld:AirQualityObserved:bench:aq-0001").takes(record)
    assert not Follow("t", key="0001").takes(record)


def test_arguments_that_cannot_be_used(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tail", str(EXAMPLE)]) == 2
    assert "AirQualityObserved, bench.AirQualityObserved.v1; or say --dead-letters" in capsys.readouterr().err
    assert main(["tail", "AirQualityObserved", str(EXAMPLE), "--count", "0"]) == 2
    capsys.readouterr()
    assert main(["tail", str(EXAMPLE), "AirQualityObserved"]) == 2
    assert f"The topic comes first: headrace tail AirQualityObserved {EXAMPLE}." in capsys.readouterr().err


def test_options_stand_anywhere(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["A", "--count", "0", str(EXAMPLE)], ["--count", "0", "A", str(EXAMPLE)]):
        assert main(["tail", *arguments]) == 2
        assert "Expected --count of 1 or more, got 0." in capsys.readouterr().err


def test_a_configuration_with_a_network_has_device_events(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "lorawan.yaml"
    assert main(["init", "lorawan", "--output", str(file)]) == 0
    assert main(["tail", str(file)]) == 2
    said = capsys.readouterr().err
    assert ", device-events, " in said
    assert ", city.device-events.v1; or say" in said


def test_kafka_is_not_there(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "city.yaml"
    file.write_text(EXAMPLE.read_text().replace("127.0.0.1:9092", "127.0.0.1:1"))
    assert main(["tail", "AirQualityObserved", str(file)]) == 1
    assert "no process listens there" in capsys.readouterr().err
