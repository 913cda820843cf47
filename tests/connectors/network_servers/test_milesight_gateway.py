from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from connectors.network_servers.milesight_gateway import dialect
from pipeline.core.errors import PayloadError, Reason
from tests.connectors.network_servers.events import EVENTS
from tests.connectors.network_servers.messages import ARRIVAL, DEVICE, TIME, changed, event, uplink
from tests.connectors.network_servers.samples import sample

DECODED = b'{"temperature": 21.5, "time": "noon", "data": 7}'


@pytest.mark.parametrize(
    ("name", "device", "f_cnt", "time"),
    [
        ("uplink", "24e124136b502217", 128, 1672125687078),
        ("uplink-2026-combined", "24e124527f418093", 84, 1774251904526),
    ],
)
def test_the_published_samples(shared_data: Path, name: str, device: str, f_cnt: int, time: int) -> None:
    read = uplink(dialect, *sample(shared_data, f"milesight-gateway-ns/{name}"))
    assert (read.device, read.port, read.f_cnt, read.time, read.dev_addr) == (device, 85, f_cnt, time, None)
    [heard] = read.receptions()
    assert (heard.gateway[:6] in {"24e124", "c0ba1f"}, heard.time, heard.location) == (True, time, None)
    assert read.names().application in {"cloud", "server1"}


@pytest.mark.parametrize(
    "topic",
    [f"milesight/{DEVICE}", f"/uplink/{DEVICE}/decoded", "m/00-11-22-33-44-55-66-77", f"a/ffffffffffffffff/{DEVICE}/b"],
)
def test_with_a_codec_on_the_gateway_the_device_is_in_the_topic(topic: str) -> None:
    read = uplink(dialect, topic, DECODED)
    assert (read.device, read.payload, read.port, read.time) == (DEVICE, b"", None, None)
    assert read.fields == orjson.loads(DECODED)


def test_without_a_device_in_topic_or_body_it_is_refused() -> None:
    with pytest.raises(PayloadError) as refused:
        dialect.reader("milesight/uplink")(DECODED, ARRIVAL)
    assert refused.value.reason is Reason.DEVICE_MISSING


def test_a_codec_may_add_the_device_itself() -> None:
    read = uplink(dialect, "milesight/uplink", {"devEUI": DEVICE, "temperature": 21.5})
    assert (read.device, read.fields) == (DEVICE, {"devEUI": DEVICE, "temperature": 21.5})


def test_the_body_names_the_device_before_the_topic_does() -> None:
    _, message = changed("milesight_gateway")
    assert uplink(dialect, "milesight/ffffffffffffffff", message).device == DEVICE


def test_fields_of_the_message_may_be_switched_off() -> None:
    topic, message = changed("milesight_gateway", fPort=..., fCnt=..., rxInfo=..., txInfo=..., time=...)
    read = uplink(dialect, topic, message)
    assert (read.port, read.f_cnt, read.payload.hex()) == (None, None, "02300040a0")
    assert read.time == TIME // 1000 * 1000  # gatewayTime
    assert read.receptions() == ()


def test_decoded_fields_may_stand_beside_the_payload() -> None:
    read = uplink(dialect, *changed("milesight_gateway", object={"temperature": 21.5}))
    assert (read.fields, read.payload.hex()) == ({"temperature": 21.5}, "02300040a0")


def test_a_device_that_is_offline_says_so_in_its_state() -> None:
    assert event(dialect, *EVENTS["milesight_gateway"][1]).state == {"deviceState": "offline"}
