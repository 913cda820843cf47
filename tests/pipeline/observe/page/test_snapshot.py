"""What the page is told: the figures of Prometheus, the last of each list, and never more than a bounded document."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from time import process_time, time
from typing import Any

import orjson
import pytest

from pipeline import config
from pipeline.core.delivery import Fate, Lane, Ledger, Message
from pipeline.core.errors import Reason
from pipeline.core.record import Destination, Record, encode_headers
from pipeline.devices.registry import CurrentRegistry, Device, DeviceRegistry
from pipeline.devices.silence import SilentDevice
from pipeline.encode import FORMS, Form
from pipeline.encode.dead_letter import DeadLetters
from pipeline.lorawan.statistics import FrameStatistics, RadioStatistics
from pipeline.models import MODELS
from pipeline.observe.metrics import Metrics
from pipeline.observe.page import LatestEntities, RecentDeadLetters, Sources, about
from pipeline.observe.page.recent import MOST, POINTS, FigureHistory, quantile
from pipeline.observe.page.snapshot import ConfigSummary, snapshot
from tests.pipeline.encode.examples import whole
from tests.support.headrace import example_config

CITY = ConfigSummary(
    "ghent",
    {"city": ("mqtt", "mqtt://127.0.0.1:1883")},
    {"city-aq": ("AirQualityObserved",)},
    patience={"city": 0.76},
)
LETTERS = DeadLetters("ghent", "ghent.dead-letter.v1")


def message(topic: str = "city/aq/1") -> Message:
    return Message(topic, b"{}", 1_700_000_000_000)


def entity(number: int, place: object = (3.7, 51.0), headers: Sequence[tuple[str, bytes]] = ()) -> Record:
    identity = f"urn:ngsi-ld:AirQualityObserved:ghent:{number}"
    document = {"id": identity, "type": "AirQualityObserved", "pm10": {"value": 12.5, "unitCode": "GQ"}}
    if place is not None:
        document["location"] = {"type": "GeoProperty", "value": {"type": "Point", "coordinates": place}}
    destination = Destination("ghent.AirQualityObserved.v1", identity.encode(), "city", "city-aq@1")
    return Record.make(
        destination, orjson.dumps(document), encode_headers(headers), 1_700_000_000_000 + number, message()
    )


def letter(reason: Reason, connector: str = "city-aq@1", message: Message = message()) -> Record:  # noqa: B008
    told = {"feed": "city", "connector": connector, "stage": "decode", "detail": "expected a number, got a text"}
    return LETTERS.record(message, reason=reason, **told)


def sources(about: ConfigSummary = CITY) -> Sources:
    return Sources(lambda: about, Metrics("1.2.3", ["closed"]), list, RecentDeadLetters(), LatestEntities(), list)


def told_of_five_messages(silent: Sequence[SilentDevice] = ()) -> dict[str, Any]:
    looked = replace(sources(), silent=lambda: silent)
    ledger = Ledger()
    looked.metrics.feed("city", ledger, 5000).connected(up=True)
    lane: Lane[bytes] = Lane(None, 5000, ledger=ledger)
    lane.receive(5, b"").seal(Fate.PUBLISHED, 3)
    looked.metrics.dead_lettered("city", Reason.MALFORMED)
    looked.metrics.publish.confirmed("ghent.AirQualityObserved.v1", 3, 900, [(0.02, 3)])
    return snapshot(looked, FigureHistory(looked.metrics), time())


def test_the_figures_are_those_of_the_metrics() -> None:
    told = told_of_five_messages()
    assert (told["version"], told["tenant"], told["conserved"], told["not_ready"]) == ("1.2.3", "ghent", True, [])
    assert (told["received"], told["in_flight"], told["fates"]["published"]) == (5, 2, 3)
    [feed] = told["feeds"]
    assert (feed["connected"], feed["received"], feed["in_flight"], feed["limit"]) == (True, 5, 2, 5000)
    [dead] = told["dead_letters"]
    assert dead == {
        "reason": "malformed",
        "explanation": Reason.MALFORMED.explanation,
        "count": 1,
        "feeds": {"city": 1},
        "recent": None,
    }
    assert told["topics"] == [{"name": "ghent.AirQualityObserved.v1", "records": 3, "bytes": 900}]
    assert orjson.loads(orjson.dumps(told)) is not None


def test_the_newest_entities() -> None:
    newest = LatestEntities()
    for record in (entity(1), entity(2), entity(1), entity(3, place=None), letter(Reason.MALFORMED)):
        newest.note(record)
    newest.look()
    assert [each["id"].rpartition(":")[2] for each in newest.entities()] == ["1", "2"]
    assert newest.entities()[0]["values"] == {"pm10": "12.5 µg/m3"}
    assert newest.entities()[0]["place"] == [3.7, 51.0]
    assert newest.heard == {"city-aq": 1_700_000_000_003}


@pytest.mark.parametrize("form", FORMS)
def test_the_newest_entity_in_any_form(form: Form) -> None:
    newest = LatestEntities()
    newest.note(whole(MODELS["IndoorEnvironmentObserved"]).record(FORMS[form]))
    newest.look()
    [told] = newest.entities()
    assert told["id"] == "urn:ngsi-ld:IndoorEnvironmentObserved:bench:x-1"
    assert told["type"] == "IndoorEnvironmentObserved"
    assert told["place"] == [4.8952, 52.3702]
    shown = {"temperature": "20 °C", "relativeHumidity": "0.333", "co2": "13500 ppm", "atmosphericPressure": "700 hPa"}
    assert told["values"] == shown


def test_dead_letters_by_connector_and_one_of_each_reason() -> None:
    looked = sources()
    for each in (letter(Reason.MALFORMED), letter(Reason.MALFORMED), letter(Reason.NO_ROUTE, connector="")):
        looked.letters.note(each)
    looked.letters.look(samples=False)
    assert looked.letters.by_connector == {"city-aq": 2, "": 1}
    assert looked.letters.recent()["malformed"]["detail"] == "expected a number."
    assert looked.letters.recent()["no_route"]["topic"] == "city/aq/1"
    looked.metrics.costs, looked.metrics.slow = {"city-aq": 1.25, "climate": 0.5}, {"climate": 3}
    told = snapshot(looked, FigureHistory(looked.metrics), time())["connectors"]
    seen = [(each["name"], each["dead_letters"], each["cpu_seconds"]) for each in told]
    assert seen == [("city-aq", 2, 1.25), ("climate", 0, 0.5)]
    assert [each["slow"] for each in told] == [0, 3]


def test_whose_messages_could_not_be_used_of_late() -> None:
    letters = RecentDeadLetters()
    for number in (*range(2000), 1990, 1999, 1990):
        letters.note(letter(Reason.MALFORMED, message=message(f"city/aq/{number}")))
        letters.look(samples=False)
    told = [(each["topic"], each["reason"], each["count"]) for each in letters.wrong()]
    assert told[:3] == [
        ("city/aq/1990", "malformed", 3),
        ("city/aq/1999", "malformed", 2),
        ("city/aq/1998", "malformed", 1),
    ]
    assert len(told) == 8


@pytest.mark.parametrize(
    ("payload", "sample"),
    [
        (b'{"pm10": NaN}', '{"pm10": NaN}'),
        (b"\x1b[2J\n", r"\x1b[2J\n"),
        (b"\xff\x01" * 200, "ff01" * 50),
        (b"x" * 300, "x" * 200),
    ],
)
def test_a_payload_is_shown_only_when_it_may_be(payload: bytes, sample: str) -> None:
    letters = RecentDeadLetters()
    said = letter(Reason.MALFORMED, message=Message("city/aq/1", payload, 1_700_000_000_000))
    letters.note(said)
    letters.look(samples=True)
    assert letters.recent()["malformed"]["sample"] == sample
    assert letters.wrong()[0]["detail"] == "expected a number, got a text"
    letters.look(samples=False)
    assert (letters.recent(), letters.wrong()) == ({}, []), "what was allowed once is not for ever"
    for reason in (Reason.MALFORMED, Reason.PAYLOAD_ERROR):
        letters.note(letter(reason, message=message()))
    letters.look(samples=False)
    assert [each["sample"] for each in letters.recent().values()] == ["", ""]
    assert [each["detail"] for each in letters.recent().values()] == ["expected a number.", ""]


def test_entities_whose_newest_record_is_doubtful() -> None:
    newest, clock = LatestEntities(), [("ce_quality", b"clock")]
    doubted = [entity(number, headers=clock) for number in range(40)]
    for record in (*doubted, entity(39), entity(5, headers=[("ce_feed", b"ce_quality")])):
        newest.note(record)
    newest.look()
    assert [each["id"].rpartition(":")[2] for each in newest.doubtful.values()] == [str(n) for n in range(32, 39)]
    assert {each["quality"] for each in newest.doubtful.values()} == {"clock"}


def test_the_registrys_name_stands_beside_topic_and_entity() -> None:
    known = DeviceRegistry([Device("hall-3", name="Town hall", aliases=("aq 1",)), Device("2")])
    looked = replace(sources(), find=CurrentRegistry(known).find)
    for topic in ("city/aq/aq%201", "city/2/up", "city/strange"):
        looked.letters.note(letter(Reason.MALFORMED, message=message(topic)))
    looked.newest.note(entity(2, headers=[("ce_quality", b"clock")]))
    looked.letters.look(samples=False)
    looked.newest.look()
    told = snapshot(looked, FigureHistory(looked.metrics), 0.0)
    assert {each["topic"]: each["device"] for each in told["wrong"]} == {
        "city/aq/aq%201": "Town hall (hall-3)",
        "city/2/up": "2",
        "city/strange": None,
    }
    assert [each["device"] for each in told["doubtful"]] == ["2"]


def test_throughput_and_latency_by_the_second() -> None:
    metrics = Metrics("1", [])
    ledger = Ledger()
    metrics.feed("city", ledger, 10)
    history = FigureHistory(metrics)
    history.look(10.0, 1)
    ledger.received, ledger.fates[Fate.PUBLISHED], ledger.fates[Fate.DEAD_LETTERED] = 30, 20, 10
    metrics.publish.confirmed("t", 20, 1, [(0.0125, 20)])
    history.look(12.0, 2)
    history.look(13.0, 3)
    assert list(history.points) == [(2, 15.0, 10.0, 5.0, 0.0125, 0.01495), (3, 0.0, 0.0, 0.0, None, None)]
    for second in range(2 * POINTS):
        history.look(14.0 + second, second)
    assert len(history.points) == POINTS


@pytest.mark.parametrize(("share", "seconds"), [(0.5, 0.001), (0.99, 60.0)])
def test_a_quantile_stays_within_the_buckets(share: float, seconds: float) -> None:
    assert quantile([5, *[0] * 16, 5], share) == seconds
    assert quantile([0] * 18, share) is None


def crowded(devices: int) -> Sources:
    looked = sources()
    raw = looked.metrics.raw["radio"] = FrameStatistics()
    raw.rssi.add([-80.0, -90.0])
    raw.gateways = {f"{number:016x}": number for number in range(4096)}
    for number in range(devices):
        looked.newest.note(entity(number))
        looked.metrics.frames.received(looked.metrics.frames.refresh(f"{number:016x}"), "00000000", 1)
        looked.letters.note(letter(Reason.MALFORMED, message=message(f"city/aq/{number}")))
        if number % 50 == 0:
            looked.newest.look()
    looked.newest.look()
    looked.letters.look(samples=True)
    return looked


def test_100_000_devices_and_4_096_gateways_make_no_larger_document() -> None:
    looked = crowded(100_000)
    told = snapshot(looked, FigureHistory(looked.metrics), time())
    assert told["frames"]["received"] == 100_000
    assert len(told["entities"]) == MOST
    assert told["raw"][0]["rssi"] == -85.0
    assert [each["receptions"] for each in told["raw"][0]["busiest"]] == list(range(4095, 4083, -1))
    assert len(orjson.dumps(told)) < 64 * 1024
    assert seconds(looked) < 10 * seconds(crowded(1_000))


def seconds(looked: Sources) -> float:
    """Take the processor's time of the quickest of five snapshots."""
    took = []
    for _ in range(5):
        began = process_time()
        snapshot(looked, FigureHistory(looked.metrics), time())
        took.append(process_time() - began)
    return min(took)


