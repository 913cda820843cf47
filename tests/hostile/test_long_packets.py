"""A3 and B7: PUBLISH packets with large MQTT 5 properties and large payloads, which were cut and then decoded.

Each good message must come through with the very value that was sent, and nothing long may stop those behind it.
"""

import json
from collections.abc import Iterator

import pytest
from paho.mqtt.enums import MQTTProtocolVersion

from tests.hostile.experiment import Experiment, sized
from tests.integration.worker_bench import WorkerBench, fates, headers_of, reading
from tests.support.headrace import Headrace
from tests.support.kafka_client import Consumed
from tests.support.mqtt_client import MqttEndpoint, Publisher, user_properties

pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]
MESSAGES = sized(60, 600)
MIB = 1024 * 1024


def ultralight(bench: WorkerBench, **feed: object) -> Headrace:
    """Start a worker whose second route takes UltraLight."""
    config = bench.config(feed=feed)
    config["connectors"]["ul"] = {
        "model": "AirQualityObserved",
        "device": {"topic": "device"},
        "observed_at": "arrival",
        "location": [3.7174, 51.0543],
        "attributes": {"no2": {"field": "no2", "unit": "ug/m3"}},
    }
    route = {"topic": f"{bench.tenant}/ul/{{device}}", "connector": "ul", "format": "ultralight"}
    config["feeds"]["city"]["routes"].append(route)
    return bench.worker(config)


def readings(records: list[Consumed]) -> Iterator[float]:
    for record in records:
        yield json.loads(record.value or b"")["no2"]["value"]


def old_cuts(tenant: str) -> Iterator[tuple[str, bytes]]:
    """Yield values that end around where 240 KB beside 100 KB of properties were cut."""
    for number in range(MESSAGES // 3):
        size = 327_684 - 102_000 - 30 * number
        yield f"{tenant}/ul/{number}", b"pad|" + b"x" * size + b"|no2|987"


def test_large_properties_cost_nobody_a_message(bench: WorkerBench) -> None:
    worker = ultralight(bench, version="5")
    endpoint = MqttEndpoint(bench.mosquitto.port, protocol=MQTTProtocolVersion.MQTTv5)
    good = [(f"{bench.tenant}/aq/1", reading(number, note="n" * 240_000)) for number in range(MESSAGES // 3)]
    small = [(f"{bench.tenant}/aq/2", reading(number, 2)) for number in range(MESSAGES // 3)]
    values = list(old_cuts(bench.tenant))
    with Experiment("large MQTT 5 properties") as experiment, Publisher(endpoint) as publisher:
        for three in zip(good, small, values, strict=True):
            publisher.publish(three, properties=user_properties(100_000))
        publisher.publish([(f"{bench.tenant}/aq/3", reading(7, 3), True)], properties=user_properties(900_000))
        metrics = bench.settled(worker, MESSAGES + 1)
        reconnects = worker.metric("headrace_reconnects_total")
        assert worker.stop() == 0
        records = bench.records()
        found = sorted(readings([each for each in records if b":aq-" not in (each.key or b"")]))
        experiment.expect(
            "every message is published", came=fates(metrics), holds=fates(metrics) == {"published": MESSAGES + 1}
        )
        experiment.expect("no value is cut", came=found[:1], holds=found == [987.0] * len(values))
        experiment.expect("the connection stays", came=reconnects, holds=reconnects == 0)
    publisher_forgets(bench, endpoint)


def publisher_forgets(bench: WorkerBench, endpoint: MqttEndpoint) -> None:
    """Take the retained message away from the shared broker."""
    with Publisher(endpoint) as publisher:
        publisher.publish([(f"{bench.tenant}/aq/3", b"", True)])


def test_a_payload_beyond_all_limits_is_marked_and_not_decoded(bench: WorkerBench) -> None:
    """The start would decode, as 98 instead of 987: exactly so much is held."""
    sizes = sized([2 * MIB, 16 * MIB], [2 * MIB, 16 * MIB, 64 * MIB, 200 * MIB])
    worker = ultralight(bench, max_payload="2MiB")
    before = worker.rss()
    with Experiment("payloads beyond all limits") as experiment:
        for size in sizes:
            start = b"|no2|98"
            padding = b"pad|" + b"x" * (2 * MIB + 1 - 4 - len(start))
            bench.publish_on([(f"{bench.tenant}/ul/{size}", padding + start + b"7" * (size - 2 * MIB + 1))])
            bench.publish_on([(f"{bench.tenant}/aq/1", reading(size))])
        metrics = bench.settled(worker, 2 * len(sizes))
        experiment.expect(
            "each is a dead letter, and the message behind it published",
            came=fates(metrics),
            holds=fates(metrics) == {"published": len(sizes), "dead_lettered": len(sizes)},
        )
        grown = worker.peak_rss() - before
        experiment.expect("memory stays bounded", came=f"{grown / MIB:.0f} MiB", holds=grown < 96 * MIB)
        assert worker.stop() == 0
        letters = bench.letters()
        told = [headers_of(letter) for letter in letters]
        experiment.expect(
            "the letter says why",
            came=[each["ce_reason"] for each in told],
            holds={each["ce_reason"] for each in told} == {"payload_too_large"},
        )
        came = sorted((int(each["ce_payloadsize"]), int(each["ce_payloadkept"])) for each in told)
        kept = sorted(len(letter.value or b"") for letter in letters)
        experiment.expect(
            "both sizes are in its headers",
            came=came,
            holds=[size for size, _ in came] == [size + 2 for size in sizes] and sorted(k for _, k in came) == kept,
        )
        experiment.expect("as much is kept as the topic takes", came=kept, holds=min(kept) > 1_000_000)
