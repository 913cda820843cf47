"""The LoRaWAN traffic of the benchmark through all stages: each uplink is one record, and its time names it."""

import asyncio
import csv
import io
import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.json_format import Parse

from connectors.network_servers.proto.chirpstack_integration_pb2 import UplinkEvent
from loadtests.contenders import observed_at
from loadtests.networks import CONNECTOR, NETWORKS, VENDORS
from loadtests.vendors.lorabench.aq5 import FRAME
from tests.pipeline.flow import ARRIVAL
from tests.pipeline.network_flow import NetworkFlow
from tests.support.uplinks import KINDS, Kind, Uplinks, dev_eui, registry

DEVICES, COUNT, BASE = 5, 40, ARRIVAL - 60_000
ATTRIBUTES = ("temperature", "relativeHumidity", "pm10", "pm25", "no2")


def devices(*, sessions: bool) -> list[dict[str, Any]]:
    """Return the registry as YAML has it."""
    made = []
    for row in csv.DictReader(io.StringIO(registry(CONNECTOR, devices=DEVICES, sessions=sessions))):
        place = [float(row.pop("longitude")), float(row.pop("latitude"))]
        keys = {name: row.pop(name) for name in ("dev_addr", "nwk_s_key", "app_s_key") if name in row}
        made.append({**row, "location": place} | ({"sessions": [keys]} if keys else {}))
    return made


@pytest.mark.parametrize("kind", KINDS)
def test_each_uplink_is_one_record_that_its_time_names(kind: Kind, tmp_path: Path) -> None:
    raw, traffic = kind == "raw", Uplinks(kind, devices=DEVICES, base_ts=BASE)
    copies = traffic.network.copies
    feed = {"dialect": "chirpstack_gateway" if raw else "auto", "top": {"connector_paths": [str(VENDORS)]}}

    async def published() -> list[dict[str, Any]]:
        flow = NetworkFlow(tmp_path, devices(sessions=raw), **feed)
        flow.put(*traffic.messages(0, COUNT * copies))
        await asyncio.sleep(0.3 if raw else 0)  # the window in which copies wait for each other
        return [json.loads(record.value) for record in flow.memory.records]

    entities = asyncio.run(published())

    air = [each for each in entities if each["type"] == "AirQualityObserved"]
    assert [observed_at(json.dumps(each, separators=(",", ":")).encode()) - BASE for each in air] == [*range(COUNT)]
    assert len([each for each in entities if each["type"] == "Device"]) == DEVICES
    for number, each in enumerate(air):
        assert each["id"].endswith(f"aq-{number % DEVICES + 1:04d}")
        sent = [value / 10 for value in FRAME.unpack(traffic.fleet.payload(number))]
        sent[1] /= 100
        assert [each[name]["value"] for name in ATTRIBUTES] == pytest.approx(sent)


def test_json_and_protobuf_tell_the_same() -> None:
    written, packed = (
        Uplinks(kind, devices=DEVICES, base_ts=BASE) for kind in ("chirpstack-json", "chirpstack-protobuf")
    )
    for (topic, text), (also, octets) in zip(written.messages(6, 9), packed.messages(6, 9), strict=True):
        assert topic == also
        assert Parse(text, UplinkEvent()) == UplinkEvent.FromString(octets)


@pytest.mark.parametrize("kind", KINDS)
def test_messages_are_packed_as_mqtt_and_named_by_device_and_time(kind: Kind) -> None:
    traffic = Uplinks(kind, devices=DEVICES, base_ts=BASE)
    packets = list(publishes(traffic.frames(6, 4)))

    assert [(topic, payload) for topic, _, payload in packets] == list(traffic.messages(6, 4))
    assert [packet_id for _, packet_id, _ in packets] == [7, 8, 9, 10]
    uplink = 6 // traffic.network.copies
    assert traffic.key(6) == (dev_eui(uplink % DEVICES + 1), BASE + uplink)


def publishes(data: bytes) -> Iterator[tuple[str, int, bytes]]:
    """Take PUBLISH packets of QoS 1 apart (MQTT 3.1.1, clause 3.3)."""
    at = 0
    while at < len(data):
        assert data[at] == 0x32
        at, length, shift = at + 1, 0, 0
        while True:
            length |= (data[at] & 127) << shift
            at, shift = at + 1, shift + 7
            if data[at - 1] < 128:
                break
        packet, at = data[at : at + length], at + length
        (size,) = struct.unpack_from("!H", packet)
        (packet_id,) = struct.unpack_from("!H", packet, 2 + size)
        yield packet[2 : 2 + size].decode(), packet_id, packet[4 + size :]


def test_every_kind_is_measured() -> None:
    assert {each.name for each in NETWORKS} == set(KINDS)
