"""The Device entity is whole after a SIGKILL: what was acknowledged of a device is known to the next life."""

import json
import time
from typing import Any

import pytest

from tests.faults.rig import KILLED
from tests.integration.worker_bench import WorkerBench, entity_of
from tests.support.headrace import ROOT, Headrace

pytestmark = [pytest.mark.real, pytest.mark.fault]
FIRMWARE, BATTERY = 5, 4  # the ports of acme/th-1


def config(bench: WorkerBench) -> dict[str, Any]:
    made = bench.config(feed={"routes": [{"topic": f"{bench.tenant}/lora", "connector": "lora"}]})
    lora = {
        "use": "acme/th-1",
        "location": [4.8952, 52.3702],
        "device": {"field": "id"},
        "payload": {"field": "data", "encoding": "hex"},
        "port": {"field": "fPort"},
    }
    vendors = [str(ROOT / "tests" / "support" / "vendors")]
    return {**made, "connectors": {"lora": lora}, "streams": {}, "connector_paths": vendors}


def tell(bench: WorkerBench, port: int, data: bytes) -> None:
    message = json.dumps({"id": "0A1B", "fPort": port, "data": data.hex()}).encode()
    bench.publish_on([(f"{bench.tenant}/lora", message)])


def devices(bench: WorkerBench) -> list[tuple[float | None, str | None]]:
    """Return battery and firmware of each record of the device, oldest first."""
    records = [entity_of(record) for record in bench.client.consume_all(f"{bench.tenant}.Device.v1")]
    told = [{name: each.get("value") for name, each in entity.items() if isinstance(each, dict)} for entity in records]
    return [(values.get("batteryLevel"), values.get("firmwareVersion")) for values in told]


def acknowledged(worker: Headrace, messages: int) -> None:
    """Wait as long as the source does, and not a moment more."""
    deadline = time.monotonic() + 90
    while worker.metric("headrace_acknowledged_messages_total") < messages:
        assert time.monotonic() < deadline, worker.process.tail()
        time.sleep(0.005)


def test_battery_and_firmware_of_different_messages_outlive_a_sigkill(bench: WorkerBench) -> None:
    worker = bench.worker(config(bench))
    tell(bench, BATTERY, bytes([80]))
    for life in range(1, 4):
        tell(bench, FIRMWARE, bytes([life, 7]))
        acknowledged(worker, 2 if life == 1 else 1)
        assert worker.kill() == KILLED
        worker.start()
        tell(bench, BATTERY, bytes([80]))
        bench.settled(worker, 1)
        assert devices(bench)[-1] == (0.8, f"{life}.7"), f"after death {life}"
        assert worker.kill() == KILLED
        worker.start()
    assert worker.stop() == 0


# after_put: learned, nothing sent. after_confirm: in Kafka, and the source was not told, so that it tells again.
@pytest.mark.parametrize("place", ["after_put", "after_confirm"])
def test_a_state_that_was_learned_in_the_moment_of_death_is_published(place: str, bench: WorkerBench) -> None:
    worker = bench.worker(config(bench))
    tell(bench, FIRMWARE, b"\x01\x07")
    bench.settled(worker, 1)
    assert worker.stop() == 0

    worker.process.env["HEADRACE_FAILPOINT"] = place
    worker.start()
    tell(bench, BATTERY, bytes([80]))
    assert worker.process.wait(90) == KILLED, worker.process.tail()

    worker.process.env["HEADRACE_FAILPOINT"] = ""
    worker.start()
    bench.settled(worker, 1)
    assert devices(bench)[-1] == (0.8, "1.7"), "the message came again, and is published though it may be known"
    assert worker.stop() == 0
