"""The records of one entity keep the order of their messages, whatever routes and kinds of messages they come by."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from struct import pack
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.build import options as wiring
from pipeline.config import Loaded
from pipeline.core.delivery import Batch, Lane, Message
from pipeline.core.record import Record
from tests.pipeline.flow import ARRIVAL, Memory, headers_of
from tests.pipeline.lorawan.test_identify import CHIRPSTACK, DEVICE, flow
from tests.pipeline.vendor_flow import TH1, loaded

COMMON: dict[str, Any] = {
    "device": {"topic": "device"},
    "observed_at": {"field": "ts", "unit": "ms"},
    "location": [4.89, 52.37],
    "attributes": {"temperature": {"field": "t", "unit": "degC"}},
}
CONNECTORS: dict[str, dict[str, Any]] = {
    "air": {**COMMON, "model": "AirQualityObserved"},
    "air-too": {**COMMON, "model": "AirQualityObserved"},
    "weather": {**COMMON, "model": "WeatherObserved"},
    "th": TH1,
}
READ: Loaded = loaded(CONNECTORS)
APART: Loaded = loaded({name: CONNECTORS[name] for name in ("air", "air-too", "weather")})
"""Without the connector that makes entities of both models, and so has something in common with either."""


class Counted(Memory):
    """Counts how many batches came, too."""

    def __init__(self) -> None:
        super().__init__()
        self.batches = 0

    def put(self, batch: Batch[Record]) -> None:
        self.batches += 1
        super().put(batch)


def put(*sent: tuple[str, bytes], read: Loaded = READ) -> Counted:
    """Let messages come in one read."""
    memory, letters = Counted(), wiring.dead_letters(read.config)
    router = wiring.router(read.config, "city", publisher=memory, letters=letters, events=memory)
    lane: Lane[None] = Lane(None, 10_000)
    made = [Message(f"city/{topic}", payload, ARRIVAL) for topic, payload in sent]
    router.put(Batch(lane.receive(len(made), None), made))
    return memory


def reading(number: int) -> bytes:
    return json.dumps({"ts": ARRIVAL - 1000 + number, "t": 20}).encode()


SENT = st.lists(
    st.tuples(
        st.sampled_from(["air/1", "air-too/1", "weather/1", "th/1", "air/2", "nothing/1"]),
        st.sampled_from(["good", "malformed", "nothing measured"]),
    ),
    min_size=1,
    max_size=30,
)


@settings(max_examples=300)
@given(SENT)
def test_no_record_of_an_entity_and_no_dead_letter_of_a_topic_overtakes_another(sent: list[tuple[str, str]]) -> None:
    payloads = []
    for number, (topic, kind) in enumerate(sent):
        measured = pack(">hBB", 200 + number, 60, 100) if topic == "th/1" else reading(number)
        bad = {"malformed": b"{%d" % number, "nothing measured": json.dumps({"ts": ARRIVAL + number}).encode()}
        payloads.append((topic, bad.get(kind, measured)))
    order = {payload: place for place, (_, payload) in enumerate(payloads)}
    by_key: dict[object, list[int]] = defaultdict(list)
    for record in put(*payloads).records:
        payload = record.value if record.message is None else record.message.payload
        by_key[record.destination.topic, record.destination.key].append(order[payload])
    assert all(places == sorted(places) for places in by_key.values())


def test_routes_that_share_no_model_go_on_together() -> None:
    """Neighbours of each route travel as one, though the routes alternate: nothing of them can meet."""
    apart = put(*[(f"{('air', 'weather')[number % 2]}/1", reading(number)) for number in range(20)], read=APART)
    assert (apart.batches, len(apart.records)) == (2, 20)
    meeting = put(*[(f"{('air', 'air-too')[number % 2]}/1", reading(number)) for number in range(20)], read=APART)
    assert [headers_of(each)["ce_connector"].partition("@")[0] for each in meeting.records] == ["air", "air-too"] * 10


UP: str = CHIRPSTACK[0]
UPLINK: dict[str, Any] = CHIRPSTACK[1]
STATUS = {"deviceInfo": UPLINK["deviceInfo"], "batteryLevel": 50.0, "time": UPLINK["time"]}


@pytest.mark.parametrize(("places", "told"), [((0, 1), [False, True]), ((1, 0), [True])])
def test_a_state_that_an_event_tells_and_an_uplink_keep_their_order(
    tmp_path: Path, places: tuple[int, int], told: list[bool]
) -> None:
    """Both become records of the Device entity; an uplink behind the event finds that it is published already."""
    sent = [(UP, UPLINK), (UP.replace("/up", "/status"), STATUS)]
    records = flow(tmp_path, [DEVICE]).put(*(sent[place] for place in places))
    devices = [json.loads(each.value) for each in records if each.destination.topic == "bench.Device.v1"]
    assert ["batteryLevel" in each for each in devices] == told


def test_dead_letters_of_a_network_keep_the_order_of_their_topic(tmp_path: Path) -> None:
    refused = {**UPLINK, "data": "AA=="}  # one byte, where the connector expects more
    sent = [(UP, refused), (UP, b"{broken"), (UP, refused)]
    letters = [each for each in flow(tmp_path, [DEVICE]).put(*sent) if each.message is None]
    assert [headers_of(each)["ce_stage"] for each in letters] == ["decode", "unwrap", "decode"]
