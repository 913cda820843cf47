"""One message becomes several records, which share its fate."""

import base64
import json
import random
from collections.abc import Sequence
from struct import pack
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.build import options as wiring
from pipeline.conformance.examples import Bench, uplink
from pipeline.core.delivery import Batch, Cut, Delivery, Fate, Lane, Ledger, Message
from pipeline.core.errors import PayloadError, Reason
from pipeline.core.record import Record, decode_headers
from pipeline.encode.headers import crc32c
from pipeline.testing import located
from tests.pipeline.flow import ARRIVAL, READING, Flow, Memory, headers_of
from tests.pipeline.vendor_flow import TH1, WRAPPED, VendorFlow, loaded, wrapped
from tests.support.records import assert_record, simplified
from tests.support.vendors import hostile

NOW = "00d73c64"  # 21.5 degrees, 60 %, battery 100 %


def entity(record: Record) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(record.value)
    return value


def kinds(records: Sequence[Record]) -> list[str]:
    return ["letter" if record.message is None else str(entity(record)["type"]) for record in records]


def kept(*readings: tuple[int, float, int]) -> str:
    return b"".join(pack(">IhB", at, round(t * 10), h) for at, t, h in readings).hex()


def test_a_message_makes_an_entity_of_each_model_and_one_of_the_device() -> None:
    [weather, family, device] = VendorFlow(TH1).put(bytes.fromhex(NOW))
    assert weather.destination.topic == "bench.WeatherObserved.v1"
    value = entity(weather)
    assert value["id"] == "urn:ngsi-ld:WeatherObserved:bench:0001"
    assert value["temperature"]["value"] == 21.5
    assert value["relativeHumidity"] | {"observedAt": ""} == {
        "type": "Property",
        "value": 0.6,
        "unitCode": "C62",
        "observedAt": "",
    }
    assert headers_of(weather)["ce_connector"] == "acme/th-1@1"
    assert headers_of(weather)["ce_id"] == f"WeatherObserved:0001:{ARRIVAL}-2{crc32c(bytes.fromhex(NOW)):08x}"

    assert device.destination.topic == "bench.Device.v1"
    state = entity(device)
    assert state["id"] == "urn:ngsi-ld:Device:bench:0001"
    assert state["batteryLevel"]["value"] == 1.0
    assert state["controlledProperty"]["value"] == ["airPollution", "humidity", "temperature"]
    assert "location" not in state
    assert state["refDeviceModel"] == {"type": "Relationship", "object": entity(family)["id"]}


def test_a_device_refers_to_its_family() -> None:
    """Which is published before the first Device, once for all devices, and again each interval."""
    flow = VendorFlow({**TH1, "use": "acme/th-1b", "device_interval": "10min"})
    now, less = bytes.fromhex(NOW), bytes.fromhex("00d73c63")
    [_, family, device] = flow.put(now)
    assert family.destination.topic == "bench.DeviceModel.v1"
    for record in (family, device):
        assert_record(record.value, decode_headers(record.headers), record.destination.key)
    said = simplified(entity(family))
    assert said == {
        "id": "urn:ngsi-ld:DeviceModel:bench:acme%2Fth-1b",
        "type": "DeviceModel",
        "category": ["sensor"],
        "controlledProperty": ["airPollution", "humidity", "temperature"],
        "manufacturerName": "acme",
        "brandName": "acme",
        "modelName": "th-1b",
    }
    assert headers_of(family)["ce_idclass"] == "arrival"
    assert kinds(flow.put(now, device="0002", later=1000)) == ["WeatherObserved", "Device"]
    assert kinds(flow.put(less, later=599_000)) == ["WeatherObserved", "Device"]
    assert kinds(flow.put(now, device="0002", later=600_000)) == ["WeatherObserved"]
    assert kinds(flow.put(now, later=600_000)) == ["WeatherObserved", "DeviceModel", "Device"]
    assert flow.ledger.conserved()


def test_a_connector_that_tells_nothing_of_its_device_has_no_family_to_refer_to() -> None:
    flow = VendorFlow({"use": "plain/jn-1", "device": {"topic": "device"}, "location": [4.89, 52.37]})
    assert kinds(flow.put(b'{"t": 20}')) == ["WeatherObserved"]


def test_a_reading_without_any_attribute_of_a_model_makes_no_such_entity() -> None:
    flow = VendorFlow(WRAPPED)
    assert kinds(flow.put(wrapped("01a4", 3))) == ["AirQualityObserved", "DeviceModel", "Device"]
    assert kinds(flow.put(wrapped("32", 4))) == ["Device"], "its state is new"


