from __future__ import annotations

from pathlib import Path

import pytest

from connectors.network_servers.loriot import dialect
from pipeline.core.errors import PayloadError, Reason
from tests.connectors.network_servers.messages import ARRIVAL, TIME, changed, event, uplink
from tests.connectors.network_servers.samples import sample


def test_the_published_sample(shared_data: Path) -> None:
    read = uplink(dialect, *sample(shared_data, "loriot/rx-basic"))
    assert (read.device, read.port, read.f_cnt, read.dev_addr) == ("0102030405060708", 1, 1, None)
    assert (read.payload.hex(), read.time, read.receptions()) == ("0102aabb", 1470850675433, ())


def test_the_two_messages_of_one_uplink_have_one_identity() -> None:
    """`rx` comes at once, `gw` with the gateways later: a consumer drops the second by its id."""
    topic, later = changed("loriot")
    _, at_once = changed("loriot", cmd="rx", gws=..., freq=..., dr=..., toa=...)
    first, second = uplink(dialect, topic, at_once), uplink(dialect, topic, later)
    assert (first.device, first.f_cnt, first.port, first.time, first.payload) == (
        second.device,
        second.f_cnt,
        second.port,
        second.time,
        second.payload,
    )
    assert first.receptions() == ()
    [heard] = second.receptions()
    assert (heard.time, heard.location) == (TIME, (1.195898, 48.933865))


def test_an_encrypted_payload_is_refused() -> None:
    topic, message = changed("loriot", data=..., encdata="02300040a0")
    with pytest.raises(PayloadError) as refused:
        uplink(dialect, topic, message)
    assert refused.value.reason is Reason.ENCRYPTED


def test_without_data_it_is_refused() -> None:
    topic, message = changed("loriot", data=...)
    with pytest.raises(PayloadError, match="Expected bytes in hex as data, got nothing") as refused:
        uplink(dialect, topic, message)
    assert refused.value.reason is Reason.PAYLOAD_ERROR


def test_port_zero_is_no_application_data_even_when_it_is_encrypted() -> None:
    assert event(dialect, *changed("loriot", data=..., encdata="02", port=0)).kind == "mac"


def test_a_message_must_say_what_it_is() -> None:
    with pytest.raises(PayloadError, match="Expected cmd"):
        dialect.reader("l")(b'{"EUI": "0102030405060708"}', ARRIVAL)
