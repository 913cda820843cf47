"""SenML against the examples of RFC 8428, section 5, and against whatever else may come."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.formats.senml import UNITS, parse
from headrace import PayloadError
from pipeline.core.errors import Reason
from pipeline.models.units import resolve

NOW = 1_769_000_000_000
DEVICE = "urn:dev:ow:10e2073a01080063"


def parsed(pack: Any) -> list[dict[str, Any]]:
    return [dict(reading) for reading in parse(json.dumps(pack).encode(), NOW)]


def test_a_single_data_point() -> None:  # section 5.1.1
    assert parsed([{"n": DEVICE, "u": "Cel", "v": 23.1}]) == [
        {"device": DEVICE, "time": NOW, "values": {"Cel": 23.1}, "units": {"Cel": "degC"}}
    ]


def test_multiple_data_points_at_an_unspecified_time() -> None:  # section 5.1.2
    pack = [
        {"bn": f"{DEVICE}:", "n": "voltage", "u": "V", "v": 120.1},
        {"n": "current", "u": "A", "v": 1.2},
    ]

    assert parsed(pack) == [
        {
            "device": DEVICE,
            "time": NOW,
            "values": {"voltage": 120.1, "current": 1.2},
            "units": {"voltage": "V", "current": "A"},
        }
    ]


def test_multiple_data_points_at_several_times() -> None:  # section 5.1.2
    currents = (1.2, 1.3, 1.4, 1.5, 1.6)
    pack: list[dict[str, Any]] = [
        {
            "bn": "urn:dev:ow:10e2073a0108006:", "bt": 1.276020076001e09, "bu": "A", "bver": 5,
            "n": "voltage", "u": "V", "v": 120.1,
        },
        *({"n": "current", "t": at, "v": value} for at, value in enumerate(currents, -5)),
        {"n": "current", "v": 1.7},
    ]  # fmt: skip

    readings = parsed(pack)

    assert [reading["time"] for reading in readings] == [
        1_276_020_076_001 + 1000 * at for at in (0, -5, -4, -3, -2, -1)
    ]
    assert readings[0]["values"] == {"voltage": 120.1, "current": 1.7}
    assert [reading["values"]["current"] for reading in readings[1:]] == [1.2, 1.3, 1.4, 1.5, 1.6]
    assert readings[0]["units"] == {"voltage": "V", "current": "A"}


def test_multiple_measurements_of_a_thing_that_moves() -> None:  # sections 5.1.3 and 5.1.4
    pack = [
        {"bn": DEVICE, "bt": 1.320067464e09, "bu": "%RH", "v": 20},
        {"u": "lon", "v": 24.30621}, {"u": "lat", "v": 60.07965},
        {"t": 60, "v": 20.3}, {"u": "lon", "t": 60, "v": 24.30622}, {"u": "lat", "t": 60, "v": 60.07965},
        {"t": 120, "v": 20.7}, {"u": "lon", "t": 120, "v": 24.30623}, {"u": "lat", "t": 120, "v": 60.07966},
        {"u": "%EL", "t": 150, "v": 98},
        {"t": 180, "v": 21.2}, {"u": "lon", "t": 180, "v": 24.30628}, {"u": "lat", "t": 180, "v": 60.07967},
    ]  # fmt: skip

    readings = parsed(pack)

    assert {reading["device"] for reading in readings} == {DEVICE}
    assert [(reading["time"] // 1000, reading["values"]) for reading in readings] == [
        (1_320_067_464, {"%RH": 20, "lon": 24.30621, "lat": 60.07965}),
        (1_320_067_524, {"%RH": 20.3, "lon": 24.30622, "lat": 60.07965}),
        (1_320_067_584, {"%RH": 20.7, "lon": 24.30623, "lat": 60.07966}),
        (1_320_067_614, {"%EL": 98}),
        (1_320_067_644, {"%RH": 21.2, "lon": 24.30628, "lat": 60.07967}),
    ]


def test_multiple_data_types() -> None:  # section 5.1.5
    pack = [
        {"bn": f"{DEVICE}:", "n": "temp", "u": "Cel", "v": 23.1},
        {"n": "label", "vs": "Machine Room"},
        {"n": "open", "vb": False},
        {"n": "nfc-reader", "vd": "aGkgCg"},
    ]

    (reading,) = parsed(pack)

    assert reading["values"] == {"temp": 23.1, "label": "Machine Room", "open": False, "nfc-reader": "aGkgCg"}
    assert reading["units"] == {"temp": "degC"}


def test_a_collection_of_resources() -> None:  # section 5.1.6
    pack = [
        {"bn": "2001:db8::2/", "bt": 1.320078429e09, "n": "temperature", "u": "Cel", "v": 25.2},
        {"n": "humidity", "u": "%RH", "v": 30},
        {"bn": "2001:db8::1/", "n": "temperature", "u": "Cel", "v": 12.3},
        {"n": "humidity", "u": "%RH", "v": 67},
    ]

    assert [(reading["device"], reading["values"]) for reading in parsed(pack)] == [
        ("2001:db8::2", {"temperature": 25.2, "humidity": 30}),
        ("2001:db8::1", {"temperature": 12.3, "humidity": 67}),
    ]


def test_base_value_and_base_sum_are_added() -> None:
    pack = [{"bn": "meter/", "bv": 20, "bs": 1000, "bu": "Wh", "n": "e", "v": 1.5, "s": 2}, {"n": "f", "s": 3}]

    (reading,) = parsed(pack)

    assert reading["values"] == {"e": 21.5}
    assert reading["sums"] == {"e": 1002, "f": 1003}
    assert reading["units"] == {"e": "Wh", "f": "Wh"}


def test_a_time_below_2_to_the_28_counts_from_the_arrival() -> None:
    pack = [{"n": "urn:dev:a", "t": -30, "v": 1}, {"n": "urn:dev:b", "t": 2**28, "v": 1}]

    assert [reading["time"] for reading in parsed(pack)] == [NOW - 30_000, 2**28 * 1000]


def test_a_name_twice_at_one_time_is_two_readings() -> None:
    pack = [{"bn": "a/", "n": "x", "v": 1}, {"n": "x", "v": 2}, {"n": "y", "v": 3}]

    assert [reading["values"] for reading in parsed(pack)] == [{"x": 1}, {"x": 2, "y": 3}]


def test_a_name_that_is_no_urn_is_a_values_name() -> None:
    (reading,) = parsed([{"n": "temperature", "v": 23.1}])

    assert (reading["device"], reading["values"], reading["units"]) == (None, {"temperature": 23.1}, {})


def test_a_unit_that_is_not_known_stands_as_it_came() -> None:
    (reading,) = parsed([{"bn": "a/", "n": "speed", "u": "beat/min", "v": 61}])

    assert reading["units"] == {"speed": "beat/min"}


@pytest.mark.parametrize("text", sorted(set(UNITS.values())))
def test_every_unit_is_one_that_an_attribute_takes(text: str) -> None:
    assert resolve(text)


@pytest.mark.parametrize(
    ("pack", "said"),
    [
        ({}, "expected a list of SenML records"),
        ([], "expected a list of SenML records"),
        ([1], "expected an object as record 1, got 1"),
        ([{"v": 1}], "expected a name"),
        ([{"n": "ä", "v": 1}], "expected a name"),
        ([{"n": "-a", "v": 1}], "expected a name"),
        ([{"n": "a", "v": "1"}], 'expected a number in v of record 1, got "1"'),
        ([{"n": "a", "v": True}], "expected a number in v"),
        ([{"n": 1, "v": 1}], "expected a text in n"),
        ([{"n": "a", "vb": 1}], "expected true or false in vb"),
        ([{"n": "a", "v": 1, "vs": "b"}], "expected one value in record 1"),
        ([{"n": "a", "bver": 11, "v": 1}], "expected SenML version 10 at most, got 11"),
        ([{"n": "a", "v": 1, "crit_": 1}], "must-understand"),
        ([{"bn": "a"}], "expected a record with a value"),
        ([{"n": "a", "v": 1e308, "bv": 1e308}], "expected bv and v of record 1 to add up"),
        ([{"n": "a", "v": 1, "t": 1e18}], "expected a time"),
    ],
)
def test_what_is_no_pack_is_refused_with_a_sentence(pack: Any, said: str) -> None:
    with pytest.raises(PayloadError, match=said):
        parsed(pack)


RECORD = st.fixed_dictionaries(
    {},
    optional={
        "bn": st.sampled_from(["a/", "urn:dev:x:", "", 7]),
        "n": st.sampled_from(["t", "h", "urn:dev:y", "", None]),
        "u": st.sampled_from(["Cel", "%RH", "x"]),
        "bu": st.sampled_from(["Cel", 1]),
        "t": st.floats(-1e10, 1e10) | st.integers(-(2**63), 2**64),
        "bt": st.floats(allow_nan=False, allow_infinity=False),
        "v": st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=2),
        "bv": st.floats(allow_nan=False, allow_infinity=False),
        "s": st.integers(-(2**63), 2**64),
        "vs": st.text(max_size=3),
        "vb": st.booleans(),
        "x_": st.none(),
    },
)


@settings(max_examples=1000)
@given(pack=st.lists(RECORD, max_size=6))
def test_nothing_but_a_refusal_escapes_from_records_of_any_kind(pack: list[dict[str, Any]]) -> None:
    try:
        readings = parsed(pack)
    except PayloadError as refusal:
        assert str(refusal).startswith("expected ")
    else:
        values = sum(len(reading["values"]) for reading in readings)
        assert values == sum(any(name in record for name in ("v", "vs", "vb")) for record in pack)


@settings(max_examples=1000)
@given(payload=st.binary(max_size=80))
def test_nothing_but_a_refusal_escapes_from_random_bytes(payload: bytes) -> None:
    with pytest.raises(PayloadError, match=r"^expected "):
        parse(payload, NOW)


def test_a_pack_of_too_many_records_is_too_expensive() -> None:
    pack = [{"bn": "urn:dev:a:", "n": f"q{at % 6}", "u": "Cel", "t": at // 6, "v": at} for at in range(2_001)]
    assert len(parsed(pack[1:])) == 334
    with pytest.raises(PayloadError, match="expected at most 2000 records in one message, got 2001") as refused:
        parsed(pack)
    assert refused.value.reason is Reason.TOO_EXPENSIVE


def test_a_pack_of_too_many_readings_is_stopped_at_the_first_too_many() -> None:
    pack = [{"n": "urn:dev:a", "u": "Cel", "t": at, "v": at} for at in range(1_001)]
    assert len(parsed(pack[1:])) == 1_000
    with pytest.raises(PayloadError, match="expected at most 1000 readings in one message, got 1001") as refused:
        parsed(pack)
    assert refused.value.reason is Reason.TOO_EXPENSIVE


def test_a_name_that_is_longer_than_any_devices_is_refused() -> None:
    """Each record is named by the base name and its own: 128 KB of one took 2.2 s with 8,000 records."""
    assert parsed([{"bn": "b" * 200, "n": "a" * 56, "v": 1}])
    with pytest.raises(PayloadError, match="expected at most 256 characters in bn and n of record 2, got 257"):
        parsed([{"bn": "b" * 200}, {"n": "a" * 57, "v": 1}])