def test_radio_of_gateways_and_of_what_a_server_tells() -> None:
    looked = sources()
    looked.metrics.raw["gates"], looked.metrics.radio["gates"] = FrameStatistics(), RadioStatistics()
    for feed in ("server", "silent"):
        looked.metrics.radio[feed] = RadioStatistics()
    looked.metrics.radio["server"].rssi.add([-100.0, -110.0])
    told = snapshot(looked, FigureHistory(looked.metrics), time())["raw"]
    assert [(each["feed"], each["gateways"], each["rssi"]) for each in told] == [
        ("gates", 0, None),
        ("server", None, -105.0),
    ]


def test_what_it_says_of_the_configuration(tmp_path: Path) -> None:
    file = tmp_path / "city.yaml"
    written = example_config("ghent", "mqtt://127.0.0.1:1883", "127.0.0.1:9092")
    file.write_bytes(orjson.dumps(written))
    assert about(config.read(str(file)).config) == CITY
    written["connectors"]["climate"] = {"use": "dragino/lht65", "device": {"topic": "device"}, "location": [3.7, 51.0]}
    file.write_bytes(orjson.dumps(written))
    known = about(config.read(str(file)).config)
    assert list(known.connectors) == ["city-aq", "dragino/lht65"]
    assert known.called == {"climate": "dragino/lht65"}
