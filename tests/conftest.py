"""What every test may ask for: the real parts, and the official data to test against."""

import os
import re
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import settings

from pipeline.core import logs
from tests.support.certs import Certificates
from tests.support.headrace import Headrace
from tests.support.kafka import Kafka
from tests.support.kafka_client import KafkaClient
from tests.support.kafka_cluster import KafkaCluster
from tests.support.mosquitto import Mosquitto
from tests.support.prometheus import Prometheus
from tests.support.toolchain import MissingToolError

ROOT = Path(__file__).resolve().parent.parent
Part = TypeVar("Part", Mosquitto, Kafka, Prometheus)
USERS = {"headrace": "headrace-secret"}
# Kafka's own values: the short ones of `Kafka` cost CPU, and speed up the second life of a killed broker only.
NEVER_KILLED = {"broker.session.timeout.ms": "9000", "broker.heartbeat.interval.ms": "2000"}

# Hundreds of processes start; each would compile the engine again where the environment forbids to keep what it made.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# Each test has a limit of its own; one example that is slow once says only that the machine is busy.
settings.register_profile("unhurried", settings(), deadline=None)
settings.load_profile("unhurried")


def missing(reason: str) -> Any:
    """Skip on a developer's machine that lacks something; fail in CI, where a skip would hide it."""
    if os.environ.get("CI", "").lower() in {"1", "true"}:
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup() -> Iterator[None]:
    yield from _without_tools()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Iterator[None]:
    yield from _without_tools()


@pytest.fixture(autouse=True)
def _log_as_before() -> Iterator[None]:
    """Let no test that begins the log change what the next one hears."""
    with logs.undone():
        yield


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="session")
def mosquitto(tmp_path_factory: pytest.TempPathFactory, certificates: Certificates) -> Iterator[Mosquitto]:
    """One broker for the whole run, with every listener; use your own topics and client ids, and never stop it."""
    folder = tmp_path_factory.mktemp("mosquitto")
    with Mosquitto(folder, durable=False, certificates=certificates, websockets=True) as broker:
        yield broker


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory, certificates: Certificates) -> Iterator[Kafka]:
    """One Kafka for the whole run, with every listener; use your own topics (`tenant`), and never stop it."""
    folder = tmp_path_factory.mktemp("kafka")
    with Kafka(folder, certificates=certificates, users=USERS, settings=NEVER_KILLED, keep_classes=True) as broker:
        yield broker


@pytest.fixture(scope="session")
def mortal_kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kafka]:
    """One Kafka for all tests that kill or stall one: they ask for `living_kafka`."""
    with Kafka(tmp_path_factory.mktemp("mortal-kafka")) as broker:
        yield broker


@pytest.fixture
def living_kafka(mortal_kafka: Kafka) -> Iterator[Kafka]:
    """Give the mortal Kafka, mended after the test if the test left it stalled or dead."""
    yield mortal_kafka
    mortal_kafka.process.resume()
    if not mortal_kafka.process.running:
        mortal_kafka.start()


@pytest.fixture
def kafka_client(kafka: Kafka) -> KafkaClient:
    return KafkaClient(kafka.bootstrap())


@pytest.fixture
def tenant(request: pytest.FixtureRequest) -> str:
    """Name a tenant that no other test has, and that says in a log which test it was."""
    name = re.sub(r"[^a-z0-9]+", "-", request.node.name.removeprefix("test_").lower()).strip("-")
    return f"t-{name[:30].rstrip('-')}-{uuid.uuid4().hex[:6]}"


@pytest.fixture
def new_mosquitto(tmp_path: Path) -> Iterator[Callable[..., Mosquitto]]:
    """Make started brokers of the test's own, to stop, kill and reconfigure; takes what Mosquitto takes."""
    yield from _factory(Mosquitto, tmp_path / "mosquitto")


@pytest.fixture
def new_kafka(tmp_path: Path) -> Iterator[Callable[..., Kafka]]:
    """Make started Kafkas of the test's own, to stop, kill and reconfigure; takes what Kafka takes."""
    yield from _factory(Kafka, tmp_path / "kafka")


@pytest.fixture
def kafka_cluster(tmp_path: Path) -> Iterator[KafkaCluster]:
    """Three nodes of the test's own, to take a leader away."""
    with KafkaCluster(tmp_path / "kafka-cluster") as cluster:
        yield cluster


@pytest.fixture
def new_prometheus(tmp_path: Path) -> Iterator[Callable[..., Prometheus]]:
    """Make started Prometheuses; takes what Prometheus takes."""
    yield from _factory(Prometheus, tmp_path / "prometheus")


@pytest.fixture
def new_headrace(tmp_path: Path) -> Iterator[Callable[..., Headrace]]:
    """Make workers, not yet started, which end with the test; takes what Headrace takes after its folder."""
    made: list[Headrace] = []

    def make(config: Mapping[str, Any], **options: Any) -> Headrace:
        made.append(Headrace(tmp_path / f"headrace-{len(made)}", config, **options))
        return made[-1]

    yield make
    for worker in made:
        if worker.process.running:
            # What a test left running it does not judge: no time is lost on draining.
            worker.kill()


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Find the official schemas and samples, which are not in this repository."""
    folder = Path(os.environ.get("HEADRACE_SHARED") or ROOT.parent / "shared" / "data")
    if not folder.is_dir():
        missing(f"no official schemas at {folder}: set HEADRACE_SHARED to the folder that holds smart-data-models/")
    return folder


def _without_tools() -> Iterator[None]:
    try:
        yield
    except MissingToolError as problem:
        missing(str(problem))


def _factory(kind: Callable[..., Part], folder: Path) -> Iterator[Callable[..., Part]]:
    started: list[Part] = []

    def make(**options: Any) -> Part:
        part = kind(folder / str(len(started)), **options)
        started.append(part)
        part.start()
        return part

    yield make
    for part in started:
        if part.process.running:
            part.stop()
