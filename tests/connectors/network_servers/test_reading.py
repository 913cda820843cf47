"""Values of servers' messages: what is taken, what is left out, and what is refused in which words."""

from __future__ import annotations

from collections.abc import Callable
from time import process_time
from timeit import repeat

import pytest

from connectors.network_servers import reading
from pipeline.core.errors import PayloadError, Reason


@pytest.mark.parametrize(("value", "expected"), [(0, 0), ("7", 7), (7.0, 7), ("7.0", 7), (255, 255), (None, None)])
def test_a_port_may_be_a_text_and_absent_is_not_zero(value: object, expected: int | None) -> None:
    assert reading.port(value) == expected


@pytest.mark.parametrize("value", [256, -1, 1.5, "a", True, [], {}, "1_0", "\u0661", float("nan"), 10**400, "9" * 5000])
def test_what_is_no_port_is_refused(value: object) -> None:
    with pytest.raises(PayloadError, match="Expected an FPort from 0 to 255, got "):
        reading.port(value)


def test_a_frame_counter_has_32_bits() -> None:
    assert reading.counter(2**32 - 1) == 2**32 - 1
    with pytest.raises(PayloadError):
        reading.counter(2**32)


@pytest.mark.parametrize(
    ("value", "expected"),
    [("-97.000000", -97.0), (9.5, 9.5), (0, 0), ("unknown", None), (True, None), ("nan", None), ("inf", None)],
)
def test_a_number_may_be_a_text(value: object, expected: float | None) -> None:
    assert reading.number(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2023-12-12T16:05:18.519+01:00", 1702393518519),
        ("2020-07-09T16:06:38.49+02:00", 1594303598490),
        ("2021-05-03T03:24:29Z", 1620012269000),
        ("2026-03-23T07:45:04.526398123Z", 1774251904526),
        (1562591916089, 1562591916089),
        (1586868546, 1586868546000),
        ("1586868546", 1586868546000),
        (0, 0),
        (None, None),
        ("", None),
    ],
)
def test_a_time_has_a_zone_or_counts_from_1970(value: object, expected: int | None) -> None:
    assert reading.time(value, "Time") == expected


@pytest.mark.parametrize("value", ["2023-12-12T16:05:18", 15868685461234, "soon", -1, True, [], {}, 10**30])
def test_what_is_no_time_is_refused_as_such(value: object) -> None:
    with pytest.raises(PayloadError, match="as Time, got ") as refused:
        reading.time(value, "Time")
    assert refused.value.reason is Reason.TIME_INVALID


def test_a_gateways_clock_that_is_wrong_is_no_reason_to_refuse_a_message() -> None:
    assert reading.clock("1970-01-01T00:00:00Z") is None
    assert reading.clock("yesterday") is None
    assert reading.clock("2021-05-03T03:24:29Z") == 1620012269000


def test_bytes_come_in_hex_or_base64() -> None:
    assert reading.hexadecimal("02aB", "data") == b"\x02\xab"
    assert reading.hexadecimal("", "data") == b""
    assert reading.base64("Ag==", "data") == b"\x02"
    assert reading.base64("", "data") == b""
    assert reading.base64(None, "data") == b""


@pytest.mark.parametrize(
    ("take", "value"),
    [
        (reading.hexadecimal, "abc"),
        (reading.hexadecimal, "ab cd"),
        (reading.hexadecimal, None),
        (reading.hexadecimal, 12),
        (reading.hexadecimal, "\uff41\uff42"),
        (reading.base64, "Ag="),
        (reading.base64, "A g=="),
        (reading.base64, "Ag==\n"),
        (reading.base64, "Äg=="),
        (reading.base64, 12),
    ],
)
def test_what_are_no_bytes_is_refused(take: Callable[[object, str], bytes], value: object) -> None:
    with pytest.raises(PayloadError, match="as data, got ") as refused:
        take(value, "data")
    assert refused.value.reason is Reason.PAYLOAD_ERROR


def test_an_address_is_four_bytes_in_hex() -> None:
    assert reading.address("B5A44869") == "b5a44869"
    assert reading.address(None) is None
    others: tuple[object, ...] = ("b5a4486", "b5a4486x", 12345678, [], "b5a4 869")
    for value in others:
        with pytest.raises(PayloadError, match="Expected a DevAddr of 8 hex digits"):
            reading.address(value)


def test_a_place_that_is_unknown_is_none() -> None:
    assert reading.place("1.195898", "48.933865") == (1.195898, 48.933865)
    assert reading.place(1, 2, 0) == (1, 2, 0)
    for unknown in ((0, 0), (None, 5), (181, 5), (5, "x"), (123.0, 123.0)):
        assert reading.place(*unknown) is None


def test_one_object_is_a_list_of_one() -> None:
    assert reading.objects({"a": 1}) == [{"a": 1}]
    assert reading.objects([{"a": 1}, 7, {"b": 2}]) == [{"a": 1}, {"b": 2}]
    assert reading.objects("text") == []


def test_a_battery_has_a_level_only_where_the_device_measured_one() -> None:
    assert reading.battery(254) == {"batteryLevel": 1.0}
    assert reading.battery("127") == {"batteryLevel": 0.5}
    for unknown in (0, 255, None, "x"):
        assert reading.battery(unknown) == {}


def test_keys_and_credentials_are_not_told() -> None:
    message = {"a": [{"AppSKey": "1", "b": 2}], "app_s_key": "3", "joinServerContext": {}, "fCnt": 4}
    assert reading.public(message) == {"a": [{"b": 2}], "fCnt": 4}


def test_a_gateways_name_is_short() -> None:
    assert reading.gateway("roof") == "roof"
    assert reading.gateway("x" * 1025) is None


def test_long_hex_takes_a_few_times_as_long_as_its_decoding() -> None:
    """Five times were measured; 21, where each pair of digits was a group."""
    text = "0" * 250_000

    def cost(work: Callable[[], object]) -> float:
        return min(repeat(work, number=1, repeat=9, timer=process_time))

    assert cost(lambda: reading.hexadecimal(text, "data")) < 12 * cost(lambda: bytes.fromhex(text))