def test_the_device_is_published_on_change_and_each_interval() -> None:
    flow = VendorFlow({**TH1, "device_interval": "10min"})
    now, less = bytes.fromhex(NOW), bytes.fromhex("00d73c63")
    assert kinds(flow.put(now, now, less)) == [
        "WeatherObserved",
        "DeviceModel",
        "Device",
        "WeatherObserved",
        "WeatherObserved",
        "Device",
    ]
    assert kinds(flow.put(less, later=599_000)) == ["WeatherObserved"]
    assert kinds(flow.put(less, later=600_000)) == ["WeatherObserved", "DeviceModel", "Device"]
    assert kinds(flow.put(less, device="0002", later=600_000)) == ["WeatherObserved", "Device"]
    assert flow.ledger.fates[Fate.PUBLISHED] == 6


def test_a_state_that_is_known_and_not_due_is_filtered() -> None:
    flow = VendorFlow(WRAPPED)
    flow.put(wrapped("32", 4))
    assert flow.put(wrapped("32", 4)) == []
    assert flow.ledger.fates[Fate.FILTERED] == 1


def test_a_measured_entity_refers_to_its_device_where_that_is_published_and_only_there() -> None:
    [weather, _, device] = VendorFlow(TH1).put(bytes.fromhex(NOW))
    assert entity(weather)["refDevice"] == {"type": "Relationship", "object": entity(device)["id"]}
    silent = VendorFlow(WRAPPED)
    [air, _, device] = silent.put(wrapped("01a4", 3))
    assert entity(air)["refDevice"]["object"] == entity(device)["id"], "of a device that has told nothing of itself yet"
    assert kinds(silent.put(wrapped("01a4", 3))) == ["AirQualityObserved"], "until its interval is over"
    [alone] = Flow().put(json.dumps(READING).encode())
    assert "refDevice" not in entity(alone), "an inline connector of a route publishes no Device"


def test_several_readings_keep_their_own_times_and_get_an_index_where_times_meet() -> None:
    second = ARRIVAL // 1000 - 100
    code = kept((second, 21.5, 60), (second + 60, 21.6, 61), (second, 21.7, 62), (second, 21.5, 60))
    made = VendorFlow(WRAPPED).put(wrapped(code, 2))
    assert kinds(made)[1:3] == ["DeviceModel", "Device"]
    records = [made[0], *made[3:]]
    assert [entity(record)["temperature"]["value"] for record in records] == [21.5, 21.6, 21.7, 21.5]
    ids = [headers_of(record)["ce_id"] for record in records]
    assert [each.partition("-")[0].rpartition(":")[2] for each in ids] == [
        f"{at}000" for at in (second, second + 60, second, second)
    ]
    assert ids[3] == f"{ids[0]}:1", "equal in all: the second gets an index"
    assert len({*ids[:3]}) == 3
    assert len({record.destination.key for record in records}) == 1


def test_nothing_measured_at_all_is_a_dead_letter() -> None:
    flow = VendorFlow({"use": "plain/jn-1", "device": {"topic": "device"}, "location": [4.89, 52.37]})
    [letter] = flow.put(b'{"u": 1}')
    assert headers_of(letter)["ce_reason"] == Reason.NOTHING_MEASURED.value
    assert flow.memory.reasons == {Reason.NOTHING_MEASURED: 1}
    assert flow.ledger.fates[Fate.DEAD_LETTERED] == 1


def test_a_reading_that_cannot_be_used_does_not_stop_the_others() -> None:
    second = ARRIVAL // 1000
    flow = VendorFlow({**WRAPPED, "location": [4.89, 52.37]})
    records = flow.put(wrapped(kept((second, 21.5, 60), (second, 21.5, 255)), 2), wrapped(NOW, 1))
    weather = [record for record in records if kinds([record]) == ["WeatherObserved"]]
    assert len(weather) == 3, "out of bounds: the attribute is left out"
    assert headers_of(weather[1])["ce_quality"] == "out_of_bounds:relativeHumidity"

    records = flow.put(wrapped(kept((second, 21.5, 60)), 2, device=None), wrapped(NOW, 1))
    assert kinds(records)[0] == "letter"
    assert headers_of(records[0])["ce_reason"] == Reason.DEVICE_MISSING.value
    assert flow.ledger.fates[Fate.DEAD_LETTERED] == 1
    assert flow.ledger.fates[Fate.PUBLISHED] == 3


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        (wrapped("00d73", 1), "Expected hex"),
        (wrapped("zz", 1), "Expected hex"),
        (wrapped(NOW, 300), "Expected a port from 0 to 255 in fPort, got 300"),
        (b'{"end": {"id": "a"}, "data": 5}', "Expected a text of hex in data, got 5"),
        (wrapped("00", 1), "expected 4 bytes, got 1"),
        (b"[]", "Expected a JSON object"),
    ],
)
def test_what_cannot_be_opened_or_decoded_is_a_dead_letter(payload: bytes, said: str) -> None:
    [letter] = VendorFlow(WRAPPED).put(payload)
    headers = headers_of(letter)
    assert headers["ce_stage"] == "decode"
    assert said in headers["ce_detail"]
    assert headers["ce_connector"] == "acme/th-1@1"


