from __future__ import annotations

import pytest

from connectors.network_servers.live_objects import dialect
from pipeline.core.errors import PayloadError, Reason
from pipeline.sdk.uplink import Names
from tests.connectors.network_servers.messages import ARRIVAL, DEVICE, TIME, changed, event, say, uplink

RADIO = "metadata.network.lora"


def test_what_the_decoding_service_made_are_fields() -> None:
    read = uplink(dialect, *changed("live_objects", value={"payload": "02300040a0", "temperature": 21.5}))
    assert (read.payload.hex(), read.fields) == ("02300040a0", {"temperature": 21.5})
    read = uplink(dialect, *changed("live_objects", value={"temperature": 21.5}))
    assert (read.payload, read.fields) == (b"", {"temperature": 21.5})


def test_a_value_with_nothing_in_it_is_refused() -> None:
    topic, message = changed("live_objects", value={})
    with pytest.raises(PayloadError, match="got neither"):
        say(dialect, topic, message)


def test_the_device_is_in_the_radio_part_or_in_the_source() -> None:
    topic, message = changed("live_objects", RADIO, devEUI=...)
    assert uplink(dialect, topic, message).device == DEVICE
    del message["metadata"]["source"]
    assert uplink(dialect, topic, message).device == DEVICE
    del message["streamId"]
    with pytest.raises(PayloadError) as refused:
        say(dialect, topic, message)
    assert refused.value.reason is Reason.DEVICE_MISSING


def test_names_are_the_platforms() -> None:
    assert uplink(dialect, *changed("live_objects")).names() == Names(
        name="urn:lo:nsid:lora:0011223344556677", model="lora_v0", application="/", tags={"street": ""}
    )


def test_a_device_of_another_interface_is_none_of_lorawan() -> None:
    with pytest.raises(PayloadError, match=r"Expected an object as metadata\.network\.lora, got nothing"):
        dialect.reader("fifo/a")(b'{"streamId": "a", "metadata": {"connector": "mqtt"}, "value": {}}', ARRIVAL)


def test_without_the_networks_time_the_platforms_counts() -> None:
    assert uplink(dialect, *changed("live_objects", timestamp=...)).time == TIME + 1477


def test_a_message_without_port_carries_no_application_data() -> None:
    assert event(dialect, *changed("live_objects", RADIO, port=...)).kind == "mac"


def test_zero_is_a_counter() -> None:
    assert uplink(dialect, *changed("live_objects", RADIO, fcnt=0)).f_cnt == 0
