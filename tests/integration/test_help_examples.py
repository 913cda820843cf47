"""Every example of every command's `--help` is run, in a folder with the files that it names."""

import json
import re
import shutil
import time
from pathlib import Path

import pytest

from pipeline.cli.parser import every, root, tree
from tests.integration.newcomer import Newcomer
from tests.support.headrace import ROOT
from tests.support.kafka import Kafka
from tests.support.kafka_client import KafkaClient
from tests.support.mosquitto import Mosquitto

pytestmark = pytest.mark.real
EXAMPLES = list(dict.fromkeys(example for command in every((root(),)) for example in command.examples()))
MAY_SAY_NO = {"explain": 1, "doctor": 3, "top": 1}
"""A dead letter is an answer too, and so are a warning, and that no worker runs: their exit codes."""
UNENDING = {"run": "TERM 6", "tail": "INT 10", "demo": "INT 8"}
"""The signal that ends it, and after how many seconds."""
SHORTER = {"=...": "=x", "--seconds 20": "--seconds 5"}
TENANT = "ghent"


@pytest.fixture(scope="module")
def newcomer(tmp_path_factory: pytest.TempPathFactory, mosquitto: Mosquitto, kafka: Kafka) -> Newcomer:
    """Have the files, the topics and one record."""
    person = Newcomer(tmp_path_factory.mktemp("help"), mosquitto, kafka)
    person.types("headrace init mqtt --output city.yaml")
    person.edits("tenant: city ", f"tenant: {TENANT} ")
    person.edits("city/aq/{device}", "help/aq/{device}")
    person.edits('subscribe: ["city/#"]', 'subscribe: ["help/#", "city/aq/+"]')
    person.settles_in()
    examples = person.folder / "deploy" / "examples"
    examples.mkdir(parents=True)
    for file in (ROOT / "deploy" / "examples").glob("*.yaml"):
        (examples / file.name).write_text(file.read_text(encoding="utf-8"), encoding="utf-8")
    reading = {"device": "aq-0001", "ts": round(time.time() * 1000), "temperature": 21.5, "lat": 52.37, "lon": 4.89}
    shutil.copytree(ROOT / "tests" / "support" / "vendors", person.folder / "my-connectors")
    person.types("headrace init lorawan --output lorawan.yaml")
    with (person.folder / "lorawan.yaml").open("a", encoding="utf-8") as lorawan:
        lorawan.write("devices: devices.yaml\n")
    (person.folder / "devices.yaml").write_text("# none yet\n[]\n", encoding="utf-8")
    export = ROOT / "tests" / "pipeline" / "tools" / "enrol" / "exports" / "the-things-stack.json"
    shutil.copy(export, person.folder / "devices.json")
    uplink = {"deviceInfo": {"devEui": "0011223344556677"}, "fCnt": 1, "fPort": 1, "data": "AA=="}
    (person.folder / "up.json").write_text(json.dumps(uplink), encoding="utf-8")
    (person.folder / "reading.json").write_text(json.dumps(reading), encoding="utf-8")
    client = KafkaClient(kafka.bootstrap())
    for topic in (f"{TENANT}.AirQualityObserved.v1", f"{TENANT}.dead-letter.v1"):
        if topic not in client.topics():
            client.create_topic(topic, 6)
    client.produce(f"{TENANT}.AirQualityObserved.v1", [(b"urn", b"{}")] * 10)
    return person


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_of_the_help(newcomer: Newcomer, example: str) -> None:
    name, line = command_of(example), example
    for long, short in SHORTER.items():
        line = line.replace(long, short)
    if name in UNENDING and not re.search("--count 10|--seconds", line):
        line = re.sub(r"\bheadrace ", f"timeout --preserve-status -s {UNENDING[name]} headrace ", line, count=1)
    config = newcomer.folder / "city.yaml"
    mine = config.read_text(encoding="utf-8")
    try:
        newcomer.types(f"{line} || [ $? -eq {MAY_SAY_NO[name]} ]" if name in MAY_SAY_NO else line)
    finally:
        config.write_text(mine, encoding="utf-8")  # `headrace init mqtt > city.yaml` is an example too


def command_of(example: str) -> str:
    found = re.search(r"\bheadrace ([a-z]+)", example)
    assert found, example
    return found[1]


def test_every_command_is_among_them() -> None:
    assert {command_of(example) for example in EXAMPLES} == {command.name for command in tree()}
    assert all(command.examples() for command in every((root(),)))


def test_the_version(newcomer: Newcomer) -> None:
    assert newcomer.types("headrace --version").startswith("headrace ")
    assert Path(newcomer.folder / "city.yaml").exists()
