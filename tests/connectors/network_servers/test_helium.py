from __future__ import annotations

from pathlib import Path

import pytest

from connectors.network_servers.helium import dialect
from pipeline.core.errors import PayloadError, Reason
from tests.connectors.network_servers.messages import DEVICE, TIME, changed, uplink
from tests.connectors.network_servers.samples import sample


def test_the_published_sample_has_no_time_of_ours(shared_data: Path) -> None:
    """Its note says so: 14 digits are no milliseconds since 1970 of these centuries."""
    topic, payload = sample(shared_data, "helium-legacy-console/uplink")
    with pytest.raises(PayloadError, match="as reported_at, got 15868685461234") as refused:
        dialect.reader(topic)(payload, 0)
    assert refused.value.reason is Reason.TIME_INVALID


def test_the_published_sample_is_read_but_for_its_time(shared_data: Path) -> None:
    topic, payload = sample(shared_data, "helium-legacy-console/uplink")
    read = uplink(dialect, topic, payload.replace(b"1586868546123", b"158686854612"))
    assert (read.device, read.dev_addr, read.f_cnt, read.port) == ("1c29fbd1d2084e21", "b5a44869", 19, 1)
    assert read.payload == b"Hello, world!"
    assert [(each.rssi, each.snr) for each in read.receptions()] == [(-54, 9.800000190734863), (-51, 9)]
    assert read.names().name == "Test Me"
    assert read.names().tags == {"DontLabelMe": "7d11aef4-4daf-4caf-b72a-f789b191ebe4"}


def test_a_time_may_be_in_seconds_as_it_was_once() -> None:
    assert uplink(dialect, *changed("helium", reported_at=1586868546)).time == 1586868546000


def test_what_a_function_of_the_console_decoded_are_fields() -> None:
    decoded = {"payload": {"temperature": 21.5}, "status": "success"}
    assert uplink(dialect, *changed("helium", decoded=decoded)).fields == {"temperature": 21.5}
    failed = {"payload": {"temperature": 21.5}, "status": "error"}
    assert uplink(dialect, *changed("helium", decoded=failed)).fields is None
    assert uplink(dialect, *changed("helium", decoded={"payload": [1], "status": []})).fields is None


def test_a_hotspot_knows_where_it_is_or_does_not() -> None:
    [known] = uplink(dialect, *changed("helium")).receptions()
    assert (known.location, known.time) == ((1.195898, 48.933865), TIME)
    spots = [{"id": "a", "lat": "unknown", "long": "unknown"}, {"name": "b"}, {}]
    unknown, named = uplink(dialect, *changed("helium", hotspots=spots)).receptions()
    assert (unknown.location, named.gateway) == (None, "b")


def test_absent_is_not_zero() -> None:
    read = uplink(dialect, *changed("helium", fcnt=0, payload=""))
    assert (read.f_cnt, read.payload) == (0, b"")
    without = uplink(dialect, *changed("helium", fcnt=..., devaddr=..., reported_at=...))
    assert (without.f_cnt, without.dev_addr, without.time) == (None, None, None)
    assert without.device == DEVICE