def test_bytes_as_text() -> None:
    raw = bytes.fromhex(NOW)
    for encoding, payload in (("hex", raw.hex().upper().encode()), ("base64", base64.b64encode(raw) + b"\n")):
        assert kinds(VendorFlow({**TH1, "payload": encoding}).put(payload)) == [
            "WeatherObserved",
            "DeviceModel",
            "Device",
        ]


def test_the_operators_paths_lead_into_the_wrapper() -> None:
    there = {"location": {"longitude": "gw.lon", "latitude": "gw.lat"}, "observed_at": {"field": "at", "format": "iso"}}
    payload = wrapped(NOW, 1, gw={"lon": 3.7174, "lat": 51.0543}, at="2026-01-21T12:53:20Z")
    [weather, _, device] = VendorFlow({**WRAPPED, **there, "max_age": "36500d"}).put(payload)
    assert entity(weather)["location"]["value"]["coordinates"] == [3.7174, 51.0543]
    assert entity(weather)["dateObserved"]["value"]["@value"] == "2026-01-21T12:53:20.000Z"
    assert entity(device)["dateLastValueReported"]["value"]["@value"] == "2026-01-21T12:53:20.000Z"


def test_retained_and_too_large() -> None:
    flow = VendorFlow({**TH1, "observed_at": "arrival"})
    assert flow.put(bytes.fromhex(NOW), retained=True) == []
    [letter] = flow.put(bytes(300_000))
    assert headers_of(letter)["ce_reason"] == Reason.PAYLOAD_TOO_LARGE.value
    [letter] = flow.put(Cut(bytes(300_000), 2_000_000))
    assert headers_of(letter)["ce_detail"].endswith("got 2000000.")


@pytest.mark.parametrize(
    "decode",
    [hostile.leaves, hostile.panics, hostile.struct_error, hostile.returns_text, hostile.floods],
    ids=lambda made: made.__name__,
)
def test_a_connector_that_fails_costs_its_message_only(decode: Any) -> None:
    fan = Bench(located(hostile.make(decode))).fan()
    with pytest.raises(PayloadError, match="hostile/") as caught:
        fan.decoded(uplink(b"\xff", None))
    assert caught.value.reason is Reason.CONNECTOR_FAILED
    assert fan.decoded(uplink(bytes(4), None))


class Late:
    """A publisher that keeps everything, and confirms in an order of its own."""

    def __init__(self) -> None:
        self.waiting: list[tuple[Delivery, Record]] = []

    def put(self, batch: Batch[Record]) -> None:
        self.waiting += [(batch.delivery, record) for record in batch.items]

    def pending(self) -> int:
        return len(self.waiting)

    async def drain(self, deadline: float) -> None: ...


PAYLOADS = st.one_of(
    st.just(wrapped(NOW, 1)),
    st.lists(st.tuples(st.integers(ARRIVAL // 1000 - 5, ARRIVAL // 1000), st.just(21.5), st.just(60)), max_size=5).map(
        lambda readings: wrapped(kept(*readings), 2)
    ),
    st.integers(0, 3).map(lambda level: wrapped(f"{level:02x}", 4)),
    st.binary(max_size=8).map(lambda code: wrapped(code.hex(), 1)),
    st.binary(max_size=8),
)


READ = loaded({"th": WRAPPED}).config


@given(st.lists(st.lists(PAYLOADS, min_size=1, max_size=6), min_size=1, max_size=6), st.integers())
def test_every_message_has_one_fate_whatever_it_becomes(batches: list[list[bytes]], seed: int) -> None:
    late, ledger, acknowledged = Late(), Ledger(), list[int]()
    letters = wiring.dead_letters(READ)
    router = wiring.router(READ, "city", publisher=late, letters=letters, events=Memory())
    lane: Lane[int] = Lane(acknowledged.extend, 10_000, ledger=ledger)
    for number, payloads in enumerate(batches):
        messages = [Message("city/th/0001", payload, ARRIVAL) for payload in payloads]
        router.put(Batch(lane.receive(len(messages), number), messages))
        assert ledger.conserved()
    random.Random(seed).shuffle(late.waiting)
    for delivery, record in late.waiting:
        delivery.seal(Fate.DEAD_LETTERED if record.message is None else Fate.PUBLISHED)
        assert ledger.conserved()
    assert ledger.in_flight() == 0
    assert sum(ledger.fates) == sum(map(len, batches))
    assert acknowledged == list(range(len(batches)))
