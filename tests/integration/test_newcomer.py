"""A newcomer's first half hour on a real Mosquitto and Kafka: `init` to entity, mistake to repair."""

import json
import os
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.integration.newcomer import Newcomer
from tests.support.kafka import Kafka
from tests.support.mosquitto import Mosquitto
from tests.support.ports import LOOPBACK, free_port

pytestmark = pytest.mark.real
GOLDEN = Path(__file__).parent / "golden"
MISTAKES = {
    "wrong_port": ("url: mqtt://127.0.0.1:{mqtt}", "url: mqtt://127.0.0.1:{closed}", 1),
    "misspelt_key": ("    subscribe: ", "    subscribes: ", 2),
    "unknown_unit": ("unit: degC", "unit: degrees-C", 2),
    "missing_location": ("    location: {longitude: lon, latitude: lat} ", "    #", 2),
    "no_topic": ("  create_topics: {partitions: 6} ", "  # ", 1),
}


def reading(**changes: object) -> str:
    now = round(time.time() * 1000)
    usual = {"device": "aq-0001", "ts": now, "temperature": 21.5, "humidity": 45.2, "lat": 52.37, "lon": 4.89}
    return json.dumps({**usual, **changes})


@pytest.fixture
def newcomer(tmp_path: Path, new_mosquitto: Callable[..., Mosquitto], kafka: Kafka, tenant: str) -> Newcomer:
    """Have run `init` and edited one line."""
    person = Newcomer(tmp_path, new_mosquitto(durable=False), kafka)
    person.types("headrace init mqtt --output city.yaml")
    person.edits("tenant: city ", f"tenant: {tenant} ")
    person.settles_in()
    return person


def test_the_first_half_hour(newcomer: Newcomer, tenant: str) -> None:
    assert "city.yaml: ok" in newcomer.types("headrace check city.yaml")
    worker = newcomer.starts()
    try:
        the_entity_arrives(newcomer, tenant)
        a_broken_payload_is_found(newcomer)
        the_configuration_is_mended_and_the_letter_replayed(newcomer, tenant)
    finally:
        worker.terminate()
        assert worker.wait(120) == 0


def the_entity_arrives(newcomer: Newcomer, tenant: str) -> None:
    newcomer.publishes("city/aq/0001", reading())
    said = newcomer.types("headrace tail AirQualityObserved city.yaml --from-beginning --count 1")
    assert f"urn:ngsi-ld:AirQualityObserved:{tenant}:aq-0001" in said
    assert "temperature: 21.5 CEL" in said
    assert "relativeHumidity: 0.452 C62" in said


def a_broken_payload_is_found(newcomer: Newcomer) -> None:
    newcomer.publishes("city/aq/0002", reading(device="aq-0002", ts=datetime.now(UTC).isoformat()))
    said = newcomer.types("headrace tail city.yaml --dead-letters --from-beginning --count 1")
    assert "time_invalid (stage normalise, feed city" in said
    assert "Expected a number of ms in ts" in said
    assert '"device": "aq-0002"' in said
    said = newcomer.types("headrace replay city.yaml --dead-letters", expect=1)
    assert "0 came out as records" in said
    assert "1 time_invalid: Expected a number of ms in ts" in said


def the_configuration_is_mended_and_the_letter_replayed(newcomer: Newcomer, tenant: str) -> None:
    newcomer.edits("observed_at: {field: ts, unit: ms} ", "observed_at: {field: ts, format: iso} ")
    assert "city.yaml: ok" in newcomer.types("headrace check city.yaml")
    dry = newcomer.types("headrace replay city.yaml --dead-letters --dry-run")
    assert "1 would come out as records" in dry
    other = newcomer.types("headrace replay city.yaml --dead-letters --reason malformed")
    assert "1 not asked for" in other
    assert "1 came out as records" in newcomer.types("headrace replay city.yaml --dead-letters --since 1h")
    said = newcomer.types("headrace tail AirQualityObserved city.yaml --from-beginning --count 1 --key aq-0002")
    assert f"urn:ngsi-ld:AirQualityObserved:{tenant}:aq-0002" in said

    said = newcomer.types("headrace replay city.yaml --dead-letters")
    assert "0 came out as records" in said
    assert "1 replayed or dismissed before" in said
    report = json.loads(newcomer.types("headrace replay city.yaml --dead-letters --again --format json"))
    assert report["published"] == 1
    lines = newcomer.types(
        "headrace tail AirQualityObserved city.yaml --from-beginning --count 2 --key aq-0002 --format json"
    )
    ids = [json.loads(line)["headers"]["ce_id"] for line in lines.splitlines()]
    assert len(ids) == 2
    assert len(set(ids)) == 1, "a consumer can tell that the second is the first again"


@pytest.mark.parametrize("name", MISTAKES)
def test_the_five_most_likely_mistakes(newcomer: Newcomer, tenant: str, name: str) -> None:
    """HEADRACE_GOLDEN=write rewrites the texts; read the difference before you commit it."""
    old, new, code = MISTAKES[name]
    ports = {"{mqtt}": str(newcomer.mosquitto.port), "{closed}": str(free_port())}
    for placeholder, port in ports.items():
        old, new = old.replace(placeholder, port), new.replace(placeholder, port)
    newcomer.edits(old, new)

    said = newcomer.types("headrace check city.yaml --connect", expect=code)

    text = newcomer.without_ports(said).replace(tenant, "TENANT")
    golden = GOLDEN / f"mistake_{name}.txt"
    if os.environ.get("HEADRACE_GOLDEN") == "write":
        golden.write_text(text, encoding="utf-8")
    assert text == golden.read_text(encoding="utf-8")
    assert LOOPBACK not in text.replace("127.0.0.1:PORT", "")
