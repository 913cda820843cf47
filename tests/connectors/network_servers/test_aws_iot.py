from __future__ import annotations

from pathlib import Path

import pytest

from connectors.network_servers.aws_iot import dialect
from pipeline.core.errors import PayloadError, Reason
from tests.connectors.network_servers.events import EVENTS
from tests.connectors.network_servers.messages import ARRIVAL, TIME, changed, event, uplink
from tests.connectors.network_servers.samples import sample

RADIO = "WirelessMetadata.LoRaWAN"


def test_the_published_sample_has_a_device_of_15_digits(shared_data: Path) -> None:
    """Its note says so."""
    topic, payload = sample(shared_data, "aws-iot-lorawan/uplink")
    with pytest.raises(PayloadError, match="58a0cb000202c99") as refused:
        dialect.reader(topic)(payload, ARRIVAL)
    assert refused.value.reason is Reason.DEVICE_INVALID


def test_the_published_sample_is_read_but_for_its_device(shared_data: Path) -> None:
    topic, payload = sample(shared_data, "aws-iot-lorawan/uplink")
    read = uplink(dialect, topic, payload.replace(b"58a0cb000202c99", b"58A0CB0000202C99"))
    assert (read.device, read.port, read.f_cnt, read.dev_addr) == ("58a0cb0000202c99", 136, 1, "00b96cd4")
    assert (read.payload.hex(), read.time) == ("09ce3c0000000000000000", 1620012269000)
    assert [each.gateway for each in read.receptions()] == ["80029cfffe5cf1cc"]


def test_the_port_has_two_spellings_and_numbers_may_be_texts() -> None:
    topic, message = changed("aws_iot", RADIO, FPort=..., Fport="2", FCnt="53")
    read = uplink(dialect, topic, message)
    assert (read.port, read.f_cnt) == (2, 53)


def test_public_gateways_are_receptions_too() -> None:
    own, public = uplink(dialect, *changed("aws_iot")).receptions()
    assert (own.gateway, public.gateway, public.rssi) == ("7276ff0039030436", "pg-1", -99)


def test_a_gateway_that_lost_its_connection() -> None:
    told = event(dialect, *EVENTS["aws_iot"][1])
    assert (told.device, told.gateway, told.time) == (None, "7276ff0039030436", TIME)
    assert told.state == {"deviceState": "disconnected"}


def test_a_sidewalk_device_is_none_of_lorawan() -> None:
    with pytest.raises(PayloadError, match=r"Expected an object as WirelessMetadata\.LoRaWAN, got nothing"):
        dialect.reader("t")(b'{"WirelessMetadata": {"Sidewalk": {}}, "PayloadData": ""}', ARRIVAL)


def test_what_is_neither_is_refused() -> None:
    with pytest.raises(PayloadError, match="got neither"):
        dialect.reader("t")(b"{}", ARRIVAL)
