"""The kinds of value that a configuration holds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config.values import (
    Broker,
    broker,
    check_filter,
    check_pattern,
    field_path,
    seconds,
    size,
    spell_seconds,
    spell_size,
)
from pipeline.core.addresses import host_port, loopback
from pipeline.core.mqtt_topics import covers_some, shape


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("30s", 30),
        ("500ms", 0.5),
        ("5min", 300),
        ("5m", 300),
        ("2h", 7200),
        ("30d", 2_592_000),
        ("1.5 s", 1.5),
        ("0s", 0),
    ],
)
def test_durations(text: str, expected: float) -> None:
    assert seconds(text) == expected


@pytest.mark.parametrize("text", ["30", "", "s", "-1s", "1e3s", "30 sec", "٣s", 30, 1.5, True, None, []])
def test_what_is_no_duration(text: object) -> None:
    with pytest.raises(ValueError, match="with its unit"):
        seconds(text)


@given(st.integers(1, 10**9))
def test_a_spelt_duration_reads_back(milliseconds: int) -> None:
    assert seconds(spell_seconds(milliseconds / 1000)) == pytest.approx(milliseconds / 1000)


@given(st.integers(1, 2**40))
def test_a_spelt_size_reads_back(count: int) -> None:
    assert size(spell_size(count)) == count


@pytest.mark.parametrize("text", ["256", "1.5KiB", "1GB", 256, None])
def test_what_is_no_size(text: object) -> None:
    with pytest.raises(ValueError, match="with its unit"):
        size(text)


def test_addresses() -> None:
    assert host_port("kafka:9092") == ("kafka", 9092)
    assert host_port("[::1]:9092") == ("::1", 9092)
    for text in [
        "kafka",
        ":9092",
        "::1:9092",
        "kafka:",
        "kafka:x",
        "kafka:0",
        "kafka:65536",
        "u@kafka:1",
        "a b:1",
        "k:²",
    ]:
        with pytest.raises(ValueError, match=r"host:port|port: write"):
            host_port(text)


def test_what_stays_in_this_machine() -> None:
    assert all(loopback(host) for host in ["localhost", "LOCALHOST", "127.0.0.1", "127.8.8.8", "::1"])
    assert not any(loopback(host) for host in ["localhost.city.example", "10.0.0.1", "0.0.0.0", "::", "example"])


def test_brokers() -> None:
    assert broker("mqtt://h") == Broker("mqtt", "h", 1883, "")
    assert broker("mqtts://[::1]:8884/") == Broker("mqtts", "::1", 8884, "")
    assert broker("ws://h") == Broker("ws", "h", 80, "/mqtt")
    assert broker("wss://h/a/b") == Broker("wss", "h", 443, "/a/b")
    assert broker("wss://h").encrypted
    assert broker("wss://h").websocket
    assert not broker("mqtt://h").encrypted


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("h:1883", "did you mean `mqtt://`"),
        ("tcp://h", "did you mean `mqtt://`"),
        ("ssl://h", "did you mean `mqtts://`"),
        ("https://h", "did you mean `wss://`"),
        ("amqp://h", "starts with"),
        ("mqtt://u:p@h", "holds a user"),
        ("mqtt://h/city", "has a path"),
        ("mqtt://", "host:port"),
        ("mqtt://h:0", "host:port"),
        ("mqtt://h:x", "port"),
        ("ws://h/p?q=1", "host:port"),
        ("mqtt://[::1", "port"),
    ],
)
def test_what_is_no_broker(url: str, said: str) -> None:
    with pytest.raises(ValueError, match=said.replace("?", r"\?")):
        broker(url)


@pytest.mark.parametrize("text", ["#", "+", "city/#", "+/aq/+", "/", "a//b", "$SYS/#", "$share/g/city/#", "$share/g/#"])
def test_filters(text: str) -> None:
    assert check_filter(text) == text


@pytest.mark.parametrize(
    "text",
    ["", "#/a", "a#", "a/#/b", "a+", "a\x00", "a\nb", "$share/g", "$share//a", "$share/+/a", "$share/g/", "x" * 65_536],
)
def test_what_is_no_filter(text: str) -> None:
    with pytest.raises(ValueError, match=r"^(is no|uses|is a)"):
        check_filter(text)


@pytest.mark.parametrize("text", ["a/{x}", "{x}/{y}/#", "+/{device_1}"])
def test_patterns(text: str) -> None:
    assert check_pattern(text) == text


@pytest.mark.parametrize("text", ["a/x{y}", "{X}", "{}", "{a", "{a}/{a}", "$share/g/a", "#/{a}", ""])
def test_what_is_no_pattern(text: str) -> None:
    with pytest.raises(ValueError, match=r"^(is no|uses|is a|has a)"):
        check_pattern(text)


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("temperature", ("temperature",)),
        ("pm.2_5", ("pm", "2_5")),
        ("values[0].v", ("values", 0, "v")),
        ("a[0][12]", ("a", 0, 12)),
        ('["PM2.5"]', ("PM2.5",)),
        ("air['PM2.5'].value", ("air", "PM2.5", "value")),
        ("$time-utc", ("$time-utc",)),
        ("12", ("12",)),
        ("Air temperature", ("Air temperature",)),
    ],
)
def test_paths(text: str, steps: tuple[str | int, ...]) -> None:
    assert field_path(text).steps == steps


@pytest.mark.parametrize(
    "text", ["", ".", ".a", "a.", "a..b", "a[", "a[x]", "a[-1]", "a]", "[0]", " a", "a[0]b", "a. b", '["""]']
)
def test_what_is_no_path(text: str) -> None:
    with pytest.raises(ValueError, match="is no path"):
        field_path(text)


@pytest.mark.parametrize(
    ("one", "other", "meet"),
    [
        ("city/#", "city/aq/+", True),
        ("city/#", "city", True),
        ("city/aq", "city/aq", True),
        ("city/+", "city/aq/1", False),
        ("city/+/1", "city/aq/+", True),
        ("a/b", "a/c", False),
        ("#", "$SYS/x", False),
        ("$SYS/#", "$SYS/+/y", True),
        ("$share/g/city/#", "city/aq", True),
        ("a/b/#", "a", False),
        ("+", "/a", False),
    ],
)
def test_which_filters_meet(one: str, other: str, *, meet: bool) -> None:
    assert covers_some(one, other) is meet
    assert covers_some(other, one) is meet


def test_a_pattern_is_a_filter() -> None:
    assert shape("city/{kind}/+/#") == "city/+/+/#"
