"""GPS time around the leap seconds, and clocks that nobody has set."""

from datetime import UTC, datetime

import pytest

from connectors.network_servers.gateway_clock import from_gps, plausible

GPS_EPOCH = datetime(1980, 1, 6, tzinfo=UTC)


def gps(text: str, leap_seconds: int) -> int:
    """Return GPS milliseconds of a UTC time, by the leap seconds since 1980 that IERS tells."""
    return round(((datetime.fromisoformat(text) - GPS_EPOCH).total_seconds() + leap_seconds) * 1000)


@pytest.mark.parametrize(
    ("text", "leap_seconds"),
    [
        ("2015-06-30T23:59:59.999+00:00", 16),
        ("2015-07-01T00:00:00+00:00", 17),
        ("2016-12-31T23:59:59.999+00:00", 17),
        ("2017-01-01T00:00:00+00:00", 18),
        ("2026-11-23T04:06:40.833+00:00", 18),
    ],
)
def test_leap_seconds(text: str, leap_seconds: int) -> None:
    assert from_gps(gps(text, leap_seconds)) == round(datetime.fromisoformat(text).timestamp() * 1000)


def test_the_capture_s_own_pair() -> None:
    """One rxpk told both: tmms 1479442018833 and 2026-11-23T04:06:40.833523Z."""
    assert from_gps(1479442018833) == 1795406800833


@pytest.mark.parametrize("ms", [0, 1, -1, 10**15, 10**30])
def test_what_no_set_clock_says(ms: int) -> None:
    assert from_gps(ms) is None


def test_years_before_2015_are_no_time() -> None:
    new_year = round(datetime(2015, 1, 1, tzinfo=UTC).timestamp() * 1000)
    assert plausible(None) is None
    assert plausible(new_year - 1) is None
    assert plausible(new_year) == new_year
