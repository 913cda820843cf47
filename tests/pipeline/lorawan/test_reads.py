"""What uplinks and events become does not depend on how many of them come with one read of the socket."""

from __future__ import annotations

from base64 import b64encode
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.build import options as wiring
from pipeline.build.context import WorkerContext
from pipeline.config.root import Config
from pipeline.core.delivery import Batch, Lane, Message
from pipeline.core.record import Record
from pipeline.devices.registry import CurrentRegistry
from pipeline.state.store import Store
from tests.connectors.network_servers import messages as servers
from tests.pipeline.flow import Memory
from tests.pipeline.lorawan.test_identify import ARRIVAL, CHIRPSTACK, DEVICE, flow
from tests.pipeline.network_flow import VENDORS

LEAN, TELLING = f"{1:016x}", f"{2:016x}"
"""A device whose uplinks make one record each, and one that tells its battery as well."""
DEVICES = [
    {**DEVICE, "key": "lean", "dev_eui": LEAN},
    {**DEVICE, "key": "telling", "dev_eui": TELLING, "connector": "acme/th-1"},
]
PAYLOADS = {
    LEAN: ["02300040a0", "02310041a0", "023001f4a0"],  # the last is out of bounds
    TELLING: ["ffce3764", "00d23763", "00d2ff63"],
}
Sent = tuple[str, str, int, bool]
SENT = st.tuples(
    st.sampled_from([LEAN, TELLING, f"{3:016x}"]),  # the last is not registered
    st.sampled_from(["0", "1", "2", "", "02"]),  # a payload by its number, none, or one that is refused
    st.integers(0, 3),  # how many frames its counter goes on by
    st.booleans(),  # whether it is an event that tells the battery instead
)


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Config:
    folder: Path = tmp_path_factory.mktemp("city")
    return flow(folder, DEVICES, top={"connector_paths": ["own", str(VENDORS)]}).config


def records_of(config: Config, sent: list[Message], ends: list[int]) -> dict[object, list[Record]]:
    """Return what messages become, by topic and key, in a new worker; ends: of each read but the last."""
    memory = Memory()
    shared = WorkerContext(CurrentRegistry(config.registered), Store(None))
    letters = wiring.dead_letters(config)
    first = wiring.router(config, "city", publisher=memory, letters=letters, events=memory, shared=shared)
    lane: Lane[None] = Lane(None, 1000)
    for start, end in pairwise([0, *ends, len(sent)]):
        first.put(Batch(lane.receive(end - start, None), sent[start:end]))
    assert lane.ledger.conserved()
    assert lane.ledger.in_flight() == 0
    found: dict[object, list[Record]] = {}
    for record in memory.records:
        plain = record._replace(destination=record.destination.key)  # type: ignore[arg-type]
        found.setdefault((record.destination.topic, record.destination.key), []).append(plain)
    return found


def message(sent: Sent, counters: Counter[str]) -> Message:
    device, payload, step, event = sent
    counters[device] += step
    topic, said = CHIRPSTACK
    code = PAYLOADS.get(device, PAYLOADS[LEAN])[int(payload)] if len(payload) == 1 else payload
    told: dict[str, Any] = {**said, "deviceInfo": {"devEui": device}, "fCnt": counters[device]}
    told["data"] = b64encode(bytes.fromhex(code)).decode()
    topic = topic.replace(servers.DEVICE, device)
    if event:
        told = {"time": said["time"], "deviceInfo": told["deviceInfo"], "batteryLevel": 50.0 + counters[device]}
        topic = topic.replace("/up", "/status")
    return Message(topic, orjson.dumps(told), ARRIVAL)


@settings(max_examples=50)
@given(sent=st.lists(SENT, min_size=1, max_size=12), cuts=st.sets(st.integers(1, 11)))
def test_uplinks_become_the_same_records_in_whatever_reads_they_come(
    config: Config, sent: list[Sent], cuts: set[int]
) -> None:
    """One by one, all with one read, or anything between: a Device also tells the same count of frames."""
    counters: Counter[str] = Counter()
    messages = [message(each, counters) for each in sent]
    alone = records_of(config, messages, list(range(1, len(messages))))
    assert records_of(config, messages, []) == alone
    assert records_of(config, messages, sorted(cut for cut in cuts if cut < len(messages))) == alone
