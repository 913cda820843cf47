"""What an operator reads when the configuration is wrong: the exact texts, worth reading.

HEADRACE_GOLDEN=write rewrites them; read the difference before you commit it.
"""

import os
from pathlib import Path

import pytest

from pipeline import config
from pipeline.core.errors import ConfigError

GOLDEN = Path(__file__).parent / "golden"
EXAMPLE = Path(__file__).parents[3] / "deploy" / "examples" / "bench.yaml"
CASES = {
    "wrong_key": ("max_in_flight: 5000", "max_inflight: 5000"),
    "unknown_unit": ("unit: degC", "unit: degrC"),
    "wrong_dimension": ("unit: degC", "unit: hPa"),
    "missing_unit": ("pm10: {field: pm10, unit: ug/m3}", "pm10: {field: pm10}"),
    "unknown_attribute": ("temperature: {", "temprature: {"),
    "missing_location": ("    location: {latitude: lat, longitude: lon} ", "    #"),
    "swapped_location": ("location: {latitude: lat, longitude: lon}", "location: [52.37, 104.89]"),
    "swapped_fields": ("{latitude: lat, longitude: lon}", "{latitude: lon, longitude: lat}"),
    "duplicate_key": ("    qos: 1", "    qos: 1\n    url: mqtt://127.0.0.1:1884"),
    "unset_variable": ("mqtt://127.0.0.1:1883", "mqtt://${MQTT_HOST}:1883"),
    "unset_credentials": ("tenant: bench", "tenant: ${CREDENTIALS_DIRECTORY}"),
    "password_without_tls": ("mqtt://127.0.0.1:1883", "mqtt://broker.example\n    username: u\n    password: hunter2"),
    "user_in_url": ("mqtt://127.0.0.1:1883", "mqtt://user:hunter2@127.0.0.1:1883"),
    "boolean_tenant": ("tenant: bench", "tenant: no"),
    "octal": ("qos: 1", "qos: 01"),
    "percent_without_quotes": ('unit: "%"', "unit: %"),
    "connector_not_there": ("connector: city-aq", "connector: city-qa"),
    "bare_duration": ("    qos: 1", "    keepalive: 30"),
    "missing_client_id": ("    client_id: headrace-bench\n", ""),
    "no_scheme": ("mqtt://127.0.0.1:1883", "127.0.0.1:1883"),
}


def refusal(text: str, file: str = "city.yaml") -> str:
    with pytest.raises(ConfigError) as problem:
        config.parse(text, file, {})
    return str(problem.value) + "\n"


def hold(name: str, text: str) -> None:
    golden = GOLDEN / f"{name}.txt"
    if os.environ.get("HEADRACE_GOLDEN") == "write":
        golden.write_text(text)
    assert text == golden.read_text()


@pytest.mark.parametrize("name", CASES)
def test_one_mistake_is_one_finding(name: str) -> None:
    old, new = CASES[name]
    example = EXAMPLE.read_text()
    assert old in example

    text = refusal(example.replace(old, new, 1))

    assert text.startswith("city.yaml has an error; nothing was started.")
    hold(name, text)


def test_everything_wrong_is_said_at_once() -> None:
    hold("everything_wrong", refusal((GOLDEN / "everything_wrong.yaml").read_text(), "everything_wrong.yaml"))


def test_no_golden_text_shows_a_secret() -> None:
    texts = [path.read_text() for path in GOLDEN.glob("*.txt")]

    assert len(texts) == len(CASES) + 1
    assert not [text for text in texts if "hunter2" in text]
