from __future__ import annotations

import pytest

from connectors.network_servers.multitech import dialect
from pipeline.core.errors import PayloadError, Reason
from tests.connectors.network_servers.events import EVENTS
from tests.connectors.network_servers.messages import ARRIVAL, DEV_ADDR, DEVICE, TIME, changed, event, say, uplink

GATEWAY_ID = "8ffa106f-c751-cfcd-6300-80918d516837"


@pytest.mark.parametrize(
    "topic",
    [
        "lora/00-11-22-33-44-55-66-77/up",
        "lora/6c-4e-ef-66-f4-79-86-a6/00-11-22-33-44-55-66-77/up",
        "gateway/ConduitBogota/lora/00-11-22-33-44-55-66-77/up",
    ],
)
def test_the_device_stands_before_the_event_in_the_topic(topic: str) -> None:
    _, message = changed("multitech", deveui=...)
    assert uplink(dialect, topic, message).device == DEVICE


def test_a_topic_of_the_operators_own_needs_the_device_in_the_message() -> None:
    _, message = changed("multitech")
    assert uplink(dialect, "devices/gw/messages/events/", message).device == DEVICE
    _, message = changed("multitech", deveui=...)
    with pytest.raises(PayloadError) as refused:
        say(dialect, "devices/gw/messages/events", message)
    assert refused.value.reason is Reason.DEVICE_INVALID


def test_the_address_stands_in_the_frames_header_too() -> None:
    """Older releases have no `devaddr`."""
    assert uplink(dialect, *changed("multitech", devaddr=...)).dev_addr == DEV_ADDR
    assert uplink(dialect, *changed("multitech", devaddr=..., mhdr=...)).dev_addr is None
    assert uplink(dialect, *changed("multitech", devaddr=..., mhdr="40")).dev_addr is None


def test_the_payload_may_be_in_hex() -> None:
    topic, message = changed("multitech", data="02300040a0", **{"data-format": "hexadecimal"})
    assert uplink(dialect, topic, message).payload.hex() == "02300040a0"


def test_a_join_names_its_device_in_the_topic_alone() -> None:
    joined = event(dialect, *EVENTS["multitech"][0])
    assert (joined.kind, joined.device, joined.gateway) == ("join", DEVICE, "00-80")


@pytest.mark.parametrize("payload", [b"", b"null", b"{}"])
@pytest.mark.parametrize("state", ["close", "disconnected", "connected"])
def test_a_gateway_that_comes_or_goes_says_so_without_a_payload(state: str, payload: bytes) -> None:
    told = event(dialect, f"lorawan/{GATEWAY_ID}/{state}", payload)
    assert (told.kind, told.gateway, told.device) == ("gateway_state", GATEWAY_ID, None)
    assert told.state == {"deviceState": state}


def test_a_gateway_without_a_name_is_refused() -> None:
    with pytest.raises(PayloadError) as refused:
        dialect.reader("close")(b"", ARRIVAL)
    assert refused.value.reason is Reason.DEVICE_MISSING


def test_answers_of_a_gateway_are_told_without_their_text() -> None:
    """A log or a configuration may hold keys."""
    told = event(dialect, f"lorawan/{GATEWAY_ID}/api_res", {"result": "appkey=1", "rid": 1})
    assert (told.kind, told.gateway, told.details) == ("integration", GATEWAY_ID, {"rid": 1})


def test_the_gateways_that_start_are_told() -> None:
    told = event(dialect, *EVENTS["multitech"][4])
    assert (told.gateway, told.time) == (GATEWAY_ID, TIME)


def test_an_uplink_without_payload_is_no_message() -> None:
    with pytest.raises(PayloadError) as refused:
        dialect.reader("lora/00-11-22-33-44-55-66-77/up")(b"", ARRIVAL)
    assert refused.value.reason is Reason.MALFORMED
