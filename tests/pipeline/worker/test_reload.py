"""The configuration read again: what is handed over, what is refused, and that nobody waits for it."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
import yaml

from pipeline.config.loading import Loaded, parse, read
from pipeline.config.root import Config
from pipeline.core.errors import ConfigError, StartError
from pipeline.devices.registry import CurrentRegistry, DeviceRegistry
from pipeline.observe.health import ConfigStatus
from pipeline.worker.process import Systemd
from pipeline.worker.reload import Reload, ReloadTargets
from tests.support.log import told

EXAMPLE = Path(__file__).parents[3] / "deploy" / "examples" / "bench.yaml"


class Everything:
    """Stands for the feeds, the publisher, the admin server and the devices, and notes what is done to them."""

    def __init__(self) -> None:
        self.done: list[Any] = []
        self.threads: set[int] = set()
        self.token: Callable[[], str] | None = None
        self.kafka: str = ""
        self.fails = False

    def stages(self, _: Config, name: str) -> str:
        return f"stages of {name}"

    async def rewire(self, name: str, stages: str) -> None:
        self.done.append(("rewired", name, stages))

    async def remove(self, name: str, _: float) -> None:
        self.done.append(("removed", name))

    async def reconnect(self, _: Config, name: str) -> None:
        self.done.append(("reconnected", name))

    def add(self, _: Config, name: str) -> None:
        if self.fails:
            raise KeyError("canary")
        self.done.append(("added", name))

    async def include(self, topics: set[str], _: object) -> None:
        if self.kafka:
            raise StartError(self.kafka)
        self.done.append(("topics", *sorted(topics)))

    def take(self, devices: DeviceRegistry) -> None:
        self.done.append(("devices", len(devices)))
        self.threads.add(threading.get_ident())

    def taken(self, _: Config) -> None:
        self.threads.add(threading.get_ident())


class Bench:
    """One `Reload`, and the file that it reads."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "headrace.yaml"
        self.content: dict[str, Any] = yaml.safe_load(EXAMPLE.read_text(encoding="utf-8"))
        self.write()
        self.reads = 0
        self.everything = Everything()
        self.in_force = ConfigStatus()

    def write(self) -> None:
        self.file.write_text(yaml.safe_dump(self.content), encoding="utf-8")

    def made(self, reading: Callable[[], Loaded] | None = None, patience: float = 60.0) -> Reload:
        all_of_it = cast("Any", self.everything)
        touched = ReloadTargets(all_of_it, all_of_it, all_of_it, [all_of_it], all_of_it.taken)
        loaded = read(self.file)

        def counted() -> Loaded:
            self.reads += 1
            return (reading or loaded.reread)()

        return Reload(loaded, counted, touched, self.in_force, Systemd({}), patience=patience)

    async def once(self, reload: Reload, asks: int = 1) -> list[Any]:
        """Ask, wait until it is served, and return what was done."""
        before = self.in_force.reloads + self.in_force.refusals
        running = asyncio.create_task(reload.run())
        for _ in range(asks):
            reload.ask()
        async with asyncio.timeout(60):
            while self.in_force.reloads + self.in_force.refusals == before:  # noqa: ASYNC110
                await asyncio.sleep(0.002)
        await asyncio.sleep(0.02)
        running.cancel()
        done, self.everything.done = self.everything.done, []
        return done


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_only_what_differs_is_touched(bench: Bench) -> None:
    async def go() -> None:
        reload = bench.made()
        first = bench.in_force.hash
        assert await bench.once(reload, asks=3) == []
        assert bench.reads == 1, "three signals at once are one wish"
        assert bench.in_force.hash == first

        city = bench.content["feeds"]["city"]
        for key, value in (("classification", "internal"), ("format", "flat")):
            bench.content["streams"]["AirQualityObserved"][key] = value
            bench.write()
            assert await bench.once(reload) == [("rewired", "city", "stages of city")]
        assert bench.in_force.hash != first

        bench.content["feeds"]["port"] = {**city, "client_id": "port", "subscribe": ["port/#"]}
        bench.write()
        assert await bench.once(reload) == [("added", "port")]
        bench.content["feeds"]["port"]["keepalive"] = "10s"
        bench.write()
        assert await bench.once(reload) == [("reconnected", "port")]
        del bench.content["feeds"]["port"]
        bench.write()
        assert await bench.once(reload) == [("removed", "port")]

        bench.content["devices"] = "devices.yaml"
        (bench.file.parent / "devices.yaml").write_text("- {key: a}\n", encoding="utf-8")
        bench.write()
        assert await bench.once(reload) == [("devices", 1), ("rewired", "city", "stages of city")]
        (bench.file.parent / "devices.yaml").write_text("- {key: a}\n- {key: b}\n", encoding="utf-8")
        assert await bench.once(reload) == [("devices", 2)]
        assert await bench.once(reload) == []
        assert bench.everything.threads == {threading.get_ident()}
        assert (bench.in_force.reloads, bench.in_force.refusals) == (9, 0)

    asyncio.run(go())


