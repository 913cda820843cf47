from __future__ import annotations

from pathlib import Path

import pytest

from connectors.network_servers.thingpark import dialect
from pipeline.core.errors import PayloadError, Reason
from pipeline.sdk.uplink import Names
from tests.connectors.network_servers.events import EVENTS
from tests.connectors.network_servers.messages import ARRIVAL, TIME, changed, event, uplink
from tests.connectors.network_servers.samples import sample


def test_the_published_sample(shared_data: Path) -> None:
    read = uplink(dialect, *sample(shared_data, "actility-thingpark/DevEUI_uplink"))
    assert (read.device, read.port, read.f_cnt, read.dev_addr) == ("70b3d5e75e00d57f", 2, 53, "04d2848e")
    assert (read.payload.hex(), read.time) == ("02300040a0", TIME)
    best, other = read.receptions()
    assert (best.gateway, best.rssi, best.snr, best.location) == ("3C200E92", -83, 9.5, (1.195898, 48.933865))
    assert (other.gateway, other.rssi, other.snr, other.location) == ("1000027C", -89, 6.75, None)


def test_without_a_list_the_best_gateway_is_the_one() -> None:
    [heard] = uplink(dialect, *changed("thingpark", "DevEUI_uplink", Lrrs=...)).receptions()
    assert (heard.gateway, heard.rssi, heard.snr) == ("3C200E92", -83, 9.5)


def test_names_pick_a_connector() -> None:
    assert uplink(dialect, *changed("thingpark")).names() == Names(
        name="th-17", brand="acme", model="th-1", profile="ABEE/APY", application="199983788"
    )


def test_what_a_driver_decoded_are_fields() -> None:
    read = uplink(dialect, *changed("thingpark", "DevEUI_uplink", payload={"temperature": 21.5}))
    assert read.fields == {"temperature": 21.5}
    assert read.payload.hex() == "02300040a0"


@pytest.mark.parametrize("mark", [1, "1"])
def test_a_payload_that_is_still_encrypted_is_refused(mark: object) -> None:
    topic, message = changed("thingpark", "DevEUI_uplink", payload_encryption=mark)
    with pytest.raises(PayloadError) as refused:
        uplink(dialect, topic, message)
    assert refused.value.reason is Reason.ENCRYPTED


@pytest.mark.parametrize("mark", [0, "0", None, []])
def test_a_payload_that_is_decrypted_is_taken(mark: object) -> None:
    assert uplink(dialect, *changed("thingpark", "DevEUI_uplink", payload_encryption=mark)).port == 2


def test_an_uplink_without_port_carries_no_application_data() -> None:
    assert event(dialect, *changed("thingpark", "DevEUI_uplink", FPort=..., payload_hex=...)).kind == "mac"


def test_an_uplink_with_a_port_may_be_empty() -> None:
    assert uplink(dialect, *changed("thingpark", "DevEUI_uplink", payload_hex=...)).payload == b""


def test_a_location_tells_where_the_device_is() -> None:
    assert event(dialect, *EVENTS["thingpark"][0]).location == (4.489303, 51.907218, 0.0)


def test_a_join_does_not_tell_the_key() -> None:
    joined = event(dialect, *EVENTS["thingpark"][1])
    assert joined.time == TIME
    assert "c0ffee" not in str(joined.details)


def test_the_status_tells_the_battery() -> None:
    assert event(dialect, *EVENTS["thingpark"][2]).state == {"batteryLevel": 0.5}


def test_a_notification_of_another_type_is_told_too() -> None:
    told = event(dialect, "t", {"DevEUI_notification": {"DevEUI": "0011223344556677", "Type": "new"}})
    assert (told.kind, told.device) == ("integration", "0011223344556677")


def test_what_is_no_report_is_refused() -> None:
    with pytest.raises(PayloadError, match="Expected a report of ThingPark"):
        dialect.reader("t")(b"{}", ARRIVAL)
    with pytest.raises(PayloadError, match="Expected an object as DevEUI_uplink, got an array"):
        dialect.reader("t")(b'{"DevEUI_uplink": []}', ARRIVAL)
