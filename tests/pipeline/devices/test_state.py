"""The state of a device is published whole: on change, when it is old, and after a restart."""

import asyncio
from pathlib import Path as File
from typing import Any

import pytest

from pipeline.core.delivery import Fate
from pipeline.core.field_path import Path
from pipeline.devices.state import DeviceStates
from pipeline.state.store import Store
from tests.pipeline.flow import headers_of
from tests.pipeline.normalise.test_records import NOW, entity, kinds
from tests.pipeline.vendor_flow import TH1, WRAPPED, VendorFlow, wrapped

PATHS = {"batteryLevel": Path("battery", ("battery",)), "firmwareVersion": Path("fw", ("fw",))}


def published(states: DeviceStates, key: str, heard: dict[str, Any], arrival: int) -> dict[str, Any] | None:
    """Learn, and publish what is due, as the stage does."""
    learned = states.learn(key, heard, arrival)
    if learned.due:
        states.published(key, arrival)
    return learned.whole if learned.due else None


def test_whole_on_change_and_after_the_interval() -> None:
    states = DeviceStates(PATHS, 60, Store(None))
    assert states.heard({"battery": None, "t": 1}) == {}
    assert published(states, "a", {"batteryLevel": 50}, 1_000_000) == {"batteryLevel": 50}
    assert published(states, "a", {"batteryLevel": 50}, 1_001_000) is None
    assert published(states, "a", {"firmwareVersion": "2"}, 1_002_000) == {"batteryLevel": 50, "firmwareVersion": "2"}
    assert published(states, "a", {"batteryLevel": 50}, 1_061_999) is None
    assert published(states, "a", {"batteryLevel": 50}, 1_062_000) == {"batteryLevel": 50, "firmwareVersion": "2"}
    assert published(states, "b", {"batteryLevel": 50}, 1_062_000) == {"batteryLevel": 50}


def test_a_change_whose_record_could_not_be_made_stays_due() -> None:
    states = DeviceStates(PATHS, 60, Store(None))
    published(states, "a", {"batteryLevel": 50}, 1_000_000)
    assert states.learn("a", {"batteryLevel": 49}, 1_001_000).due
    assert published(states, "a", {"batteryLevel": 49}, 1_002_000) == {"batteryLevel": 49}


def test_the_memory_is_bounded() -> None:
    states = DeviceStates(PATHS, 60, Store(None), most=2)
    for key in ("a", "b", "c"):
        published(states, key, {"batteryLevel": 1}, 1_000_000)
    assert published(states, "c", {"batteryLevel": 1}, 1_000_000) is None
    assert published(states, "a", {}, 1_000_000) == {"batteryLevel": 1}, "published again rather than forgotten"


@pytest.mark.parametrize(
    "value",
    [{"deep": 1}, ["x"], None, "x" * 201, "\ud800", "a\nb", float("nan"), float("-inf"), 2**64, -(2**64), 10**400],
)
def test_what_is_no_state_of_a_device_is_not_heard(value: object) -> None:
    states = DeviceStates(PATHS, 60, Store(None))
    assert states.heard({"battery": 1.5, "fw": value}) == {"batteryLevel": 1.5}


def test_the_first_message_after_a_restart_publishes_the_whole_device(tmp_path: File) -> None:
    store = Store(tmp_path)
    flow = VendorFlow(WRAPPED, store=store)
    flow.put(wrapped("32", 4), wrapped("0102", 5))
    asyncio.run(store.close())
    assert flow.ledger.in_flight() == 0

    again = VendorFlow(WRAPPED, store=Store(tmp_path))
    [family, device] = again.put(wrapped("32", 4))
    assert entity(device)["refDeviceModel"]["object"] == entity(family)["id"]
    assert entity(device)["batteryLevel"]["value"] == 0.5
    assert entity(device)["firmwareVersion"]["value"] == "1.2"
    assert again.put(wrapped("32", 4)) == []
    [other] = again.put(wrapped("32", 4, device="0002"))
    assert "firmwareVersion" not in entity(other)


def test_another_connector_begins_anew(tmp_path: File) -> None:
    """The same number may mean another unit to it."""
    store = Store(tmp_path)
    VendorFlow(WRAPPED, store=store).put(wrapped("0102", 5))
    asyncio.run(store.close())
    [_, device] = VendorFlow({**WRAPPED, "use": "acme/th-1b"}, store=Store(tmp_path)).put(wrapped("32", 4))
    assert headers_of(device)["ce_connector"] == "acme/th-1b@1"
    assert "firmwareVersion" not in entity(device)


def test_a_message_is_acknowledged_after_its_devices_state_is_kept(tmp_path: File) -> None:
    store = Store(tmp_path)
    flow = VendorFlow(TH1, store=store)
    now = bytes.fromhex(NOW)
    assert kinds(flow.put(now)) == ["WeatherObserved", "DeviceModel", "Device"]
    assert flow.ledger.in_flight() == 1, "confirmed by the publisher in memory, and not yet kept"
    assert kinds(flow.put(now)) == ["WeatherObserved"]
    assert flow.ledger.fates[Fate.PUBLISHED] == 1, "nothing new is told by this one"
    asyncio.run(store.write())
    assert flow.ledger.fates[Fate.PUBLISHED] == 2
    assert flow.ledger.acknowledged == 2


def test_the_same_message_once_more_waits_for_the_first(tmp_path: File) -> None:
    store = Store(tmp_path)
    flow = VendorFlow(WRAPPED, store=store)
    flow.put(wrapped("32", 4))
    assert flow.put(wrapped("32", 4)) == []
    assert flow.ledger.in_flight() == 2
    asyncio.run(store.write())
    assert flow.put(wrapped("32", 4)) == []
    assert (flow.ledger.fates[Fate.PUBLISHED], flow.ledger.fates[Fate.FILTERED]) == (1, 2)


def test_state_that_cannot_be_kept_holds_nothing_up(tmp_path: File) -> None:
    (tmp_path / "state.sqlite").mkdir()
    flow = VendorFlow(TH1, store=Store(tmp_path))
    assert kinds(flow.put(bytes.fromhex(NOW))) == ["WeatherObserved", "DeviceModel", "Device"]
    assert flow.ledger.acknowledged == 1
