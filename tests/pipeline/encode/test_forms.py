"""The forms of a record's value: golden records of every model, and what each form keeps of the normalised one.

HEADRACE_GOLDEN=write rewrites the golden records; read the difference before you commit it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.core.delivery import Message
from pipeline.core.record import Record, decode_headers
from pipeline.devices.registry import Device
from pipeline.encode import FORMS, EntityView, Form, form_of, read
from pipeline.encode.encoder import LATITUDE, LONGITUDE, MOMENT, VALUE, Template
from pipeline.encode.flat_json import OWN_NAMES, UNIT
from pipeline.encode.headers import recorded_header
from pipeline.models import MODELS
from pipeline.normalise.binding import Source
from tests.pipeline.encode.examples import PLACE, Example, bound, examples, whole
from tests.pipeline.flow import ARRIVAL, READING, path, plan_of
from tests.support.concise import normalised
from tests.support.records import assert_record, parse_strictly

GOLDEN = Path(__file__).parent / "golden"
OF_THE_FORM = {"content-type", "ce_dataschema"}
JSON = st.recursive(
    st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
STRANGE: Any = st.sampled_from(
    [
        {"type": "Point", "coordinates": [4.9, 52.4]},
        {"type": "Property", "value": 1},
        {"type": "PostalAddress", "streetAddress": "Dam 1"},
        {"value": 1, "unitCode": "CEL"},
        {"object": "urn:ngsi-ld:Device:bench:x"},
        {"languageMap": {"nl": "ja"}},
        [{"value": 1}, {"value": 2}],
        ["a", "b"],
        {"@value": "2026-01-21"},
    ]
)


def texts(record: Record) -> dict[str, str]:
    return {name: value.decode() for name, value in decode_headers(record.headers)}


def written(title: str, record: Record) -> str:
    headers = "".join(f"{name}: {text}\n" for name, text in texts(record).items())
    return f"# {title}\n{headers}\n{record.value.decode()}\n"


@pytest.mark.parametrize("form", FORMS)
def test_the_golden_records_of_every_model(form: Form) -> None:
    made = "\n".join(written(each.name, each.record(FORMS[form])) for each in examples())
    golden = GOLDEN / f"{form}.txt"
    if os.environ.get("HEADRACE_GOLDEN") == "write":
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(made, encoding="utf-8")
    assert made == golden.read_text(encoding="utf-8")


def test_readers_tell_the_forms_apart_by_content_type() -> None:
    assert {form: form_of(encoder.content_type) for form, encoder in FORMS.items()} == {form: form for form in FORMS}
    assert tuple(FORMS) == get_args(Form), "what `format` may say is what there is"
    assert form_of("application/ld+json") == "normalised", "what was published before there were forms"


@pytest.mark.parametrize("example", examples(), ids=lambda each: each.name)
def test_id_key_and_headers_are_those_of_any_form(example: Example) -> None:
    records = {form: example.record(encoder) for form, encoder in FORMS.items()}
    assert len({record.destination.key for record in records.values()}) == 1
    assert len({record.destination.topic for record in records.values()}) == 1
    headers = {form: texts(record) for form, record in records.items()}
    rest = [{name: told[name] for name in told if name not in OF_THE_FORM} for told in headers.values()]
    assert rest == [rest[0]] * len(FORMS)
    schema = MODELS[example.binding.model].schema_url
    schemas = {form: told.get("ce_dataschema") for form, told in headers.items()}
    assert schemas == {"normalised": schema, "concise": schema, "flat": None}, (
        "no official schema describes the flat one"
    )


@pytest.mark.parametrize("example", examples(), ids=lambda each: each.name)
def test_every_form_reads_back_as_the_same_entity(example: Example) -> None:
    views = {}
    for form, encoder in FORMS.items():
        record = example.record(encoder)
        views[form] = read(texts(record)["content-type"], parse_strictly(record.value))
    assert views["concise"] == views["normalised"]
    plain, flat = views["normalised"], views["flat"]
    assert (flat.id, flat.type, flat.place) == (plain.id, plain.type, plain.place)
    times = {*MODELS[example.binding.model].time, "time", "time_from"}
    assert [each for each in flat.members if each.name not in times] == [
        each for each in plain.members if each.name not in times
    ]


def known(constants: dict[str, Any], fields: dict[str, Any]) -> Example:
    """Return a reading of a device of which the registry states something, whatever it is."""
    model = MODELS["AirQualityObserved"]
    measured = {name: model.attribute(name) for name in ("no2", "airQualityIndex", "relativeHumidity")}
    binding = bound(model, {name: each for name, each in measured.items() if each is not None})
    return Example("known", binding, fields, Device("x-1", location=PLACE, attributes=constants))


READINGS = st.fixed_dictionaries(
    {"ts": st.sampled_from([ARRIVAL - 1000, 1]), "no2": st.sampled_from([31.5, 31, 1e12])},
    optional={
        "airQualityIndex": st.sampled_from([3, None, "3", 2.5]),
        "relativeHumidity": st.sampled_from([45.2, 130, True, None]),
        "lon": st.just(PLACE[0]),
        "lat": st.just(PLACE[1]),
    },
).filter(lambda fields: ("lon" in fields) == ("lat" in fields))
CONSTANTS = st.dictionaries(st.sampled_from(["reliability", "typeofLocation", "pm10"]), JSON | STRANGE)


@settings(max_examples=200)
@given(constants=CONSTANTS, fields=READINGS)
def test_concise_to_normalised_gives_the_record_back(constants: dict[str, Any], fields: dict[str, Any]) -> None:
    example = known(constants, fields)
    concise = parse_strictly(example.record(FORMS["concise"]).value)
    expected = json.loads(example.record(FORMS["normalised"]).value)
    assert json.dumps(normalised(concise)) == json.dumps(expected)


@pytest.mark.parametrize("example", [*map(whole, MODELS.values())], ids=lambda each: each.name)
def test_what_is_concise_passes_every_check_of_a_record_once_it_is_normalised(example: Example) -> None:
    record = example.record(FORMS["concise"])
    value = json.dumps(normalised(json.loads(record.value))).encode()
    headers = [*decode_headers(record.headers)]
    headers[0] = "content-type", b"application/ld+json"
    if example.binding.model != "DeviceModel":  # which measures nothing
        assert_record(value, headers, record.destination.key)


@settings(max_examples=200)
@given(constants=CONSTANTS, fields=READINGS)
def test_what_is_flat_holds_the_same_values_and_units(constants: dict[str, Any], fields: dict[str, Any]) -> None:
    example = known(constants, fields)
    record = example.record(FORMS["flat"])
    flat = parse_strictly(record.value)
    entity = json.loads(example.record(FORMS["normalised"]).value)
    del entity["@context"]
    expected = {"id": entity.pop("id"), "type": entity.pop("type")}
    expected["time"] = entity.pop("dateObserved")["value"]["@value"]
    expected |= dict(zip(("lon", "lat", "alt"), entity.pop("location")["value"]["coordinates"], strict=False))
    for name, attribute in entity.items():
        expected[name] = attribute.get("value", attribute.get("object"))
        if "unitCode" in attribute:
            expected[f"{name}{UNIT}"] = attribute["unitCode"]
    assert flat == expected
    assert expected["time"] == texts(record)["ce_time"]


class Lines:
    """A form that is no JSON object, with its time before each value: all that a new form has to write."""

    content_type = "text/plain"
    conforms = False
    opening = b"100% of "

    def head(self, model: str) -> bytes:
        return f" ({model})".encode()

    def stated(self, _: Mapping[str, Any]) -> bytes:
        return b""

    related = stated

    def times(self, _: Sequence[str]) -> Template:
        return []

    def location(self, **_: bool) -> Template:
        return [b" at ", LATITUDE, b" N ", LONGITUDE, b" E"]

    def attribute(self, name: str, unit: str) -> Template:
        return [b"\n", MOMENT, f" {name} ".encode(), VALUE, f" {unit}".encode()]

    def tail(self, _: Iterable[str]) -> bytes:
        return b"\n"

    def read(self, _: Mapping[str, Any]) -> EntityView:
        return EntityView("", "", ())


def test_a_new_form_is_one_class_and_both_ways_through_the_plan_write_it() -> None:
    plan = plan_of(encoder=Lines(), attributes={"no2": Source(path("no2"), "ug/m3")})
    given = READING, plan.entity("aq-0001"), Message("city/aq/0001", b"", ARRIVAL), recorded_header(ARRIVAL), 0
    record = plan.fast(*given)
    assert record is not None
    assert record == plan.carefully(*given)
    assert record.value.decode() == (
        "100% of urn:ngsi-ld:AirQualityObserved:bench:aq-0001 (AirQualityObserved) at 52.37 N 4.89 E\n"
        "2026-01-21T12:53:20.000Z no2 31.5 GQ\n"
    )
    assert texts(record)["content-type"] == "text/plain"


def test_no_attribute_has_a_name_of_the_flat_form() -> None:
    names = {name for model in MODELS.values() for name in model.terms if name not in model.time}
    assert not names & OWN_NAMES
    assert not {name for name in names if name.endswith(UNIT)}
