from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.core.delivery import Message
from pipeline.core.errors import PayloadError, Reason
from pipeline.core.record import decode_headers
from pipeline.encode import FORMS, Form
from pipeline.encode.headers import crc32c, recorded_header
from pipeline.normalise.binding import Fixed, FromTopic, ObservedAt, Position, Source
from pipeline.normalise.plan import Plan
from pipeline.sdk.uplink import Uplink
from tests.pipeline.flow import AIR, ARRIVAL, READING, path, plan_of
from tests.support.records import assert_record

MESSAGE = Message("city/aq/0001", b"", ARRIVAL)
RECORDED = recorded_header(ARRIVAL)
PLAN = plan_of()


def made(plan: Plan, fields: Any, message: Message = MESSAGE) -> tuple[dict[str, Any], dict[str, str]]:
    entity = plan.entity(fields.get("device", "aq-0001"))
    record = plan.normalise(fields, entity, message, recorded_header(message.arrival), crc32c(message.payload))
    pairs = decode_headers(record.headers)
    assert_record(record.value, pairs, entity.key)
    assert (record.destination, record.timestamp, record.message) == (entity, message.arrival, message)
    return json.loads(record.value), {name: text.decode() for name, text in pairs}


def refused(plan: Plan, fields: Any) -> PayloadError:
    with pytest.raises(PayloadError) as caught:
        made(plan, fields)
    return caught.value


def test_the_example_field_by_field() -> None:
    entity, headers = made(PLAN, READING)
    moment = "2026-01-21T12:53:20.000Z"
    measured = {"temperature": (21.5, "CEL"), "relativeHumidity": (0.452, "C62"), "pm10": (12.1, "GQ")}
    measured |= {"pm25": (7.4, "GQ"), "no2": (31.5, "GQ")}
    expected = {
        "id": "urn:ngsi-ld:AirQualityObserved:bench:aq-0001",
        "type": "AirQualityObserved",
        "dateObserved": {"type": "Property", "value": {"@type": "DateTime", "@value": moment}},
        "location": {
            "type": "GeoProperty",
            "value": {"type": "Point", "coordinates": [4.89, 52.37]},
            "observedAt": moment,
        },
    }
    expected |= {
        name: {"type": "Property", "value": value, "unitCode": code, "observedAt": moment}
        for name, (value, code) in measured.items()
    }
    assert {name: entity[name] for name in entity if name != "@context"} == expected
    assert headers["ce_id"] == "AirQualityObserved:aq-0001:1769000000000-200000000", "the digest of no payload is 0"
    assert (headers["ce_time"], headers["ce_recordedtime"]) == (moment, "2026-01-21T12:53:21.000Z")
    assert (headers["ce_source"], headers["ce_connector"]) == ("/tenants/bench", "city-aq@0a1b2c3d")
    assert "ce_quality" not in headers
    assert "ce_idclass" not in headers


@pytest.mark.parametrize("form", FORMS)
def test_the_expected_reading_takes_the_fast_path(form: Form) -> None:
    plan = plan_of(encoder=FORMS[form])
    assert plan.fast(READING, plan.entity("aq-0001"), MESSAGE, RECORDED, 0) is not None


NUMBERS: st.SearchStrategy[Any] = st.one_of(
    st.floats(allow_nan=True, allow_infinity=True),
    st.floats(min_value=-100, max_value=200).map(lambda number: round(number, 1)),
    st.integers(min_value=-(2**64), max_value=2**70),
    st.sampled_from([None, True, "21.5", [], {}, 0, -0.0, 1e-7, 1e12, 45.3, 100, 100.00001]),
)
TIMES: st.SearchStrategy[Any] = st.one_of(
    st.integers(min_value=ARRIVAL - 10**12, max_value=ARRIVAL + 10**9), st.sampled_from([None, 0, 1.5e12, "x", True])
)
VARIED = st.fixed_dictionaries(
    {"ts": TIMES},
    optional=dict.fromkeys(("temperature", "humidity", "pm10", "pm25", "no2", "lat", "lon", "battery"), NUMBERS),
)


def in_every_form(**changes: Any) -> list[Plan]:
    return [plan_of(encoder=encoder, **changes) for encoder in FORMS.values()]


PLANS = {
    "example": in_every_form(),
    "seconds": in_every_form(observed_at=ObservedAt(path("ts"), "s", 3650 * 86_400)),
    "fixed place": in_every_form(location=Fixed((4.89, 52.37))),
    "offset conversion": in_every_form(attributes={"temperature": Source(path("temperature"), "degF")}),
    "integer": in_every_form(attributes={"tpc": Source(path("pm10"), "1/m3"), "airQualityIndex": Source(path("pm25"))}),
}


@pytest.mark.parametrize("name", list(PLANS))
@settings(max_examples=400)
@given(changes=VARIED, digest=st.integers(0, 2**32 - 1))
def test_the_fast_path_gives_what_the_careful_one_gives(name: str, changes: dict[str, Any], digest: int) -> None:
    fields = {**READING, **changes}
    for plan in PLANS[name]:
        entity = plan.entity("aq-0001")
        fast = plan.fast(fields, entity, MESSAGE, RECORDED, digest)
        if fast is not None:
            assert fast == plan.carefully(fields, entity, MESSAGE, RECORDED, digest)