def test_a_further_model_gets_its_topic_before_anything_is_touched(bench: Bench) -> None:
    connectors, routes = bench.content["connectors"], bench.content["feeds"]["city"]["routes"]

    def weather() -> None:
        connectors["weather"] = {**connectors["city-aq"], "model": "WeatherObserved"}
        connectors["weather"]["attributes"] = {"temperature": {"field": "temperature", "unit": "degC"}}
        routes.insert(0, {"topic": "city/weather/{device}", "connector": "weather"})
        bench.write()

    async def go() -> None:
        reload = bench.made()
        weather()
        bench.everything.kafka = "Kafka has no topic."
        assert await bench.once(reload) == []
        assert bench.in_force.refused == ["Kafka has no topic."]
        bench.everything.kafka = ""
        topic = f"{bench.content['tenant']}.WeatherObserved.v1"
        assert await bench.once(reload) == [("topics", topic), ("rewired", "city", "stages of city")]
        assert bench.in_force.refused == []

    asyncio.run(go())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"tenant": "other"}, "tenant  cannot change while the worker runs."),
        ({"state_dir": "elsewhere"}, "state_dir  cannot change while the worker runs."),
        ({"kafka": {"bootstrap_servers": ["127.0.0.1:1"]}}, "kafka  cannot change while the worker runs."),
        ({"admin": {"listen": "127.0.0.1:1"}}, "admin.listen  cannot change while the worker runs."),
        ({"admin": {"listen": "127.0.0.1:9464", "token_file": "away"}}, "cannot be read"),
        ({"feeds": {}}, "; the configuration in use stays."),
        ({"colour": "blue"}, "colour"),
    ],
)
def test_what_cannot_be_taken_is_refused_with_its_reason(
    bench: Bench, caplog: pytest.LogCaptureFixture, change: dict[str, Any], said: str
) -> None:
    async def go() -> None:
        reload = bench.made()
        good = dict(bench.content)
        bench.content |= change
        bench.write()
        assert await bench.once(reload) == []
        assert said in "\n".join(bench.in_force.refused)
        bench.content = good
        bench.write()
        assert await bench.once(reload) == []
        assert bench.in_force.refused == []

    with caplog.at_level(logging.INFO):
        asyncio.run(go())
    assert [record.levelname for record in caplog.records] == ["ERROR", "INFO"]
    assert said in told(caplog)


