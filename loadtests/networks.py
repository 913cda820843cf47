"""Headrace on LoRaWAN: what a network server tells of uplinks, and raw frames of gateways, with a registry of devices.

What a message says is what the plain JSON message says, in ten bytes that a Python connector decodes.
"""

from functools import partial
from pathlib import Path

from loadtests.contenders import Command, Contender, Place, observed_at, run_headrace
from tests.support.uplinks import KINDS, Kind, registry

CONNECTOR = "lorabench/aq-5"
VENDORS = Path(__file__).parent / "vendors"
# In a steady case the probe comes first, with a frame counter above those of the messages that are counted.
CASES = frozenset({"idle", "drain100k"})
TARGETS = {"chirpstack-protobuf": 1.5, "chirpstack-json": 2.0, "raw": 3.0}
"""By contender: the CPU of a message, in plain JSON messages of the same round, that is to be reached."""

CONFIG = """\
tenant: {place.tenant}
state_dir: {place.folder}
kafka:
  bootstrap_servers: ["127.0.0.1:{place.kafka_port}"]
  create_topics: {{partitions: 6}}
connector_paths: ["{vendors}"]
devices: devices.csv
feeds:
  network:
    kind: mqtt
    url: mqtt://127.0.0.1:{place.mqtt_port}
    client_id: {place.client_id}
    subscribe: ["{filter}"]
    qos: 1
    {dialect}
streams:
  AirQualityObserved: {{classification: public, licence: "https://creativecommons.org/licenses/by/4.0/"}}
admin: {{listen: "127.0.0.1:{place.admin_port}"}}
"""
SERVER = """\
dialect: auto
    max_in_flight: {window}"""
# Copies wait for 200 ms: with fewer in flight, the window would end each read, and a drain be mostly waiting.
GATEWAYS = """\
dialect: chirpstack_gateway
    max_in_flight: {four_windows}
    deduplicate: {{window: 200ms, rate: {rate}}}"""
HELD_SECONDS = 0.4  # the window, the linger and Kafka's answer, as `check` reckons, and some more


def prepare(kind: Kind, filter_: str, place: Place) -> Command:
    devices = place.folder / "devices.csv"
    devices.touch(mode=0o600)
    devices.write_text(registry(CONNECTOR, sessions=kind == "raw"), encoding="utf-8")
    held = min(4 * place.window, 65_535)
    dialect = (GATEWAYS if kind == "raw" else SERVER).format(
        window=place.window, four_windows=held, rate=round(held / HELD_SECONDS)
    )
    return run_headrace(place, CONFIG.format(place=place, vendors=VENDORS, filter=filter_, dialect=dialect))


def contender(kind: Kind, filter_: str) -> Contender:
    copies = KINDS[kind].copies
    command = partial(prepare, kind, filter_)
    return Contender(kind, command, observed_at, kind, filter_, copies, CASES, headrace=True)


NETWORKS = (
    contender("chirpstack-json", "application/+/device/+/event/+"),
    contender("chirpstack-protobuf", "application/+/device/+/event/+"),
    contender("raw", "eu868/gateway/+/event/+"),
)
