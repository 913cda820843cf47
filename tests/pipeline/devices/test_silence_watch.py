"""Events of who is silent and who is back: paced by Kafka, kept until it has them, and of one form."""

import tracemalloc

import orjson

from pipeline.core.delivery import Batch, Fate
from pipeline.core.record import Record, decode_headers
from pipeline.devices.registry import Device, DeviceRegistry
from pipeline.devices.silence import SilencePolicy
from pipeline.devices.silence_watch import SilenceWatch, SilentEvents
from pipeline.state.store import Store

BEGAN = 1_769_000_000_000


class Kafka:
    """A publisher that confirms when it is told to."""

    def __init__(self) -> None:
        self.batches: list[Batch[Record]] = []

    def put(self, batch: Batch[Record]) -> None:
        self.batches.append(batch)

    def pending(self) -> int:
        return 0

    async def drain(self, deadline: float) -> None:
        pass

    def confirm(self) -> list[Record]:
        """Confirm what came, and return it."""
        taken, self.batches = self.batches, []
        for batch in taken:
            batch.delivery.seal(Fate.PUBLISHED, len(batch.items))
        return [record for batch in taken for record in batch.items]


class City:
    def __init__(self, *keys: str) -> None:
        self.now = BEGAN
        self.store = Store(None)
        self.devices = DeviceRegistry([Device(key, interval=600) for key in keys])
        self.begin()

    def begin(self) -> None:
        """Start the worker anew, with what the store has kept."""
        self.kafka = Kafka()
        self.watch = SilenceWatch(self.store, None, {}, lambda: self.now, lambda: self.now / 1000)
        self.events = self.watch.events = SilentEvents(self.store, self.kafka, lambda: self.now)
        self.events.tell = ("ghent", "ghent.device-events.v1")
        self.watch.configure(SilencePolicy(), self.devices)

    def after(self, seconds: float) -> None:
        self.now += round(seconds * 1000)
        for _ in self.watch.look():
            pass
        self.events.send()

    def speak(self, *keys: str) -> None:
        for key in keys:
            self.watch.find(key, ("th", "WeatherObserved")).last = self.now


def headers(record: Record) -> dict[str, str]:
    return {name: value.decode() for name, value in decode_headers(record.headers)}


def ids(records: list[Record]) -> list[str]:
    return [headers(record)["ce_id"] for record in records]


def test_the_form() -> None:
    city = City("a")
    city.after(1)
    city.speak("a")
    city.after(1801)
    [record] = city.kafka.confirm()
    assert orjson.loads(record.value) == {
        "event": "silent",
        "subject": "urn:ngsi-ld:Device:ghent:a",
        "time": "2026-01-21T13:23:22.000Z",
        "details": {"lastHeard": "2026-01-21T12:53:21.000Z", "expectedEvery": 600.0, "expectedBy": "configured"},
    }
    told = headers(record)
    assert told["ce_id"] == f"DeviceEvent:a:silent:{BEGAN + 1000}"
    assert told["ce_type"] == "org.headrace.DeviceEvent.silent"
    assert told["ce_time"] == "2026-01-21T13:23:22.000Z"
    assert (record.destination.topic, record.destination.key) == ("ghent.device-events.v1", told["ce_subject"].encode())
    city.speak("a")
    city.after(5)
    [record] = city.kafka.confirm()
    assert headers(record)["ce_id"] == f"DeviceEvent:a:back:{BEGAN + 1_802_000}"
    assert orjson.loads(record.value)["time"] == "2026-01-21T13:23:22.000Z"


def test_a_gateway_is_told_by_its_own_name() -> None:
    city = City()
    city.watch.configure(SilencePolicy(interval=60), city.devices)
    city.watch.gateway("00:11", city.now)
    city.after(1)
    city.after(300)
    [record] = city.kafka.confirm()
    told = orjson.loads(record.value)
    assert (told["event"], told["gateway"], told["subject"]) == ("silent", "00:11", "urn:ngsi-ld:Device:ghent:00%3A11")


def test_a_city_that_falls_silent_waits_for_kafka() -> None:
    city = City(*(f"d-{number}" for number in range(1200)))
    city.after(1)
    city.after(2000)
    city.after(5)
    assert [len(batch.items) for batch in city.kafka.batches] == [500]
    told = city.kafka.confirm()
    for _ in range(4):
        city.after(5)
        told += city.kafka.confirm()
    assert len(set(ids(told))) == len(told) == 1200
    assert not list(city.store.items("silent-event"))


def test_a_city_that_waits_fits_into_memory() -> None:
    number = 20_000
    city = City(*(f"d-{at}" for at in range(number)))
    city.after(1)
    tracemalloc.start()
    city.after(2000)
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held / number < 1000


def test_what_kafka_has_not_confirmed_goes_out_again_after_a_restart() -> None:
    city = City("a", "b")
    city.after(1)
    city.after(2000)
    before = ids([record for batch in city.kafka.batches for record in batch.items])
    city.begin()
    city.after(1)
    assert ids(city.kafka.confirm()) == before == [f"DeviceEvent:{key}:silent:{BEGAN + 1000}" for key in "ab"]
    city.begin()
    city.after(1)
    assert city.kafka.batches == []


def test_what_was_damaged_is_left_out() -> None:
    city = City("a")
    late, never = b'["silent","u",1,1e15,null,0,1,""]', b'["silent","v",1,1e30,null,1e30,1,""]'
    for place, kept in (
        ("device:u", late),
        ("device:v", never),
        ("device:w", b'["silent","w",1,"12.",null,0,1,""]'),
        ("device:x", b"{"),
        ("device:y", b"[1]"),
        ("device:z", b'["silent","z",1,"x",null,0,1,""]'),
    ):
        city.store.put("silent-event", place, kept)
    city.begin()
    city.after(1)
    assert city.kafka.batches == []
    assert not list(city.store.items("silent-event"))
    city.after(2000)
    city.store.put("silent-event", "device:x", b"{")
    city.begin()
    city.after(1)
    assert ids(city.kafka.confirm()) == [f"DeviceEvent:a:silent:{BEGAN + 1000}"]
    assert not list(city.store.items("silent-event"))


def test_only_the_last_word_of_a_device_waits() -> None:
    city = City("a", "b")
    city.after(1)
    city.after(2000)
    city.speak("a")
    city.after(5)
    assert ids(city.kafka.confirm()) == [f"DeviceEvent:{key}:silent:{BEGAN + 1000}" for key in "ab"]
    city.after(5)
    assert ids(city.kafka.confirm()) == [f"DeviceEvent:a:back:{BEGAN + 2_001_000}"]


def test_nothing_is_told_or_kept_unless_it_is_wanted() -> None:
    city = City("a")
    city.events.tell = None
    city.after(1)
    city.after(2000)
    assert city.kafka.batches == []
    assert not list(city.store.items("silent-event"))
