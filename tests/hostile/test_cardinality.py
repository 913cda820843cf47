"""B13: very many names, made up or not: memory a name, and whether a real device's silence is still noticed."""

import time
from collections.abc import Callable

import pytest

from tests.hostile.experiment import Experiment, sized
from tests.integration.worker_bench import WorkerBench, reading, until
from tests.support.headrace import Headrace
from tests.support.mosquitto import Mosquitto
from tests.support.mqtt_client import Publisher

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]
FIRST = 2_000
NAMES = sized(12_000, 132_500)
WHOLE = sized(short=False, full=True)
CHUNK = 1_000
MOST = 1_600  # bytes resident of the whole worker for each name, its rows on the way to the state file included
REAL = f"aq-{9_999_999:04d}"


def test_very_many_names(bench: WorkerBench, new_mosquitto: Callable[..., Mosquitto]) -> None:
    broker = new_mosquitto(durable=False, max_inflight_messages=0)
    config = bench.config()
    config["feeds"]["city"] |= {"url": broker.url, "routes": [{"topic": f"{bench.tenant}/#", "connector": "city-aq"}]}
    config["connectors"]["city-aq"]["observed_at"] = {"field": "ts", "unit": "ms", "max_age": "3650d"}
    config["silent_devices"] = {"after": 1.5, "intervals": {"city-aq": "1s"}}
    worker = bench.worker(config)
    with Experiment("Very many names") as experiment, Publisher(broker.port, "city") as city:

        def speak(first: int, end: int) -> None:
            for start in range(first, end, CHUNK):
                names = range(start, min(start + CHUNK, end))
                real = [(f"{bench.tenant}/aq/real", reading(start, 9_999_999))]
                city.publish([*real, *((f"{bench.tenant}/aq/{name}", reading(0, name)) for name in names)])

        def quiet() -> int:
            """Return the resident bytes once all is settled and written."""
            until(lambda: worker.metric("headrace_in_flight_messages") == 0, "all messages to be settled")
            time.sleep(sized(1, 4))  # for a look, and a write of the state
            return worker.rss()

        speak(0, FIRST)
        before = quiet()
        speak(FIRST, NAMES)
        after = quiet()
        each = (after - before) / (NAMES - FIRST)
        experiment.expect(f"at most {MOST} bytes for each name", came=round(each), holds=each <= MOST)
        known = worker.metric("headrace_remembered_names", what="entities")
        limit = worker.metric("headrace_remembered_limit", what="entities")
        lost = worker.metric("headrace_forgotten_names_total", what="seen")
        full = limit < NAMES  # then all are looked up anew, and counted again as they speak
        experiment.expect("how many are known is told", came=known, holds=known <= limit and (known > FIRST or full))
        experiment.expect("forgotten names are counted", came=lost, holds=(lost > 0) == full)
        if WHOLE:
            for number in range(13):  # on its own, so that its silence is not one of thousands at one time
                city.publish([(f"{bench.tenant}/aq/real", reading(NAMES + number, 9_999_999))])
                time.sleep(1)
            noticed = silence_of_the_real_one(worker)
            experiment.expect("a real device's silence is noticed", came=noticed, holds=noticed)
        experiment.notes |= {"names": NAMES, "MiB before": before >> 20, "MiB after": after >> 20}
    assert worker.stop() == 0


def silence_of_the_real_one(worker: Headrace) -> bool:
    """Wait for the silence of the device that spoke between all the others."""
    deadline = time.monotonic() + 60
    file = worker.folder / "state" / "silent-devices.json"
    while time.monotonic() < deadline:
        if file.exists() and REAL in file.read_text(encoding="utf-8"):
            return True
        time.sleep(0.5)
    return False
