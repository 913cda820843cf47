from __future__ import annotations

from pathlib import Path

import pytest

from connectors.network_servers.wanesy import dialect
from pipeline.core.errors import PayloadError, Reason
from tests.connectors.network_servers.messages import ARRIVAL, TIME, changed, event, uplink
from tests.connectors.network_servers.samples import sample


def test_the_published_sample_of_a_push(shared_data: Path) -> None:
    read = uplink(dialect, *sample(shared_data, "kerlink-wanesy/dataUp-push-wmc3"))
    assert (read.device, read.port, read.f_cnt, read.dev_addr) == ("343737394a336f09", 2, 6940, "24004f6b")
    assert (read.payload.hex(), read.time) == ("0027800bddfd773b447bf9fede870046", 1562591916089)
    [heard] = read.receptions()
    assert (heard.gateway, heard.rssi, heard.snr, heard.location) == ("7276ff0039030436", -107, -7, None)
    assert read.names().application == "1"


def test_the_published_sample_of_thingparks_conversion(shared_data: Path) -> None:
    read = uplink(dialect, *sample(shared_data, "kerlink-wanesy/dataUp-from-thingpark"))
    assert (read.device, read.port, read.f_cnt, read.time) == ("70b3d5e75e00d57f", 2, 53, TIME)
    assert [each.gateway for each in read.receptions()] == ["3C200E92", "1000027C"]


def test_the_payload_may_be_in_base64() -> None:
    topic, message = changed("wanesy", encodingType="BASE64", payload="AjAAQKA=")
    assert uplink(dialect, topic, message).payload.hex() == "02300040a0"


def test_a_delayed_uplink_was_heard_when_its_gateway_says() -> None:
    topic, message = changed("wanesy", delayed=True, gwRecvTime=TIME - 3_600_000)
    assert uplink(dialect, topic, message).time == TIME - 3_600_000
    assert uplink(dialect, *changed("wanesy", delayed=True)).time == TIME


def test_an_encrypted_payload_is_refused() -> None:
    topic, message = changed("wanesy", encrypted=True)
    with pytest.raises(PayloadError) as refused:
        uplink(dialect, topic, message)
    assert refused.value.reason is Reason.ENCRYPTED


def test_a_push_without_payloads_is_refused_with_what_to_do() -> None:
    topic, message = changed("wanesy", payload=...)
    with pytest.raises(PayloadError, match="Raise the push configuration's level of detail"):
        uplink(dialect, topic, message)


def test_an_uplink_without_port_carries_no_application_data() -> None:
    assert event(dialect, *changed("wanesy", fPort=None, payload=None)).kind == "mac"


def test_without_a_device_it_is_refused() -> None:
    with pytest.raises(PayloadError, match="Expected an object as endDevice, got nothing"):
        dialect.reader("w")(b"{}", ARRIVAL)
