"""The state of a device is published whole: on change, or when it is old."""

from pipeline.binding import Path
from pipeline.device_state import DeviceStates

PATHS = {"batteryLevel": Path("battery", ("battery",)), "firmwareVersion": Path("fw", ("fw",))}


def test_whole_on_change_and_after_the_interval() -> None:
    states = DeviceStates(PATHS, interval=60)
    assert states.heard({"battery": None, "t": 1}) == {}
    assert states.learn("a", {"batteryLevel": 50}, 1_000_000) == {"batteryLevel": 50}
    assert states.learn("a", {"batteryLevel": 50}, 1_001_000) is None
    assert states.learn("a", {"firmwareVersion": "2"}, 1_002_000) == {"batteryLevel": 50, "firmwareVersion": "2"}
    assert states.learn("a", {"batteryLevel": 50}, 1_061_999) is None
    assert states.learn("a", {"batteryLevel": 50}, 1_062_000) == {"batteryLevel": 50, "firmwareVersion": "2"}
    assert states.learn("b", {"batteryLevel": 50}, 1_062_000) == {"batteryLevel": 50}


def test_the_memory_is_bounded() -> None:
    states = DeviceStates(PATHS, interval=60, most=2)
    for key in ("a", "b", "a", "c"):
        states.learn(key, {"batteryLevel": 1}, 1_000_000)
    assert states.learn("a", {"batteryLevel": 1}, 1_000_000) is None, "heard lately, so it is known"
    assert states.learn("b", {"batteryLevel": 1}, 1_000_000) is not None, "not heard for longest, so forgotten"
    assert states.heard({"battery": 1, "fw": "x" * 201}) == {"batteryLevel": 1}
    assert states.heard({"battery": {"deep": 1}, "fw": ["x"]}) == {}
