"""The simulated city: what is said of it is so."""

from pipeline.demo.city import City
from pipeline.demo.faults import FAULTS
from pipeline.demo.kinds import KINDS

NOW = 1_795_000_000_123


class Heard:
    def __init__(self) -> None:
        self.messages: list[tuple[str, bytes]] = []

    def publish(self, topic: str, payload: bytes) -> None:
        self.messages.append((topic, payload))


def test_it_has_300_devices_of_five_kinds_json_and_binary() -> None:
    city = City()
    assert len(city.citizens) >= 300
    assert len(KINDS) >= 5
    heard = Heard()
    for citizen in city.citizens:
        citizen.speak(NOW, heard)
    assert len({topic for topic, _ in heard.messages}) == len(city.citizens)
    assert any(not payload.isascii() for _, payload in heard.messages)


def test_every_fault_has_one_device_of_its_kind() -> None:
    city = City()
    assert sorted(each.fault.name for each in city.citizens if each.fault) == sorted(fault.name for fault in FAULTS)
    assert all(each.device.kind.name == each.fault.kind for each in city.citizens if each.fault)


def test_one_falls_silent() -> None:
    city = City()
    assert city.silent == 0
    for _ in range(3):
        for citizen in city.citizens:
            citizen.speak(NOW, Heard())
    assert city.silent == 1
