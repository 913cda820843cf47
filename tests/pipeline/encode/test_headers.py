"""`ce_id`, in both directions: different readings never share one, and a reading that is sent again keeps its own."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from struct import pack
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.core.delivery import Message
from pipeline.core.errors import Reason
from pipeline.core.record import Record, decode_headers
from pipeline.encode.dead_letter import DeadLetters
from pipeline.encode.headers import digest_of
from pipeline.normalise.binding import ObservedAt, Source
from pipeline.sdk.connector import FromArrival
from pipeline.tools.replay.session import letter_of
from tests.pipeline.flow import ARRIVAL, READING, Flow, headers_of, path, plan_of
from tests.pipeline.network_flow import NetworkFlow
from tests.pipeline.vendor_flow import TH1, WRAPPED, VendorFlow, wrapped
from tests.support.kafka_client import Consumed

SECOND = ARRIVAL // 1000 - 100
TIMES = st.sampled_from([None, SECOND * 1000, SECOND * 1000 + 1000, 0, ARRIVAL + 9_000_000])
MEASURED: st.SearchStrategy[dict[str, float]] = st.dictionaries(
    st.sampled_from(["temperature", "humidity", "no2"]), st.sampled_from([20.0, 20.1, 21]), min_size=1
)


@st.composite
def plain(draw: st.DrawFn) -> bytes:
    """Make a message of one device whose clock has seconds, is wrong, or is not there."""
    at, measured = draw(TIMES), draw(MEASURED)
    told = {} if at is None else {"ts": at}
    return json.dumps({"device": "aq-0001", "lat": 52.37, "lon": 4.89, **told, **measured}).encode()


def plain_flow() -> Flow:
    observed = ObservedAt(path("ts"), "ms", 3650 * 86_400, optional=True)
    attributes = {name: Source(path(name)) for name in ("temperature", "no2")} | {
        "relativeHumidity": Source(path("humidity"), "%")
    }
    return Flow(plan_of(observed_at=observed, attributes=attributes))


def timed(payload: bytes) -> bool:
    return json.loads(payload).get("ts") in {SECOND * 1000, SECOND * 1000 + 1000}


@settings(max_examples=100)
@given(st.lists(plain(), min_size=1, max_size=12))
def test_each_message_of_a_read_has_an_id_of_its_own_and_a_resend_the_same(payloads: list[bytes]) -> None:
    """Two messages are one reading only if they are equal and the device says when: then the second is a resend."""
    flow = plain_flow()
    ids = [headers_of(record)["ce_id"] for record in flow.put(*payloads)]
    readings = {payload for payload in payloads if timed(payload)}
    others = [payload for payload in payloads if not timed(payload)]
    assert len(ids) == len(payloads)
    assert len(set(ids)) == len(readings) + len(others)
    by_reading = dict(zip(payloads, ids, strict=True))
    resent = {payload: headers_of(plain_flow().put(payload, retained=False)[0])["ce_id"] for payload in readings}
    assert resent == {payload: by_reading[payload] for payload in readings}
    replayed = [headers_of(record)["ce_id"] for record in plain_flow().put(*payloads)]
    assert replayed == ids, "dead letters keep their arrival, and so what they become keeps its ids"


KEPT = st.tuples(st.integers(SECOND, SECOND + 1), st.sampled_from([215, 216]), st.sampled_from([50, 60]))


def weather(records: list[Record]) -> list[Record]:
    """Return the records of readings, without those of their device."""
    return [each for each in records if each.destination.topic == "bench.WeatherObserved.v1"]


@settings(max_examples=100)
@given(st.lists(st.lists(KEPT, min_size=1, max_size=5), min_size=1, max_size=5))
def test_kept_readings_repeat_their_ids_in_whatever_message(messages: list[list[tuple[int, int, int]]]) -> None:
    """A reading is what it says and when; equal ones in one message are told apart, and only there."""
    flow = VendorFlow(WRAPPED)
    found: dict[str, tuple[tuple[int, int, int], int]] = {}
    for readings in messages:
        records = weather(flow.put(wrapped(b"".join(pack(">IhB", *each) for each in readings).hex(), 2)))
        before: Counter[tuple[int, int, int]] = Counter()
        for reading, record in zip(readings, records, strict=True):
            what = reading, before[reading]
            assert found.setdefault(headers_of(record)["ce_id"], what) == what
            before[reading] += 1
    assert len(set(found.values())) == len(found)


TEXTS = st.lists(st.tuples(st.sampled_from(["12:50:00", "12:50:01"]), st.sampled_from(["20", "20.5"])), min_size=1)


@pytest.mark.parametrize("timed", [True, False])
@settings(max_examples=100)
@given(messages=st.lists(TEXTS, min_size=1, max_size=4))
def test_readings_of_a_format_with_times_and_without(messages: list[list[tuple[str, str]]], *, timed: bool) -> None:
    masts: dict[str, Any] = {
        "model": "WeatherObserved",
        "location": [4.89, 52.37],
        "device": {"topic": "device"},
        "attributes": {"temperature": {"field": "t", "unit": "degC"}},
    }
    masts["observed_at"] = {"field": "TimeInstant", "format": "iso"} if timed else "arrival"
    told = [[(f"2026-01-21T{at}Z|" if timed else "") + f"t|{value}" for at, value in each] for each in messages]
    records = VendorFlow(masts, feeds=_of_ultralight()).put(*("#".join(each).encode() for each in told))
    assert len(records) == sum(map(len, told))
    numbered = {(reading, each[:place].count(reading)) for each in told for place, reading in enumerate(each)}
    expected = len(numbered) if timed else len(records)
    assert len({headers_of(record)["ce_id"] for record in records}) == expected


def _of_ultralight() -> dict[str, Any]:
    route = {"topic": "city/th/{device}", "connector": "th", "format": "ultralight"}
    feed = {"kind": "mqtt", "url": "mqtt://127.0.0.1", "client_id": "c", "subscribe": ["city/#"], "routes": [route]}
    return {"city": feed}


def test_a_time_that_wraps_the_readings_is_not_theirs() -> None:
    """Two messages of one second with equal readings, and a counter that tells them apart, are two readings."""
    connector = {**WRAPPED, "observed_at": {"field": "at", "unit": "s"}}
    code = pack(">IhBIhB", SECOND, 215, 60, SECOND, 215, 60).hex()
    first, second = wrapped(code, 2, at=SECOND, count=1), wrapped(code, 2, at=SECOND, count=2)
    flow = VendorFlow(connector)
    ids = [headers_of(record)["ce_id"] for record in weather(flow.put(first, second))]
    assert len(set(ids)) == 4
    assert [headers_of(record)["ce_id"] for record in weather(flow.put(first))] == ids[:2]


def test_equal_payloads_without_a_time_make_devices_of_other_ids_too() -> None:
    flow = VendorFlow({**TH1, "device_interval": "1s"})
    made = flow.put(*map(bytes.fromhex, ("00d73c64", "00d73c63", "00d73c64")))
    ids = [headers_of(record)["ce_id"] for record in made]
    assert len(set(ids)) == len(ids) == 7
    assert {headers_of(record)["ce_idclass"] for record in made} == {"arrival"}, "its decoder says `received_at`"


def test_a_mended_connector_gives_a_message_the_id_it_had() -> None:
    payload = json.dumps(READING).encode()
    one = plan_of(attributes={"temperature": Source(path("temperature"), "degC")})
    ids = {headers_of(record)["ce_id"] for plan in (one, plan_of()) for record in Flow(plan).put(payload)}
    assert len(ids) == 1


STATS = {"rxnb": 1, "rxok": 1}


@pytest.mark.parametrize("stat", [STATS, {**STATS, "time": "2026-01-21 12:53:20 GMT", "lati": 52.0, "long": 4.0}])
def test_events_of_one_read_have_ids_of_their_own(tmp_path: Path, stat: dict[str, Any]) -> None:
    network = NetworkFlow(tmp_path, [], dialect="semtech_udp")
    message = ("0102030405060708/push_data", {"stat": stat})
    ids = [headers_of(record)["ce_id"] for record in network.put(message, message)]
    of_events = [each for each in ids if each.startswith("DeviceEvent:")]
    assert len(set(of_events)) == (1 if "time" in stat else 2), "with a time of its own, the second is a resend"


def test_equal_dead_letters_of_one_read_have_ids_of_their_own_and_are_read_back() -> None:
    letters = DeadLetters("bench", "bench.dead-letter.v1")
    message = Message("city/aq/1", b"{broken", ARRIVAL)
    records = [
        letters.record(message, feed="city", connector="", stage="decode", reason=Reason.MALFORMED, detail="")
        for _ in range(3)
    ]
    pairs = [decode_headers(record.headers) for record in records]
    assert len({dict(each)["ce_id"] for each in pairs}) == 3
    for at, each in enumerate(pairs):
        read = letter_of(Consumed("t", 0, at, b"", message.payload, tuple(each), ARRIVAL))  # type: ignore[arg-type]
        assert read.message == message


def test_a_digest_is_of_what_a_reading_says_in_whatever_order() -> None:
    assert digest_of({"a": 1, "b": [1.5, None]}) == digest_of({"b": [1.5, None], "a": 1})
    assert digest_of({"a": 1}) != digest_of({"a": 2})
    assert digest_of({"a": 2**80}) != digest_of({"a": 2**81})
    assert digest_of({"a": b"\x01"}) != digest_of({"a": b"\x02"})
    assert digest_of({"at": FromArrival(1), "a": 1}) == digest_of({"at": FromArrival(2), "a": 1})
