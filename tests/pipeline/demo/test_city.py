"""The simulated city: what is said of it is so."""

from collections import Counter

from pipeline.core.delivery import Fate
from pipeline.demo.city import FAULTS, City
from pipeline.demo.devices import KINDS

NOW = 1_795_000_000_123


class Heard:
    def __init__(self) -> None:
        self.messages: list[tuple[str, bytes]] = []

    def publish(self, topic: str, payload: bytes) -> None:
        self.messages.append((topic, payload))


def spoken(city: City, turns: int = 1) -> Heard:
    heard = Heard()
    for _ in range(turns):
        for speaker in city.speakers:
            if not speaker.silent:
                city.turn(speaker, NOW, heard)
    return heard


def test_it_has_300_devices_of_five_kinds_json_and_binary() -> None:
    city = City()
    assert len(city.citizens) >= 300
    assert len(KINDS) >= 5
    heard = spoken(city)
    assert len({topic for topic, _ in heard.messages if topic.startswith("city/")}) == 380
    assert any(not payload.isascii() for _, payload in heard.messages)


def test_lorawan_devices_are_heard_through_two_servers_and_two_gateways() -> None:
    heard = spoken(City())
    ways = Counter(topic.split("/")[0] for topic, _ in heard.messages)
    assert ways["application"] > 32
    assert ways["v3"] == 2 * 16  # each joins and speaks
    assert ways["eu868"] > 32


def test_every_fault_has_one_device_of_its_kind() -> None:
    city = City()
    assert sorted(each.fault.name for each in city.citizens if each.fault) == sorted(fault.name for fault in FAULTS)
    assert all(each.device.kind.name == each.fault.kind for each in city.citizens if each.fault)


def test_a_fault_of_a_network_is_one_of_its_devices() -> None:
    for citizen in City().citizens:
        if citizen.fault is not None and citizen.fault.quirk is not None:
            assert citizen.node is not None
            assert citizen.node.quirk is citizen.fault.quirk


def test_its_books_hold_every_message_once() -> None:
    city = City()
    heard = spoken(city, 3)
    fates, reasons = city.books.fates, city.books.reasons
    assert sum(fates.values()) == len(heard.messages)
    assert sum(reasons.values()) == fates[Fate.DEAD_LETTERED]
    assert set(reasons) == {fault.outcome.reason.value for fault in FAULTS if fault.outcome.reason}
    assert fates[Fate.DEDUPLICATED] > 0
    assert fates[Fate.FILTERED] >= 6


def test_one_falls_silent() -> None:
    city = City()
    assert city.silent == 0
    spoken(city, 3)
    assert city.silent == 1
