"""The checker finds what is planted: a fault test proves nothing if its judge is blind."""

import json
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.support.checker import Counts, Key, Life, Verdict, count, reading_of
from tests.support.kafka_client import Consumed

START = 1_769_000_000_000
DEVICES = 7
TOPIC = "bench.AirQualityObserved.v1"
SENT: list[Key] = [(f"aq-{number % DEVICES:04d}", START + number) for number in range(700)]

EXPOSITION = """# TYPE headrace_received_messages_total counter
headrace_received_messages_total{feed="city"} 10.0
headrace_received_messages_total{feed="other"} 5.0
headrace_messages_total{fate="published",feed="city"} 6.0
headrace_messages_total{fate="published",feed="other"} 5.0
headrace_messages_total{fate="shed",feed="city"} 0.0
headrace_in_flight_messages{feed="city"} 4.0
headrace_in_flight_messages{feed="other"} 0.0
headrace_conserved{feed="city"} 1.0
headrace_conserved{feed="other"} 1.0
headrace_acknowledged_messages_total{feed="city"} 6.0
headrace_stale_messages_total{feed="city"} 0.0
"""


def record(key: Key, offset: int = 0, partition: int = 0) -> Consumed:
    device, ts = key
    time = datetime.fromtimestamp(ts / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    entity_id = f"urn:ngsi-ld:AirQualityObserved:bench:{device}"
    observed = {"type": "Property", "value": {"@type": "DateTime", "@value": time}}
    value = json.dumps({"id": entity_id, "type": "AirQualityObserved", "dateObserved": observed}).encode()
    headers = (("ce_id", f"AirQualityObserved:{device}:{ts}-20a1b2c3d".encode()),)
    return Consumed(TOPIC, partition, offset, entity_id.encode(), value, headers, ts)


def stored(keys: Iterable[Key]) -> list[Consumed]:
    """Two partitions, as Kafka gives them back: one after the other."""
    offsets = [0, 0]
    records = []
    for key in keys:
        partition = int(key[0][-1]) % 2
        records.append(record(key, offsets[partition], partition))
        offsets[partition] += 1
    return sorted(records, key=lambda each: each.partition)


def test_a_run_without_a_defect() -> None:
    assert count(SENT, stored(SENT)) == Counts(sent=700, records=700, distinct=700)


@pytest.mark.parametrize("place", [0, 333, 699])
def test_each_lost_message_is_found(place: int) -> None:
    counts = count(SENT, stored([*SENT[:place], *SENT[place + 1 :]]))

    assert counts == Counts(sent=700, records=699, distinct=699, lost=1, examples={"lost": [str(SENT[place])]})


def test_nothing_at_all_arrived() -> None:
    counts = count(SENT, [])

    assert (counts.lost, counts.distinct, len(counts.examples["lost"])) == (700, 0, 5)


def test_a_resend_in_order_is_duplicates_only() -> None:
    counts = count(SENT, stored([*SENT[:400], *SENT[300:]]))

    assert (counts.duplicated, counts.lost, counts.reordered, counts.distinct) == (100, 0, 0, 700)


def test_two_messages_of_a_device_that_changed_places() -> None:
    swapped = SENT.copy()
    swapped[70], swapped[77] = swapped[77], swapped[70]

    counts = count(SENT, stored(swapped))

    assert (counts.reordered, counts.lost, counts.duplicated) == (1, 0, 0)
    assert str(SENT[70]) in counts.examples["reordered"][0]


def test_two_messages_of_different_devices_may_change_places() -> None:
    swapped = SENT.copy()
    swapped[70], swapped[72] = swapped[72], swapped[70]

    assert count(SENT, stored(swapped)) == Counts(sent=700, records=700, distinct=700)


def test_a_resend_does_not_hide_a_late_first_occurrence() -> None:
    late = [key for key in SENT if key != SENT[0]]

    counts = count(SENT, stored([*late, SENT[0]]))

    assert (counts.reordered, counts.lost) == (1, 0)


def test_what_was_never_sent_is_unexpected() -> None:
    counts = count(SENT, stored([*SENT, ("aq-0001", START - 1)]))

    assert (counts.unexpected, counts.distinct, counts.duplicated) == (1, 700, 0)


def test_what_was_not_acknowledged_may_come_or_not() -> None:
    maybe = [("aq-0001", START + 1000), ("aq-0002", START + 1001)]

    counts = count(SENT, stored([*SENT, maybe[0]]), maybe)

    assert (counts.recovered, counts.unexpected, counts.lost, counts.sent) == (1, 0, 0, 700)


def test_a_device_in_two_partitions_is_scattered() -> None:
    records = stored(SENT[:-1])

    counts = count(SENT, [*records, record(SENT[-1], 999, partition=5)])

    assert (counts.scattered, counts.lost) == (1, 0)


def test_a_message_sent_twice_cannot_be_judged() -> None:
    with pytest.raises(ValueError, match="named twice"):
        count([*SENT, SENT[0]], stored(SENT))


@pytest.mark.parametrize(
    "change",
    [
        {"value": None},
        {"value": b"{"},
        {"value": b"{}"},
        {"value": b"[]"},
        {"key": b"urn:ngsi-ld:AirQualityObserved:bench:aq-0002"},
        {"headers": ()},
        {"headers": (("ce_id", b"AirQualityObserved:aq-0003:1"),)},
        {"headers": (("ce_id", b"AirQualityObserved:aq-0001:1769000000000"),)},
    ],
)
def test_a_record_that_contradicts_itself_is_unexpected(change: dict[str, object]) -> None:
    whole = record(SENT[0])
    fields = {name: getattr(whole, name) for name in Consumed.__slots__}
    broken = Consumed(**{**fields, **change})

    with pytest.raises(ValueError, match=r"no entity|but entity"):
        reading_of(broken)
    assert (count(SENT[:1], [broken]).unexpected, count(SENT[:1], [broken]).lost) == (1, 1)


def test_a_life_is_read_from_its_metrics() -> None:
    assert Life.of(EXPOSITION) == Life(
        received=15, fates={"published": 11}, in_flight=4, acknowledged=6, stale=0, conserved=True
    )


@pytest.mark.parametrize(
    ("sound", "broken"),
    [
        ('headrace_messages_total{fate="published",feed="city"} 6.0', 'headrace_messages_total{fate="published"} 5.0'),
        ('headrace_in_flight_messages{feed="city"} 4.0', 'headrace_in_flight_messages{feed="city"} 5.0'),
        ('headrace_conserved{feed="city"} 1.0', 'headrace_conserved{feed="city"} 0.0'),
    ],
)
def test_a_message_without_a_fate_breaks_the_conservation(sound: str, broken: str) -> None:
    assert not Life.of(EXPOSITION.replace(sound, broken)).conserved


def verdict(counts: Counts, *, dead_lettered: int = 0, lives: int = 1, conserved: bool = True) -> Verdict:
    life = Life(received=1, fates={"published": 1}, in_flight=0, acknowledged=1, stale=0, conserved=conserved)
    return Verdict("A planted run", counts, ["SIGKILL"], [life] * lives, dead_lettered, duplicates_allowed=3)


def test_a_good_verdict() -> None:
    verdict(Counts(sent=9, distinct=9, duplicated=3)).assert_good()


@pytest.mark.parametrize(
    "bad",
    [
        verdict(Counts(lost=1)),
        verdict(Counts(reordered=1)),
        verdict(Counts(scattered=1)),
        verdict(Counts(unexpected=1)),
        verdict(Counts(duplicated=4)),
        verdict(Counts(), dead_lettered=1),
        verdict(Counts(), conserved=False),
        verdict(Counts(), lives=0),
    ],
)
def test_each_defect_makes_the_verdict_bad(bad: Verdict) -> None:
    with pytest.raises(AssertionError, match="A planted run"):
        bad.assert_good()
    assert bad.as_json()["good"] is False


def test_a_source_that_cannot_send_again_may_lose_what_was_in_flight() -> None:
    lost = verdict(Counts(lost=3))
    assert replace(lost, lost_allowed=3).defects() == []
    assert len(replace(lost, lost_allowed=2).defects()) == 1


def test_the_verdict_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HEADRACE_VERDICTS", str(tmp_path / "verdicts"))
    counts = count(SENT, stored(SENT[1:]))

    file = verdict(counts).write()

    found = json.loads(file.read_text(encoding="utf-8"))
    assert file == tmp_path / "verdicts" / "a-planted-run.json"
    expected = {"sent": 700, "distinct": 699, "lost": 1, "duplicated": 0, "reordered": 0, "conservation": True}
    assert {name: found[name] for name in expected} == expected
    assert found["examples"]["lost"] == [str(SENT[0])]
