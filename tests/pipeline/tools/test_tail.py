"""`headrace tail`: a record for a person, whatever its form."""

from __future__ import annotations

import pytest

from pipeline.core.record import decode_headers
from pipeline.encode import FORMS, Form
from pipeline.models import MODELS
from pipeline.publish.consumer import StoredRecord
from pipeline.tools.tail import readable
from tests.pipeline.encode.examples import known

TIMES = {
    "normalised": ["dateObserved: 2026-01-21T12:53:20.000Z"],
    "concise": ["dateObserved: 2026-01-21T12:53:20.000Z"],
    "flat": ["time: 2026-01-21T12:53:20.000Z"],
}


@pytest.mark.parametrize("form", FORMS)
def test_a_record_of_any_form_reads_the_same(form: Form) -> None:
    example = known(MODELS["IndoorEnvironmentObserved"])
    assert example is not None
    record = example.record(FORMS[form])
    stored = StoredRecord(
        "t", 0, 7, record.destination.key, record.value, tuple(decode_headers(record.headers)), record.timestamp
    )
    first, *lines = readable(stored).splitlines()
    assert first.endswith("t 0@7  urn:ngsi-ld:IndoorEnvironmentObserved:bench:x-1")
    assert [line.strip() for line in lines] == [
        "refDevice: urn:ngsi-ld:Device:bench:x-1",
        "relativeHumidity: 0.333",
        "co2: 13500.0",
        "atmosphericPressure: 700.0",
        "illuminance: 66666.667",
        "peopleCount: 33333.333",
        "sensorHeight: 33.333",
        "sensorPlacement: northWall",
        *TIMES[form],
        "location: [4.8952, 52.3702, 1.5]",
        "temperature: 20.0 CEL",
    ]