def test_a_bug_of_ours_changes_nothing(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> Loaded:
        raise KeyError("canary")

    async def go() -> None:
        assert await bench.once(bench.made(fail)) == []

    asyncio.run(go())
    assert "bug" in told(caplog)
    assert "canary" not in told(caplog)
    assert bench.in_force.refused == ["A bug of ours: KeyError."]


def test_a_bug_while_it_is_applied_does_not_end_the_worker(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    async def go() -> None:
        reload = bench.made()
        bench.content["feeds"]["further"] = {**bench.content["feeds"]["city"], "client_id": "further"}
        bench.write()
        bench.everything.fails = True
        assert await bench.once(reload) == []
        bench.everything.fails = False
        assert await bench.once(reload) == [], "what was applied in part is not applied twice"

    asyncio.run(go())
    assert "applied in part" in told(caplog)
    assert "canary" not in told(caplog)
    assert bench.in_force.refusals == 1


CONNECTOR = """
from headrace import Attribute, Connector, Example, PayloadError

def decode(uplink):
    if len(uplink.payload) != 1:
        raise PayloadError("expected 1 byte")
    return {{"temperature": uplink.payload[0] * {factor}}}

connector = Connector(
    vendor="acme", devices=("t",), owner="@a", model="WeatherObserved", decode=decode,
    attributes={{"temperature": Attribute("temperature", unit="degC")}},
    examples=(Example("ten", hex="0a", expect={{"temperature": {expect}}}),),
)
"""


@pytest.fixture
def write(bench: Bench) -> Callable[[str], None]:
    """Put a vendor's connector in force that is as it should be, and return what writes another."""
    file = bench.file.parent / "vendors" / "acme.py"
    file.parent.mkdir()
    file.write_text(CONNECTOR.format(factor=1, expect=10.0), encoding="utf-8")
    bench.content["connector_paths"] = ["vendors"]
    bench.content["connectors"]["acme"] = {"use": "acme/t", "device": {"topic": "device"}, "location": [3.7, 51.0]}
    bench.content["feeds"]["city"]["routes"].insert(0, {"topic": "city/t/{device}", "connector": "acme"})
    bench.write()

    def write(code: str) -> None:
        file.write_text(code, encoding="utf-8")

    return write


def test_a_connector_is_held_to_its_examples_first(bench: Bench, write: Callable[[str], None]) -> None:
    async def go() -> None:
        reload = bench.made()
        assert await bench.once(reload) == []
        write(CONNECTOR.format(factor=2, expect=10.0))
        assert await bench.once(reload) == []
        assert "example 'ten'" in "\n".join(bench.in_force.refused)
        write(CONNECTOR.format(factor=2, expect=20.0))
        assert await bench.once(reload) == [("rewired", "city", "stages of city")]
        assert await bench.once(reload) == []

    asyncio.run(go())


IN_THE_MODULE, IN_THE_DECODER = "\ndef decode", "\n    if len"


@pytest.mark.parametrize("place", [IN_THE_MODULE, IN_THE_DECODER])
@pytest.mark.parametrize("end", ["KeyboardInterrupt", "SystemExit", "GeneratorExit"])
def test_a_connector_that_wants_to_end_the_process_is_refused(
    bench: Bench, write: Callable[[str], None], place: str, end: str
) -> None:
    async def go() -> None:
        reload = bench.made()
        indent = "" if place == IN_THE_MODULE else "    "
        wild = CONNECTOR.format(factor=1, expect=10.0).replace(place, f"\n{indent}raise {end}{place}", 1)
        write(wild)
        assert await bench.once(reload) == []
        assert bench.in_force.refused != []
        write(CONNECTOR.format(factor=1, expect=10.0) + "# mended\n")
        assert ("rewired", "city", "stages of city") in await bench.once(reload)

    asyncio.run(go())


@pytest.mark.parametrize("place", [IN_THE_MODULE, IN_THE_DECODER])
def test_a_connector_that_hangs_is_refused_and_awaited_by_nobody(
    bench: Bench, write: Callable[[str], None], place: str
) -> None:
    async def go() -> None:
        reload = bench.made(patience=1.0)
        indent = "" if place == IN_THE_MODULE else "    "
        hang = f"\n{indent}import time\n{indent}while True: time.sleep(1000)"
        hanging = CONNECTOR.format(factor=1, expect=10.0).replace(place, f"{hang}{place}", 1)
        write(hanging)
        assert await bench.once(reload) == []
        [why] = bench.in_force.refused
        assert why.startswith("Reading it takes longer than 1 s; the configuration in use stays. It is at ")
        assert "acme.py:" in why
        write(CONNECTOR.format(factor=1, expect=10.0) + "# mended\n")
        assert ("rewired", "city", "stages of city") in await bench.once(reload)

    asyncio.run(asyncio.wait_for(go(), 90))  # at its end `run` waits for every thread of the loop's own


def test_the_loop_goes_on_while_a_file_is_read(bench: Bench) -> None:
    reading, done = threading.Event(), threading.Event()

    def slow() -> Loaded:
        reading.set()
        assert done.wait(30)
        return parse(bench.file.read_text(encoding="utf-8"), str(bench.file), {})

    async def go() -> None:
        asked = asyncio.create_task(bench.once(bench.made(slow)))
        async with asyncio.timeout(30):
            while not reading.is_set():  # noqa: ASYNC110
                await asyncio.sleep(0.002)
        assert bench.in_force.reloads == 0
        done.set()
        await asked
        assert bench.in_force.reloads == 1

    asyncio.run(go())


def test_a_file_that_is_gone_is_refused(bench: Bench) -> None:
    async def go() -> None:
        reload = bench.made()
        bench.file.unlink()
        assert await bench.once(reload) == []
        assert bench.in_force.refusals == 1

    asyncio.run(go())
    with pytest.raises(ConfigError):
        read(bench.file)


def test_what_a_reload_has_replaced_is_told_nothing_and_kept_by_nobody() -> None:
    class Plan:
        told = 0

        def forget(self) -> None:
            Plan.told += 1

    directory, kept = CurrentRegistry(), Plan()
    directory.on_change(kept.forget)
    for _ in range(1000):
        directory.on_change(Plan().forget)
    directory.take(DeviceRegistry())
    assert Plan.told == 1
    assert len(directory._changed) <= 2
