"""SIGHUP while messages flow: the device registry changes or is refused, and no message is lost or delayed for good."""

import os
import signal
import socket
from collections import Counter
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path

import pytest
import yaml

from tests.faults.load import Load
from tests.integration.worker_bench import WorkerBench, fates, headers_of, reading, until
from tests.support.headrace import Headrace
from tests.support.log import events

pytestmark = pytest.mark.real
CANARY = "ca11ab1e" * 4
DEVICES = 50


def registry(asset: str) -> str:
    """Call each station `<asset>-<number>`; messages call it `aq-<number>`, an alias."""
    keys = f"sessions: [{{dev_addr: 26000001, nwk_s_key: {CANARY}, app_s_key: {CANARY}}}]"
    lines = [f"- {{key: {asset}-{at}, aliases: [aq-{at:04d}]}}\n" for at in range(1, DEVICES + 1)]
    return "".join(lines) + f"- {{key: raw, {keys}}}\n"


def hang_up(worker: Headrace, said: str, times: int) -> None:
    os.kill(worker.process.pid, signal.SIGHUP)
    until(lambda: worker.logged().count(said) >= times, f"{said!r}, {times} times", 20)


@pytest.fixture
def load(bench: WorkerBench) -> Iterator[Load]:
    load = Load(bench.mosquitto.url, rate=500, devices=DEVICES, prefix=f"{bench.tenant}/aq")
    yield load
    load.abandon()


def test_reloaded_under_load_it_loses_nothing(bench: WorkerBench, load: Load) -> None:
    worker = bench.new_headrace({**bench.config(), "devices": "devices.yaml"})
    file = Path(worker.folder) / "devices.yaml"
    file.write_text(registry("first"))
    file.chmod(0o600)
    worker.start()
    load.start()
    for turn in range(1, 6):
        load.wait_for(200)
        file.write_text(registry(f"turn-{turn}"))
        hang_up(worker, "the configuration is reloaded", turn)
        load.wait_for(200)
        file.write_text(registry("wrong") + "- {key: wrong-1, connector: acme/nothing}\n")
        hang_up(worker, "refused, what is in use stays", turn)
    load.wait_for(200)
    load.stop()

    metrics = bench.settled(worker, load.acknowledged)
    assert fates(metrics) == {"published": load.acknowledged}
    assert worker.stop() == 0
    log = worker.logged()
    assert log.count("`wrong-1` is already a name of the device in line 1") == 5
    assert "Traceback" not in log
    assert CANARY not in log
    number_of = {str(at): f"aq-{at:04d}" for at in range(1, DEVICES + 1)}
    sent = Counter(load.keys())
    got = [headers_of(record)["ce_id"].split(":") for record in bench.records()]
    assert Counter((number_of[key.rpartition("-")[2]], int(ts.partition("-")[0])) for _, key, ts in got) == sent
    assets = Counter(key.rpartition("-")[0] for _, key, _ in got)
    assert assets.keys() == {"first", *(f"turn-{turn}" for turn in range(1, 6))}


def rewrite(worker: Headrace, said: str, times: int) -> None:
    worker.file.write_text(yaml.safe_dump(worker.config, sort_keys=False), encoding="utf-8")
    hang_up(worker, said, times)


def test_only_what_changed_is_touched(bench: WorkerBench, load: Load) -> None:
    worker = bench.worker()
    load.start()
    load.wait_for(200)
    reads, again = "The feed reads.", "the configuration is reloaded"
    feed, stream = worker.config["feeds"]["city"], worker.config["streams"]["AirQualityObserved"]

    stream["classification"] = "internal"
    rewrite(worker, again, 1)
    load.wait_for(200)
    assert len(events(worker.logged(), reads)) == 1, "the connection survives other terms of use"

    connector = deepcopy(worker.config["connectors"]["city-aq"])
    connector["model"], connector["attributes"] = (
        "WeatherObserved",
        {"temperature": connector["attributes"]["temperature"]},
    )
    worker.config["connectors"]["weather"] = connector
    weather = {**deepcopy(feed), "client_id": f"{bench.tenant}-w", "subscribe": [f"{bench.tenant}-w/#"]}
    weather["routes"] = [{"topic": f"{bench.tenant}-w/{{device}}", "connector": "weather"}]
    worker.config["feeds"]["weather"] = weather
    rewrite(worker, again, 2)
    until(lambda: len(events(worker.logged(), reads)) == 2, "the further feed", 20)
    bench.publish_on([(f"{bench.tenant}-w/one", reading())])
    until(
        lambda: worker.metric("headrace_published_records_total", topic=f"{bench.tenant}.WeatherObserved.v1") == 1, "it"
    )

    feed["keepalive"] = "20s"
    rewrite(worker, again, 3)
    until(lambda: len(events(worker.logged(), reads)) == 3, "the connection anew", 20)
    load.wait_for(200)

    del worker.config["feeds"]["weather"]
    rewrite(worker, again, 4)
    assert not [name for name in worker.metrics() if 'headrace_feed_connected{feed="weather"}' in name]
    load.stop()
    metrics = bench.settled(worker, load.acknowledged)
    assert fates(metrics) == {"published": load.acknowledged}
    terms = Counter(headers_of(record)["ce_dataclassification"] for record in bench.records())
    assert terms["public"] > 0
    assert terms["internal"] > 0
    assert sum(terms.values()) == load.acknowledged
    assert worker.stop() == 0


def test_what_cannot_change_is_refused_and_a_feed_that_cannot_start_stops_no_other(bench: WorkerBench) -> None:
    worker = bench.worker()
    good = deepcopy(worker.config)
    worker.config["kafka"] = {**good["kafka"], "linger": "20ms"}
    rewrite(worker, "refused, what is in use stays", 1)
    assert "cannot change while the worker runs" in worker.logged()
    assert worker.metric("headrace_config_stale") == 1
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        gates = {"kind": "semtech_udp", "listen": f"127.0.0.1:{taken.getsockname()[1]}"}
        worker.config.update(deepcopy(good))
        worker.config["feeds"]["gates"] = gates
        rewrite(worker, "the configuration is reloaded", 1)
        until(lambda: bool(events(worker.logged(), "A feed cannot start; it is tried again.")), "the refusal", 20)
    assert worker.metric("headrace_config_stale") == 0
    bench.publish(reading())
    assert fates(bench.settled(worker, 1)) == {"published": 1}
    assert not worker.ready()
    until(worker.ready, "another try", 30)
    assert worker.stop() == 0