UPLINK = Uplink(b"\x01", 2, received_at=ARRIVAL - 500, time=ARRIVAL - 500, dev_addr="01ab23cd", f_cnt=7)
UPLINKS = st.builds(
    Uplink,
    st.binary(max_size=4),
    st.integers(1, 255),
    time=st.none() | st.integers(min_value=ARRIVAL - 10**10, max_value=ARRIVAL + 10**7),
    dev_addr=st.sampled_from([None, "01ab23cd", "00000001"]),
    f_cnt=st.none() | st.integers(0, 2**32 - 1),
)
UPLINK_PLANS = {
    "fixed place": in_every_form(location=Fixed((4.89, 52.37)), observed_at=None),
    "place in the payload": in_every_form(observed_at=None),
    "own time, sometimes": in_every_form(observed_at=ObservedAt(path("ts"), "ms", 3650 * 86_400, optional=True)),
}


def test_the_expected_uplink_takes_the_fast_path() -> None:
    for plan in UPLINK_PLANS["fixed place"]:
        record = plan.fast_uplink(READING, plan.entity("aq-0001"), MESSAGE, RECORDED, UPLINK)
        assert record is not None
        assert dict(decode_headers(record.headers))["ce_id"] == b"AirQualityObserved:aq-0001:01ab23cd-7-2"


@pytest.mark.parametrize("name", list(UPLINK_PLANS))
@settings(max_examples=400)
@given(uplinks=st.lists(UPLINKS, min_size=1, max_size=3), changes=VARIED)
def test_the_fast_path_of_uplinks_gives_what_the_careful_one_gives(
    name: str, uplinks: list[Uplink], changes: dict[str, Any]
) -> None:
    fields = {**READING, **changes}
    if changes["ts"] is None:
        del fields["ts"]
    for plan in UPLINK_PLANS[name]:
        entity = plan.entity("aq-0001")
        for uplink in uplinks:  # of one entity, whose names have ever other lengths
            uplink.received_at = ARRIVAL if uplink.time is None else uplink.time
            fast = plan.fast_uplink(fields, entity, MESSAGE, RECORDED, uplink)
            if fast is not None:
                assert fast == plan.carefully(fields, entity, MESSAGE, RECORDED, 0, uplink=uplink)


@pytest.mark.parametrize(
    ("changes", "flags", "gone"),
    [
        ({"pm10": -1}, "out_of_bounds:pm10", "pm10"),
        ({"humidity": 130}, "out_of_bounds:relativeHumidity", "relativeHumidity"),
        ({"pm25": "12"}, "type:pm25", "pm25"),
        ({"no2": float("inf")}, "type:no2", "no2"),
        ({"no2": 10**400}, "type:no2", "no2"),
        ({"pm10": None}, None, "pm10"),
        ({"temperature": 99.0}, "implausible:temperature", None),
        ({"temperature": 99, "no2": True}, "implausible:temperature,type:no2", "no2"),
    ],
)
def test_quality_is_told_in_a_header_and_the_entity_stays_pure(
    changes: dict[str, Any], flags: str | None, gone: str | None
) -> None:
    entity, headers = made(PLAN, {**READING, **changes})
    assert headers.get("ce_quality") == flags
    assert gone is None or gone not in entity
    assert len(entity) == 10 - (gone is not None)


@pytest.mark.parametrize("ts", [ARRIVAL + 7_200_000, ARRIVAL + 300_001, ARRIVAL - 3651 * 86_400_000, 0])
def test_a_wrong_clock_is_replaced_by_arrival_and_flagged(ts: int) -> None:
    entity, headers = made(plan_of(), {**READING, "ts": ts})
    assert entity["dateObserved"]["value"]["@value"] == entity["pm10"]["observedAt"] == "2026-01-21T12:53:21.000Z"
    assert headers["ce_quality"] == "clock"
    assert (headers["ce_id"], headers["ce_idclass"]) == (f"AirQualityObserved:aq-0001:{ARRIVAL}-200000000", "arrival")


@pytest.mark.parametrize(
    ("form", "value", "moment"),
    [
        ("iso", "2026-01-21T12:53:20Z", "2026-01-21T12:53:20.000Z"),
        ("iso", "2026-01-21T13:53:20.123456789+01:00", "2026-01-21T12:53:20.123Z"),
        ("s", 1769000000, "2026-01-21T12:53:20.000Z"),
        ("s", 1769000000.25, "2026-01-21T12:53:20.250Z"),
        ("us", 1769000000250000, "2026-01-21T12:53:20.250Z"),
        ("ns", 1769000000250000000, "2026-01-21T12:53:20.250Z"),
    ],
)
def test_times_in_every_form(form: str, value: Any, moment: str) -> None:
    entity, _ = made(plan_of(observed_at=ObservedAt(path("ts"), form, 3650 * 86_400)), {**READING, "ts": value})
    assert entity["dateObserved"]["value"]["@value"] == moment


