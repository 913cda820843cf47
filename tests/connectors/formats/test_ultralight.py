"""UltraLight 2.0 against the examples of the IoT agent's manual, and against whatever else may come."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.formats.ultralight import parse
from headrace import PayloadError
from pipeline.core.errors import Reason


@pytest.mark.parametrize(
    ("payload", "readings"),
    [
        (b"t|15|k|abc", [{"t": 15, "k": "abc"}]),
        (b"gps|1.2/3.4#t|10", [{"gps": "1.2/3.4"}, {"t": 10}]),
        (b"2016-06-13T00:35:30Z|lle|100", [{"TimeInstant": "2016-06-13T00:35:30Z", "lle": 100}]),
        (b"t|25|h|42#t|26", [{"t": 25, "h": 42}, {"t": 26}]),
    ],
)
def test_the_examples_of_the_manual(payload: bytes, readings: list[dict[str, object]]) -> None:
    assert parse(payload, 0) == readings


@pytest.mark.parametrize(
    ("written", "value"),
    [("25", 25), ("-2.5", -2.5), ("1e3", 1000.0), ("true", True), ("false", False), ("", ""), ("007", "007"),
     ("nan", "nan"), ("1_000", "1_000"), ("+1", "+1"), ("0x1f", "0x1f"), ("1e999", "1e999")],
)  # fmt: skip
def test_a_value_is_a_number_if_it_is_written_as_one(written: str, value: object) -> None:
    (reading,) = parse(f"x|{written}".encode(), 0)

    assert reading["x"] == value
    assert type(reading["x"]) is type(value)


def test_a_line_end_is_passed_over() -> None:
    assert parse(b"t|25\r\n", 0) == [{"t": 25}]


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        (b"", "expected pairs such as `t|25`, got ''"),
        (b"t", "got 't'"),
        (b"t|25|h", "got 't|25|h'"),
        (b"t|25#", "got ''"),
        (b"t|25|t|26", "expected each name once"),
        (b"|25", "not empty"),
        (b"\xff\xfe", "expected text in UTF-8"),
        (b"station@ping|Ping ok", "a command's answer"),
    ],
)
def test_what_is_no_measure_is_refused_with_a_sentence(payload: bytes, said: str) -> None:
    with pytest.raises(PayloadError) as refusal:
        parse(payload, 0)

    assert said in str(refusal.value)


@settings(max_examples=2000)
@given(payload=st.binary(max_size=60) | st.text("t|#@2016-:TZe.+ ", max_size=40).map(str.encode))
def test_nothing_but_a_refusal_escapes(payload: bytes) -> None:
    try:
        readings = parse(payload, 0)
    except PayloadError as refusal:
        assert str(refusal).startswith("expected ")
    else:
        assert readings
        assert all(readings)


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        (b"#".join([b"t|1"] * 1001), "expected at most 1000 readings in one message, got 1001"),
        (b"|".join(b"%d|1" % at for at in range(5001)), "expected at most 5000 values in one message, got 5001"),
    ],
)
def test_what_holds_too_much_is_refused_before_it_is_read(payload: bytes, said: str) -> None:
    with pytest.raises(PayloadError, match=said) as refused:
        parse(payload, 0)
    assert refused.value.reason is Reason.TOO_EXPENSIVE
    assert parse(payload.rpartition(b"#" if b"#" in payload else b"|5000|")[0], 0)
