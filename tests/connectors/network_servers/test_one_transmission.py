"""One transmission, told by each server, becomes the same uplink; what it tells beside uplinks becomes events."""

from __future__ import annotations

import importlib

import orjson
import pytest

from pipeline.core.errors import PayloadError, Reason
from pipeline.sdk.dialect import Dialect
from tests.connectors.network_servers import messages
from tests.connectors.network_servers.events import EVENTS
from tests.connectors.network_servers.messages import UPLINKS

WITHOUT_DEV_ADDR = {"loriot", "live_objects", "chirpstack_v3"}  # v3's json_v3, that is
SPEAK_PROTOBUF = {"chirpstack", "chirpstack_v3"}
KINDS = {
    "chirpstack": ["join", "status", "ack", "tx_ack", "log", "location", "integration"],
    "chirpstack_v3": ["join", "status", "ack", "tx_ack", "log", "location"],
    "the_things_stack": [
        "join",
        "downlink_queued",
        "downlink_sent",
        "ack",
        "ack",
        "downlink_failed",
        "service",
        "location",
    ],
    "helium": ["join"],
    "thingpark": [
        "location",
        "join",
        "status",
        "log",
        "downlink_sent",
        "downlink_failed",
        "downlink_failed",
        "integration",
    ],
    "loriot": ["downlink_sent", "downlink_queued", "downlink_failed", "integration"],
    "aws_iot": ["join", "gateway_state"],
    "milesight_gateway": ["status", "status", "ack", "downlink_failed", "log"],
    "wanesy": ["downlink_sent", "downlink_failed", "ack", "join", "integration"],
    "tektelic": [],
    "multitech": ["join", "downlink_sent", "ack", "integration", "gateway_state"],
    "live_objects": ["join"],
}


def dialect(name: str) -> Dialect:
    found = importlib.import_module(f"connectors.network_servers.{name}").dialect
    assert isinstance(found, Dialect)
    assert found.name == name
    return found


@pytest.mark.parametrize("name", UPLINKS)
def test_the_same_transmission_is_the_same_uplink(name: str) -> None:
    uplink = messages.uplink(dialect(name), *UPLINKS[name])
    assert uplink.payload == messages.PAYLOAD
    assert (uplink.device, uplink.port, uplink.f_cnt) == (messages.DEVICE, messages.PORT, messages.F_CNT)
    assert uplink.time == messages.TIME
    assert uplink.dev_addr == (None if name in WITHOUT_DEV_ADDR else messages.DEV_ADDR)
    assert uplink.received_at == messages.ARRIVAL
    assert not uplink.raw


@pytest.mark.parametrize("name", set(UPLINKS) - {"live_objects"})
def test_each_gateway_that_heard_it_is_a_reception(name: str) -> None:
    first, *_ = messages.uplink(dialect(name), *UPLINKS[name]).receptions()
    assert (first.rssi, first.snr) == (-83, 9.5)
    others = {"helium": "11KHJW1ePkfhLYptMwKyDzn4opLc62daahbi35uxhH3wwi7p6xr", "thingpark": "3C200E92"}
    assert first.gateway == others.get(name, messages.GATEWAY)


@pytest.mark.parametrize("name", EVENTS)
def test_what_a_server_tells_beside_uplinks_becomes_events(name: str) -> None:
    events = [messages.event(dialect(name), topic, message) for topic, message in EVENTS[name]]
    assert [event.kind for event in events] == KINDS[name]
    for event, (_, message) in zip(events, EVENTS[name], strict=True):
        assert event.device == messages.DEVICE or event.gateway
        if name != "thingpark" or event.kind != "join":
            assert event.details == message


@pytest.mark.parametrize("name", UPLINKS)
def test_port_zero_carries_no_application_data(name: str) -> None:
    topic, message = UPLINKS[name]
    text = orjson.dumps(message)
    changed = text
    for written in (b'"port":2', b'"FPort":2', b'"fPort":2', b'"f_port":2', b'"FPort":"2"'):
        changed = changed.replace(written, written.replace(b"2", b"0"))
    assert changed != text
    event = messages.event(dialect(name), topic, changed)
    assert (event.kind, event.device, event.time) == ("mac", messages.DEVICE, messages.TIME)


@pytest.mark.parametrize("name", sorted(set(UPLINKS) - SPEAK_PROTOBUF))
@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"", Reason.MALFORMED),
        (b"\xff\x00", Reason.MALFORMED),
        (b"[1]", Reason.NOT_AN_OBJECT),
        (b"[" * 5000, Reason.TOO_DEEP),
    ],
)
def test_what_is_no_object_is_refused(name: str, payload: bytes, reason: Reason) -> None:
    with pytest.raises(PayloadError) as refused:
        dialect(name).reader(UPLINKS[name][0])(payload, messages.ARRIVAL)
    assert refused.value.reason is reason


@pytest.mark.parametrize("name", UPLINKS)
def test_a_device_that_is_none_is_refused(name: str) -> None:
    topic, message = UPLINKS[name]
    for written in (b"0011223344556677", b"00-11-22-33-44-55-66-77"):
        changed = orjson.dumps(message).replace(written, b"00112233445566")
        if changed != orjson.dumps(message):
            break
    with pytest.raises(PayloadError) as refused:
        dialect(name).reader(topic)(changed, messages.ARRIVAL)
    assert refused.value.reason is Reason.DEVICE_INVALID
