"""A network server's devices that the registry does not know: refused, said, listed, and taken in on SIGHUP."""

import base64
import json
import os
import signal
from pathlib import Path
from struct import pack

import pytest

from pipeline.__main__ import main
from tests.integration.worker_bench import WorkerBench, entity_of, fates, headers_of, until
from tests.support.headrace import ROOT
from tests.support.log import events

pytestmark = pytest.mark.real
KNOWN, STRANGER = "0011223344556601", "0011223344556602"
NOW = base64.b64encode(pack(">hBB", -50, 55, 80)).decode()
APPLICATION = "5f1d6e0c-0000-4000-8000-000000000001"


def uplink(dev_eui: str, counter: int) -> bytes:
    """Make an uplink as ChirpStack 4 publishes it in JSON."""
    info = {
        "tenantId": APPLICATION,
        "tenantName": "city",
        "applicationId": APPLICATION,
        "applicationName": "halls",
        "deviceProfileId": APPLICATION,
        "deviceProfileName": "th",
        "deviceName": f"Hall {dev_eui[-1]}",
        "devEui": dev_eui,
        "tags": {"floor": "3"},
    }
    return json.dumps(
        {
            "deduplicationId": f"5f1d6e0c-0000-4000-8000-{counter:012d}",
            "time": f"2026-01-21T12:50:{counter % 60:02d}.000000+00:00",
            "deviceInfo": info,
            "devAddr": "01ab23cd",
            "adr": True,
            "dr": 5,
            "fCnt": counter,
            "fPort": 2,
            "confirmed": False,
            "data": NOW,
            "rxInfo": [],
        }
    ).encode()


def registry(*euis: str) -> str:
    shared = "connector: acme/th-1, location: [3.7174, 51.0543]"
    return "".join(f'- {{key: asset-{eui[-1]}, dev_eui: "{eui}", {shared}}}\n' for eui in euis)


def test_from_refused_to_published(bench: WorkerBench, capsys: pytest.CaptureFixture[str]) -> None:
    made = bench.config(feed={"dialect": "auto", "subscribe": [f"{bench.tenant}/application/#"]})
    del made["feeds"]["city"]["routes"]
    vendors = str(ROOT / "tests" / "support" / "vendors")
    made |= {"connectors": {}, "streams": {}, "connector_paths": [vendors]}
    worker = bench.new_headrace({**made, "devices": "devices.yaml"})
    file = Path(worker.folder) / "devices.yaml"
    file.write_text(registry(KNOWN))
    worker.start()

    def publish(dev_eui: str, *counters: int) -> None:
        topic = f"{bench.tenant}/application/{APPLICATION}/device/{dev_eui}/event/up"
        bench.publish_on([(topic, uplink(dev_eui, counter)) for counter in counters])

    publish(KNOWN, 1)
    publish(STRANGER, 1, 2, 3)
    assert fates(bench.settled(worker, 4)) == {"published": 1, "dead_lettered": 3}
    assert {headers_of(letter)["ce_reason"] for letter in bench.letters()} == {"device_unknown"}
    until((worker.folder / "state" / "unknown-devices.json").exists, "the note of unknown devices", 20)
    message = "Uplinks of unknown devices are refused; `headrace devices unknown CONFIG` says more."
    [refused] = events(worker.logged(), message)
    assert (refused["uplinks"], refused["devices"], refused["first"]) == (3, 1, [STRANGER])
    assert main(["devices", "unknown", str(worker.file)]) == 0
    [row] = [line for line in capsys.readouterr().out.splitlines() if line.startswith(STRANGER)]
    assert " 3 " in row
    assert "name Hall 2" in row
    assert "floor=3" in row

    file.write_text(registry(KNOWN, STRANGER))
    os.kill(worker.process.pid, signal.SIGHUP)
    until(lambda: any(each.get("devices") == 2 for each in events(worker.logged())), "the reload", 20)
    publish(STRANGER, 4)
    assert fates(bench.settled(worker, 5)) == {"published": 2, "dead_lettered": 3}
    assert worker.stop() == 0
    assert json.loads((worker.folder / "state" / "unknown-devices.json").read_text()) == []
    ids = {entity_of(record)["id"] for record in bench.client.consume_all(f"{bench.tenant}.WeatherObserved.v1")}
    assert ids == {f"urn:ngsi-ld:WeatherObserved:{bench.tenant}:asset-{at}" for at in (1, 2)}
