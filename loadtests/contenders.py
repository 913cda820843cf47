"""The programs that are compared: each knows its command, its config and how its record tells the message's `ts`."""

import re
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from loadtests import toolchain

MODEL = "AirQualityObserved"
FILTER = "city/#"
NUMBER_TS = re.compile(rb'"ts":(\d{13})')
OBSERVED_AT = re.compile(rb'"observedAt":"([^"]+)"')


@dataclass(frozen=True, slots=True)
class Place:
    """What one run works on: nothing in it was used by a run before."""

    tenant: str
    folder: Path
    mqtt_port: int
    kafka_port: int
    admin_port: int
    window: int
    linger_ms: int

    @property
    def topic(self) -> str:
        return f"{self.tenant}.{MODEL}.v1"

    @property
    def client_id(self) -> str:
        return self.tenant


@dataclass(frozen=True, slots=True)
class Command:
    arguments: list[str]
    env: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Contender:
    """kind, filter: what the generator publishes for it, and where. copies: MQTT messages to a record.

    cases: those that it takes part in; all if there are none.
    """

    name: str
    prepare: Callable[[Place], Command]
    ts_of: Callable[[bytes], int]
    kind: str = "plain"
    filter: str = FILTER
    copies: int = 1
    cases: frozenset[str] = frozenset()
    headrace: bool = False


HEADRACE_CONFIG = """\
tenant: {place.tenant}
state_dir: {place.folder}
kafka:
  bootstrap_servers: ["127.0.0.1:{place.kafka_port}"]
  create_topics: {{partitions: 6}}
feeds:
  city:
    kind: mqtt
    url: mqtt://127.0.0.1:{place.mqtt_port}
    client_id: {place.client_id}
    subscribe: ["{filter}"]
    qos: 1
    max_in_flight: {place.window}
    routes:
      - topic: "city/aq/{{device}}"
        connector: city-aq
connectors:
  city-aq:
    model: AirQualityObserved
    device: {{field: device}}
    observed_at: {{field: ts, unit: ms, max_age: 3650d}}
    location: {{latitude: lat, longitude: lon}}
    attributes:
      temperature: {{field: temperature, unit: degC}}
      relativeHumidity: {{field: humidity, unit: "%"}}
      pm10: {{field: pm10, unit: ug/m3}}
      pm25: {{field: pm25, unit: ug/m3}}
      no2: {{field: no2, unit: ug/m3}}
streams:
  AirQualityObserved: {{classification: public, licence: "https://creativecommons.org/licenses/by/4.0/"}}
admin: {{listen: "127.0.0.1:{place.admin_port}"}}
"""

# Batches of 1000 and 100 ms flushes were the best for Telegraf of those tried: see README.md.
TELEGRAF_CONFIG = """\
[agent]
  interval = "10s"
  flush_interval = "{flush_interval}"
  flush_jitter = "0s"
  metric_batch_size = {batch_size}
  metric_buffer_limit = 20000
  omit_hostname = true
  quiet = true

[[inputs.mqtt_consumer]]
  servers = ["tcp://127.0.0.1:{place.mqtt_port}"]
  topics = ["{filter}"]
  topic_tag = ""
  qos = 1
  client_id = "{place.client_id}"
  persistent_session = true
  max_undelivered_messages = {place.window}
  data_format = "json"
  tag_keys = ["device"]

[[outputs.kafka]]
  brokers = ["127.0.0.1:{place.kafka_port}"]
  topic = "{place.topic}"
  routing_tag = "device"
  required_acks = -1
  idempotent_writes = true
  compression_codec = 0
  data_format = "json"
"""


def headrace(place: Place) -> Command:
    return run_headrace(place, HEADRACE_CONFIG.format(place=place, filter=FILTER))


def run_headrace(place: Place, text: str) -> Command:
    config = place.folder / "headrace.yaml"
    config.write_text(text, encoding="utf-8")
    # An installed program has its bytecode; an environment that forbids writing it would measure the compiler.
    return Command([sys.executable, "-m", "pipeline", "run", str(config)], {"PYTHONDONTWRITEBYTECODE": ""})


def relay(place: Place) -> Command:
    session = [str(place.mqtt_port), place.client_id, FILTER]
    records = [f"127.0.0.1:{place.kafka_port}", place.topic, str(place.linger_ms), "none", str(place.window)]
    return Command([str(toolchain.relay()), *session, *records], toolchain.relay_environment())


def telegraf(place: Place, batch_size: int = 1000, flush_interval: str = "100ms") -> Command:
    config = place.folder / "telegraf.conf"
    text = TELEGRAF_CONFIG.format(place=place, filter=FILTER, batch_size=batch_size, flush_interval=flush_interval)
    config.write_text(text, encoding="utf-8")
    return Command([str(toolchain.telegraf()), "--config", str(config)])


def number_ts(value: bytes) -> int:
    found = NUMBER_TS.search(value)
    if found is None:
        raise ValueError(f"expected a record with ts, got {value[:200]!r}")
    return int(found[1])


def observed_at(value: bytes) -> int:
    found = OBSERVED_AT.search(value)
    if found is None:
        raise ValueError(f"expected an entity with observedAt, got {value[:200]!r}")
    return round(datetime.fromisoformat(found[1].decode()).timestamp() * 1000)


CONTENDERS = (
    Contender("headrace", headrace, observed_at, headrace=True),
    Contender("relay", relay, number_ts),
    Contender("telegraf", telegraf, number_ts),
)
