"""The example of the first page: its config file as it is, its message, and the record that it becomes."""

import json
from pathlib import Path

import pytest
import yaml

from pipeline.encode.headers import crc32c
from tests.integration.worker_bench import READING, WorkerBench, entity_of, fates, headers_of
from tests.support.event_headers import REQUIRED
from tests.support.headrace import ROOT
from tests.support.log import events
from tests.support.ports import free_port

pytestmark = pytest.mark.real
EXAMPLE = ROOT / "deploy" / "examples" / "bench.yaml"
OBSERVED = "2026-01-21T12:53:20.000Z"
ID = "urn:ngsi-ld:AirQualityObserved:bench:aq-0001"


def with_our_ports(bench: WorkerBench) -> str:
    text = EXAMPLE.read_text(encoding="utf-8")
    ports = {"9092": bench.kafka.ports["PLAINTEXT"], "1883": bench.mosquitto.port, "9464": free_port()}
    for written, ours in ports.items():
        assert text.count(f"127.0.0.1:{written}") == 1
        text = text.replace(f"127.0.0.1:{written}", f"127.0.0.1:{ours}")
    return text


def measured(value: float, code: str) -> dict[str, object]:
    return {"type": "Property", "value": value, "unitCode": code, "observedAt": OBSERVED}


@pytest.fixture
def example(bench: WorkerBench, tmp_path: Path) -> WorkerBench:
    """Run the file's own tenant, whose topics are made anew; no other test uses it."""
    bench.tenant = "bench"
    text = with_our_ports(bench)
    worker = bench.new_headrace(yaml.safe_load(text), env={"XDG_STATE_HOME": str(tmp_path)})
    worker.file.write_text(text, encoding="utf-8")
    worker.process.start()
    worker.wait_ready()
    bench.publish_on([("city/aq/0001", json.dumps(READING).encode())])
    metrics = bench.settled(worker, 1)
    assert fates(metrics) == {"published": 1}
    assert worker.stop() == 0
    [settled] = events(worker.logged(), "All messages have their fate.")
    assert settled["messages"] == 1
    return bench


def test_the_example_field_by_field(example: WorkerBench) -> None:
    [record] = example.records()
    assert example.letters() == []
    assert example.client.partitions(example.topic) == example.client.partitions(example.letter_topic) == 6
    assert record.topic == "bench.AirQualityObserved.v1"
    assert record.key == ID.encode()

    entity = entity_of(record)
    context = entity.pop("@context")
    assert isinstance(context, list)
    assert entity.pop("dateObserved") == {"type": "Property", "value": {"@type": "DateTime", "@value": OBSERVED}}
    place = {"type": "Point", "coordinates": [4.89, 52.37]}
    assert entity.pop("location") == {"type": "GeoProperty", "value": place, "observedAt": OBSERVED}
    assert entity == {
        "id": ID,
        "type": "AirQualityObserved",
        "temperature": measured(21.5, "CEL"),
        "relativeHumidity": measured(0.452, "C62"),
        "pm10": measured(12.1, "GQ"),
        "pm25": measured(7.4, "GQ"),
        "no2": measured(31.5, "GQ"),
    }
    assert b"battery" not in (record.value or b"")
    assert b"3.61" not in (record.value or b"")
    the_headers_say_whence(headers_of(record), record.timestamp)


def the_headers_say_whence(headers: dict[str, str], timestamp: int) -> None:
    assert headers.keys() == REQUIRED | {"ce_licence"}
    assert headers["ce_id"] == f"AirQualityObserved:aq-0001:{READING['ts']}-2{crc32c(json.dumps(READING).encode()):08x}"
    assert headers["ce_source"] == "/tenants/bench"
    assert headers["ce_subject"] == ID
    assert headers["ce_time"] == OBSERVED
    assert headers["ce_dataclassification"] == "public"
    assert headers["ce_licence"] == "https://creativecommons.org/licenses/by/4.0/"
    assert headers["ce_feed"] == "city"
    assert headers["ce_connector"].startswith("city-aq@")
    # Kafka's own time, months after the observation.
    assert timestamp > READING["ts"] + 86_400_000
