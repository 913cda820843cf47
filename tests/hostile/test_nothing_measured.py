"""What measured nothing is not published, whatever a decoder makes of no bytes; and a distance is no weather."""

import json
from collections import Counter
from pathlib import Path

import pytest

from tests.hostile.experiment import Experiment, sized
from tests.integration.worker_bench import WorkerBench, entity_of, headers_of

pytestmark = pytest.mark.real
ROUNDS = sized(2, 500)
CARELESS = """
from headrace import Attribute, Connector
connector = Connector(
    vendor="nobody", devices=("tank",), owner="@tests", model="DeviceMeasurement",
    decode=lambda got: {"mm": int.from_bytes(got.payload[:2]) - 32, "battery": int.from_bytes(got.payload[2:])},
    attributes={"numValue": Attribute("mm", unit="mm")}, device={"batteryLevel": Attribute("battery", unit="%")},
)
"""


def test_no_bytes_and_no_value_make_no_entity(bench: WorkerBench, tmp_path: Path) -> None:
    (tmp_path / "tank.py").write_text(CARELESS, encoding="utf-8")
    words = {
        "model": "DeviceMeasurement",
        "device": {"topic": "device"},
        "observed_at": "arrival",
        "attributes": {"numValue": {"field": "v", "unit": "m"}, "controlledProperty": {"field": "what"}},
    }
    connectors = {"tank": {"use": "nobody/tank", "device": {"topic": "device"}}, "words": words}
    routes = [{"topic": f"{bench.tenant}/{name}/{{device}}", "connector": name} for name in connectors]
    made = bench.config(feed={"subscribe": [f"{bench.tenant}/#"], "routes": routes})
    own = {"connectors": connectors, "connector_paths": [str(tmp_path)], "streams": {}}
    worker = bench.worker({**made, **own})
    tank, told = f"{bench.tenant}/tank/1", f"{bench.tenant}/words/2"
    nothing = [(tank, b""), (told, json.dumps({"what": "level"}).encode())]
    bench.publish_on([(tank, b"\x03\xe8\x50"), *nothing * ROUNDS])
    bench.settled(worker, 1 + 2 * ROUNDS)
    assert worker.stop() == 0

    measured = [entity_of(each) for each in bench.client.consume_all(f"{bench.tenant}.DeviceMeasurement.v1")]
    about = [
        entity_of(each)["controlledProperty"]["value"]
        for model in ("Device", "DeviceModel")
        for each in bench.client.consume_all(f"{bench.tenant}.{model}.v1")
    ]
    reasons = Counter(headers_of(letter)["ce_reason"] for letter in bench.letters())
    with Experiment("nothing measured") as experiment:
        values = [each["numValue"]["value"] for each in measured]
        experiment.expect("only what was measured is published", came=values, holds=values == [0.968])
        experiment.expect("all else is a dead letter", came=reasons, holds=reasons == {"nothing_measured": 2 * ROUNDS})
        experiment.expect("a distance is no weather", came=about, holds=about == [[], []])
        related = measured[0]["refDevice"]["object"]
        experiment.expect("it refers to its Device", came=related, holds=related.startswith("urn:ngsi-ld:Device:"))
