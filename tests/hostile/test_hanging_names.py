"""SIGTERM while a name server does not answer: the worker ends by its deadline, whatever name it waits for."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.hostile.experiment import Experiment, sized
from tests.integration.worker_bench import WorkerBench, reading, until
from tests.support.hanging_names import VARIABLE
from tests.support.headrace import Headrace
from tests.support.kafka import Kafka

pytestmark = pytest.mark.real
DRAIN = "2s"
PATIENCE = 20.0  # a lookup of these names hangs for an hour
STARTS: Mapping[str, Mapping[str, Any]] = {
    "kafka.hang.test": {"bootstrap_servers": ["kafka.hang.test:9092"]},
    "token.hang.test": {
        "security_protocol": "SASL_PLAINTEXT",
        "sasl": {
            "mechanism": "OAUTHBEARER",
            "token_url": "https://token.hang.test/token",
            "client_id": "headrace",
            "client_secret": "not-a-secret-of-anyone",
        },
    },
}


class Names:
    """The names of which the worker's name server says nothing."""

    def __init__(self, file: Path, *names: str) -> None:
        self._file, self._asked = file, Path(f"{file}.asked")
        self.hang(*names)
        self.launch = {"launcher": ("-m", "tests.support.hanging_names"), "env": {VARIABLE: str(file)}}

    def hang(self, *names: str) -> None:
        self._file.write_text("\n".join(names), encoding="ascii")

    def asked(self, name: str) -> bool:
        return self._asked.exists() and name in self._asked.read_text(encoding="ascii").split()


def ended(worker: Headrace) -> int:
    """SIGTERM; the exit code, or SIGKILL's when the process did not end."""
    return worker.stop(timeout=PATIENCE)


@pytest.mark.parametrize("name", sized(["kafka.hang.test"], [*STARTS]))
def test_sigterm_during_the_start(bench: WorkerBench, tmp_path: Path, name: str) -> None:
    names = Names(tmp_path / "names", name)
    kafka = {"bootstrap_servers": [bench.kafka.bootstrap("OAUTHBEARER")], **STARTS[name]}
    worker = bench.new_headrace({**bench.config(kafka=kafka), "drain_timeout": DRAIN}, **names.launch)
    worker.start(wait=False)
    until(lambda: names.asked(name), f"a lookup of {name}")

    with Experiment(f"SIGTERM during the start while {name} does not resolve") as experiment:
        code = ended(worker)
        experiment.expect("the worker ends by its deadline", came=code, holds=code == 0)


@pytest.mark.fault
@pytest.mark.timeout(120)
def test_sigterm_while_running(
    bench: WorkerBench, living_kafka: Kafka, tmp_path: Path, new_headrace: Callable[..., Headrace]
) -> None:
    """Kafka goes, and then its name; another feed's broker never had one that resolves."""
    names = Names(tmp_path / "names", "broker.hang.test")
    config = bench.config(kafka={"bootstrap_servers": [f"localhost:{living_kafka.ports['PLAINTEXT']}"]})
    far = {**config["feeds"]["city"], "url": "mqtt://broker.hang.test", "client_id": f"{bench.tenant}-far"}
    config |= {"feeds": {**config["feeds"], "far": far}, "drain_timeout": DRAIN}
    worker = new_headrace(config, **names.launch)
    worker.start(wait=False)
    worker.process.wait_until(lambda: "The feed reads." in worker.logged())
    bench.publish(reading(1))
    until(lambda: worker.metric("headrace_published_records_total") == 1, "a record in Kafka")
    names.hang("broker.hang.test", "localhost")
    living_kafka.kill()
    until(lambda: names.asked("localhost") and names.asked("broker.hang.test"), "lookups that hang")
    bench.publish(*[reading(number) for number in range(2, 22)])
    until(lambda: worker.metric("headrace_in_flight_messages") == 20, "messages that wait for Kafka")

    with Experiment("SIGTERM while the names of Kafka and of a broker do not resolve") as experiment:
        live = worker.live()
        experiment.expect("the worker lives", came=live, holds=live)
        code = ended(worker)
        experiment.expect("the worker ends by its deadline", came=code, holds=code == 0)