@pytest.mark.parametrize(
    ("form", "value"), [("ms", None), ("ms", "soon"), ("ms", True), ("iso", "2026-01-21T12:53:20")]
)
def test_a_time_that_is_none_refuses_the_reading(form: str, value: Any) -> None:
    refusal = refused(plan_of(observed_at=ObservedAt(path("ts"), form)), {**READING, "ts": value})
    assert refusal.reason is Reason.TIME_INVALID
    assert "ts" in str(refusal)


def test_two_readings_of_one_read_have_two_ids() -> None:
    plan = plan_of(observed_at=None)
    ids = {made(plan, READING, MESSAGE._replace(payload=payload))[1]["ce_id"] for payload in (b"one", b"two")}
    assert len(ids) == 2


def test_arrival_is_the_time_where_the_payload_has_none() -> None:
    entity, headers = made(plan_of(observed_at=None), READING)
    assert entity["dateObserved"]["value"]["@value"] == "2026-01-21T12:53:21.000Z"
    assert headers["ce_idclass"] == "arrival"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"lat": None, "lon": None}, Reason.LOCATION_MISSING),
        ({"lat": None}, Reason.LOCATION_INVALID),
        ({"lat": 0.0, "lon": 0.0}, Reason.LOCATION_INVALID),
        ({"lat": 95.0}, Reason.LOCATION_INVALID),
        ({"lon": "4.89"}, Reason.LOCATION_INVALID),
    ],
)
def test_a_location_that_is_none_refuses_the_reading(changes: dict[str, Any], reason: Reason) -> None:
    assert refused(PLAN, {**READING, **changes}).reason is reason


def test_altitude_is_a_third_coordinate() -> None:
    plan = plan_of(location=Position(path("lon"), path("lat"), path("alt")))
    entity, _ = made(plan, {**READING, "alt": 12})
    assert entity["location"]["value"]["coordinates"] == [4.89, 52.37, 12.0]


def test_nothing_left_and_nothing_there_are_told_apart() -> None:
    names = ("temperature", "humidity", "pm10", "pm25", "no2")
    nothing_left = refused(PLAN, {**READING, **dict.fromkeys(names, float("inf"))})
    assert nothing_left.reason is Reason.OUT_OF_BOUNDS
    assert "relativeHumidity a number from 0 up to 1 (C62)" in str(nothing_left)

    nothing_there = refused(PLAN, {name: value for name, value in READING.items() if name not in names})
    assert nothing_there.reason is Reason.NOTHING_MEASURED
    assert "temperature, humidity, pm10" in str(nothing_there)


@pytest.mark.parametrize(
    ("name", "key"),
    [("aq-0001", "aq-0001"), (17, "17"), ("a:b/c", "a%3Ab%2Fc"), ("a%3Ab", "a%253Ab"), ("Gent Süd", "Gent%20S%C3%BCd")],
)
def test_device_names_are_encoded_so_that_two_never_meet(name: Any, key: str) -> None:
    entity, headers = made(PLAN, {**READING, "device": name})
    assert entity["id"] == headers["ce_subject"] == f"urn:ngsi-ld:AirQualityObserved:bench:{key}"
    assert headers["ce_id"] == f"AirQualityObserved:{key}:1769000000000-200000000"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        (None, Reason.DEVICE_MISSING),
        ("", Reason.DEVICE_MISSING),
        (True, Reason.DEVICE_INVALID),
        (1.8446744073709552e19, Reason.DEVICE_INVALID),
        ({}, Reason.DEVICE_INVALID),
        ("a\x00b", Reason.DEVICE_INVALID),
        ("x" * 201, Reason.DEVICE_INVALID),
    ],
)
def test_names_that_are_none(name: Any, reason: Reason) -> None:
    with pytest.raises(PayloadError) as caught:
        PLAN.entity(name)
    assert caught.value.reason is reason


def test_a_noise_level_has_a_beginning_and_an_end() -> None:
    noise = replace(
        AIR,
        name="noise",
        model="NoiseLevelObserved",
        device=FromTopic("device"),
        period=900.0,
        attributes={"LAeq": Source(path("laeq"), "dBA")},
    )
    entity, _ = made(plan_of(noise), {**READING, "laeq": 61})
    assert entity["dateObservedFrom"]["value"]["@value"] == "2026-01-21T12:38:20.000Z"
    assert entity["dateObservedTo"]["value"]["@value"] == "2026-01-21T12:53:20.000Z"
    assert entity["LAeq"]["value"] == 61.0


@pytest.mark.parametrize(("degrees", "expected"), [(350.0, -10.0), (-170.0, -170.0), (180.0, 180.0)])
def test_an_angle_turns_into_the_range_of_its_model(degrees: float, expected: float) -> None:
    entity, headers = made(
        plan_of(attributes={"windDirection": Source(path("wind"), "deg")}), {**READING, "wind": degrees}
    )
    assert entity["windDirection"]["value"] == expected
    assert "ce_quality" not in headers


def test_a_trace_context_travels_on() -> None:
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    _, headers = made(PLAN, READING, MESSAGE._replace(traceparent=parent))
    assert headers["traceparent"] == parent
