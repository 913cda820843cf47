"""What is counted of frames, devices and gateways stays bounded, and adds up."""

import pytest

from pipeline.lorawan import statistics as module
from pipeline.lorawan.statistics import DeviceFrameStatistics, FrameStatistics
from pipeline.sdk.uplink import Reception
from tests.pipeline.lorawan.rig import heard


def test_missing_received_and_late() -> None:
    frames = DeviceFrameStatistics()
    for f_cnt in (10, 11, 15, 13):
        frames.received(frames.refresh("th-17"), "01ab23cd", f_cnt)
    counted = frames.find("th-17")
    assert counted is not None
    assert (counted.received, counted.missing, counted.last) == (4, 2, 15)
    frames.received(frames.refresh("th-17"), "01ab23cd", 16)
    assert counted.missing == 2


def test_another_session_misses_nothing() -> None:
    frames = DeviceFrameStatistics()
    frames.received(frames.refresh("th-17"), "01ab23cd", 1000)
    frames.received(frames.refresh("th-17"), "01ffffff", 3)
    frames.received(frames.refresh("th-17"), "01ffffff", 5)
    assert (frames.total.received, frames.total.missing) == (3, 1)


def test_a_reset_misses_nothing() -> None:
    frames = DeviceFrameStatistics()
    frames.received(frames.refresh("th-17"), "01ab23cd", 1000)
    frames.received(frames.refresh("th-17"), "01ab23cd", 0, reset=True)
    frames.received(frames.refresh("th-17"), "01ab23cd", 2)
    frames.duplicate("th-17")
    assert (frames.total.received, frames.total.missing, frames.total.reset, frames.total.duplicate) == (3, 1, 1, 1)


def test_devices_not_heard_of_for_longest_are_forgotten() -> None:
    frames = DeviceFrameStatistics(most=2)
    for device in ("a", "b", "a", "c"):
        frames.received(frames.refresh(device), "01ab23cd", 1)
    assert [frames.find(device) is not None for device in "abc"] == [True, False, True]
    assert frames.total.received == 4


def test_how_well_gateways_hear(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_GATEWAYS", 2)
    raw = FrameStatistics()
    raw.heard([heard(b"x", gateway).reception for gateway in (1, 2, 1)])
    raw.heard([heard(b"x", 3).reception, Reception("0000000000000002")])
    assert raw.gateways == {f"{2:016x}": 2, f"{3:016x}": 1}
    assert (sum(raw.rssi.counts), raw.rssi.total) == (4, -81 - 82 - 81 - 83)
    assert raw.rssi.counts[raw.rssi.bounds.index(-80)] == 4
    assert sum(raw.snr.counts) == 4


def test_a_counter_that_jumps_to_and_fro_does_not_drown_the_others() -> None:
    ledger = DeviceFrameStatistics()
    for f_cnt in (0, 2**32 - 1) * 3:
        ledger.told(ledger.refresh("a"), "01ab23cd", f_cnt)
    assert ledger.total.missing == 3 * 16_384
    assert ledger.total.reset == 2
