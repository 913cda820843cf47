"""A check that cannot fail proves nothing: every one is given a defect that only it should catch."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from cloudevents.core.bindings.kafka import KafkaMessage

from pipeline.models import MODELS, context
from pipeline.models.context import CORE_CONTEXT
from tests.support import event_headers, ngsi_lint
from tests.support.event_headers import check_reads_back
from tests.support.records import assert_record, check_schema, parse_strictly, simplified

Entity = dict[str, Any]
Headers = dict[str, bytes]
AT = "2026-01-21T12:53:20.000Z"


def number(value: float | str, unit: str | None = None) -> Entity:
    made: Entity = {"type": "Property", "value": value, "unitCode": unit, "observedAt": AT}
    return {name: member for name, member in made.items() if member is not None}


def time(text: str = AT) -> Entity:
    return {"type": "Property", "value": {"@type": "DateTime", "@value": text}}


def point(*coordinates: float) -> Entity:
    return {"type": "GeoProperty", "value": {"type": "Point", "coordinates": list(coordinates)}, "observedAt": AT}


def entity_of(model: str, attributes: Entity) -> Entity:
    return {
        "id": f"urn:ngsi-ld:{model}:bench:aq-0001",
        "type": model,
        "location": point(4.89, 52.37),
        **attributes,
        "@context": list(MODELS[model].context),
    }


def air() -> Entity:
    relation = {"type": "Relationship", "object": "urn:ngsi-ld:Device:bench:aq-0001"}
    return entity_of(
        "AirQualityObserved",
        {
            "dateObserved": time(),
            "refDevice": relation,
            "no2": number(31.5, "GQ"),
            "tsp": number(73, "GQ"),
            "relativeHumidity": number(0.452, "C62"),
            "airQualityIndex": number(42),
            "typeofLocation": number("outdoor"),
        },
    )


def noise() -> Entity:
    times = {"dateObservedFrom": time("2026-01-21T12:43:20.000Z"), "dateObservedTo": time()}
    return entity_of("NoiseLevelObserved", {**times, "LAeq": number(61.2, "2N"), "heightAverage": number("4.0")})


def headers_of(entity: Entity) -> Headers:
    model = MODELS[entity["type"]]
    texts = {
        "content-type": "application/ld+json",
        "ce_specversion": "1.0",
        "ce_id": f"{model.name}:aq-0001:1769000000000",
        "ce_source": "/tenants/bench",
        "ce_type": f"org.smartdatamodels.{model.subject}.{model.name}",
        "ce_time": AT,
        "ce_subject": entity["id"],
        "ce_dataschema": model.schema_url,
        "ce_recordedtime": "2026-01-21T12:53:20.417Z",
        "ce_dataclassification": "public",
        "ce_feed": "city",
        "ce_connector": "city-aq@1",
        "ce_quality": "clock,implausible:no2",
        "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    }
    return {name: text.encode() for name, text in texts.items()}


def check(entity: Entity, headers: Headers | None = None, key: bytes | None = None) -> Entity:
    key = str(entity.get("id")).encode() if key is None else key
    headers = headers_of(air() if entity.get("type") not in MODELS else entity) if headers is None else headers
    return assert_record(json.dumps(entity).encode(), list(headers.items()), key)


@pytest.mark.parametrize("make", [air, noise])
def test_a_good_record_passes_and_is_returned(make: Callable[[], Entity]) -> None:
    entity = make()
    entity["location"]["value"]["coordinates"].append(12.0)

    assert entity == check(entity)


def put(name: str, value: Any) -> Callable[[Entity], Any]:
    """Set a member, given its path with dots; `@context` stays last."""

    def planted(entity: Entity) -> None:
        *way, last = name.split(".")
        context = entity.pop("@context")
        target = entity
        for step in way:
            target = target[step]
        target[last] = value
        entity.setdefault("@context", context)

    return planted


def drop(name: str) -> Callable[[Entity], Any]:
    return lambda entity: entity.pop(name)


def drop_from(name: str, member: str) -> Callable[[Entity], Any]:
    return lambda entity: entity[name].pop(member)


def last_is_another(entity: Entity) -> None:
    entity["no2"] = entity.pop("no2")


def only_times(entity: Entity) -> None:
    for name in ("no2", "tsp", "relativeHumidity", "airQualityIndex", "typeofLocation"):
        entity.pop(name)


IN_THE_ENTITY: dict[str, tuple[Callable[[Entity], Any], str]] = {
    "id no urn": (put("id", "aq-0001"), "expected urn:ngsi-ld:"),
    "id with a space": (put("id", "urn:ngsi-ld:AirQualityObserved:bench:aq 1"), "expected urn:ngsi-ld:"),
    "id with a bad tenant": (put("id", "urn:ngsi-ld:AirQualityObserved:Bench:aq-1"), "expected urn:ngsi-ld:"),
    "id with half an escape": (put("id", "urn:ngsi-ld:AirQualityObserved:bench:aq%2"), "expected urn:ngsi-ld:"),
    "id of another type": (put("id", "urn:ngsi-ld:WeatherObserved:bench:aq-1"), "name the type"),
    "unknown type": (put("type", "AirQuality"), "expected a type of"),
    "no type": (drop("type"), "expected a type of"),
    "context not last": (last_is_another, "@context as the last member"),
    "no context": (drop("@context"), "@context as the last member"),
    "core context only": (lambda entity: entity.update({"@context": [CORE_CONTEXT]}), "expected @context"),
    "null": (put("no2.value", None), "expected no null"),
    "null far down": (put("location.value.coordinates", [4.89, None]), "expected no null"),
    "createdAt": (put("createdAt", AT), "what a broker makes"),
    "modifiedAt within": (put("no2.modifiedAt", AT), "what a broker makes"),
    "illegal name": (put("N-TOT", number(1.0)), "a name by GS CIM 009"),
    "key-values": (put("no2", 31.5), "in normalised form"),
    "attribute type": (put("no2.type", "Number"), "to be one of"),
    "foreign member": (put("no2.quality", "good"), "to have only"),
    "unitCode on a Relationship": (put("refDevice.unitCode", "C62"), "to have only"),
    "no value": (drop_from("no2", "value"), "to have value"),
    "no object": (drop_from("refDevice", "object"), "to have object"),
    "object no URI": (put("refDevice.object", "aq-0001"), "to be a URI"),
    "two objects": (put("refDevice.object", ["urn:a:b", "urn:a:c"]), "to be one URI"),
    "device as a Property": (put("refDevice", {"type": "Property", "value": "urn:a:b"}), "to be a Relationship"),
    "unknown term": (put("temprature", number(21.5, "CEL")), "expected a term of"),
    "term of another model": (put("LAeq", number(61.0, "2N")), "expected a term of"),
    "observedAt with an offset": (put("no2.observedAt", "2026-01-21T12:53:20.000+00:00"), "mmmZ in no2.observedAt"),
    "observedAt without a fraction": (put("no2.observedAt", "2026-01-21T12:53:20Z"), "mmmZ in no2.observedAt"),
    "observedAt in nanoseconds": (put("no2.observedAt", "2026-01-21T12:53:20.000000000Z"), "mmmZ in no2.observedAt"),
    "observedAt no date": (put("no2.observedAt", "2026-02-30T12:53:20.000Z"), "a date of the calendar"),
    "observedAt an object": (put("no2.observedAt", {"@value": AT}), "expected a DateTime"),
    "observedAt another instant": (put("no2.observedAt", "2026-01-21T12:53:21.000Z"), "observedAt to be dateObserved"),
    "no observedAt": (drop_from("no2", "observedAt"), "expected no2.observedAt"),
    "no dateObserved": (drop("dateObserved"), "carries the time"),
    "dateObserved a text": (put("dateObserved.value", AT), "dateObserved to be"),
    "dateObserved with an offset": (put("dateObserved", time("2026-01-21T13:53:20.000+01:00")), "in dateObserved"),
    "no location": (drop("location"), "expected a location"),
    "location a Property": (put("location.type", "Property"), "to be a GeoProperty"),
    "location no Point": (put("location.value.type", "Points"), "to be a GeoJSON Point"),
    "location a text": (put("location.value.coordinates", "4.89,52.37"), "expected coordinates as numbers"),
    "whole coordinates": (put("location.value.coordinates", [4, 52]), "expected coordinates as numbers"),
    "one coordinate": (put("location", point(4.89)), "longitude, latitude and perhaps"),
    "longitude beyond": (put("location", point(180.5, 52.37)), "a longitude within"),
    "latitude beyond, swapped": (put("location", point(4.89, 139.7)), "a latitude within"),
    "nowhere": (put("location", point(0.0, 0.0)), "a receiver without a fix"),
    "measured as a Relationship": (put("no2", {"type": "Relationship", "object": "urn:a:b"}), "no2 to be a Property"),
    "number without a fraction": (put("no2.value", 31), "no2 to be a number"),
    "integer with a fraction": (put("tsp.value", 73.0), "tsp to be a integer"),
    "boolean as a number": (put("no2.value", bool(1)), "no2 to be a number"),
    "text as a number": (put("no2.value", "31.5"), "no2 to be a number"),
    "number as a text": (put("typeofLocation.value", 1.5), "typeofLocation to be a text"),
    "no unitCode": (drop_from("no2", "unitCode"), "expected no2.unitCode"),
    "unit of another dimension": (put("no2.unitCode", "CEL"), "expected no2.unitCode"),
    "unit that is not canonical": (put("no2.unitCode", "GP"), "expected no2.unitCode"),
    "unit on a count": (put("airQualityIndex.unitCode", "C62"), "expected airQualityIndex.unitCode"),
    "unit on a time": (put("dateObserved.unitCode", "SEC"), "expected no unitCode on dateObserved"),
    "nothing measured": (only_times, "at least one measured attribute"),
    "below the schema's minimum": (put("no2.value", -0.1), "/no2"),
    "above the schema's maximum": (put("relativeHumidity.value", 45.2), "/relativeHumidity"),
    "outside the schema's enum": (put("typeofLocation.value", "roof"), "/typeofLocation"),
}


@pytest.mark.parametrize("defect", IN_THE_ENTITY)
def test_a_defect_of_the_entity_is_caught(defect: str) -> None:
    plant, message = IN_THE_ENTITY[defect]
    entity = air()
    plant(entity)

    with pytest.raises(AssertionError, match=message):
        check(entity)


def test_a_period_that_ends_before_it_begins_is_caught() -> None:
    entity = noise()
    entity["dateObservedFrom"] = time("2026-01-21T13:00:00.000Z")

    with pytest.raises(AssertionError, match="dateObservedFrom before dateObservedTo"):
        check(entity)


def test_a_term_that_the_context_does_not_define_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    def without_no2(url: str) -> Entity:
        document = context(url)
        document["@context"].pop("no2", None)
        return document

    monkeypatch.setattr(ngsi_lint, "context", without_no2)

    with pytest.raises(AssertionError, match="@context to define no2"):
        check(air())


def test_a_term_that_is_no_absolute_iri_is_caught() -> None:
    with pytest.raises(AssertionError, match="an absolute IRI"):
        ngsi_lint.check_expands("no2", "no2")


def test_the_schema_requires_what_the_lint_does_not_know() -> None:
    entity = air()
    entity["id"] = "not a uri and longer than 256 characters" + "x" * 256

    with pytest.raises(AssertionError, match="the official schema of AirQualityObserved"):
        check_schema(entity)


def test_the_schema_checks_formats() -> None:
    entity = air()
    entity["dateObserved"] = time("2026-01-21 12:53")

    with pytest.raises(AssertionError, match="date-time"):
        check_schema(entity)


def test_key_values_are_values_objects_and_points() -> None:
    plain = simplified(air())

    assert plain == {
        "id": "urn:ngsi-ld:AirQualityObserved:bench:aq-0001",
        "type": "AirQualityObserved",
        "location": {"type": "Point", "coordinates": [4.89, 52.37]},
        "dateObserved": AT,
        "refDevice": "urn:ngsi-ld:Device:bench:aq-0001",
        "no2": 31.5,
        "tsp": 73,
        "relativeHumidity": 0.452,
        "airQualityIndex": 42,
        "typeofLocation": "outdoor",
    }


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"{",
        b"[]",
        b'{"a":NaN}',
        b'{"a":-Infinity}',
        b'{"a":1e999}',
        b'{"a":1,"a":1}',
        b'{"a":"\xff"}',
        b"\xef\xbb\xbf{}",
    ],
)
def test_what_is_not_strict_json_is_caught(value: bytes) -> None:
    with pytest.raises(AssertionError, match=r"expected (strict JSON|one entity)"):
        parse_strictly(value)


def test_a_value_above_64_kib_is_caught() -> None:
    entity = air()
    entity["coLevel"] = number("x" * 65_536)
    entity["@context"] = entity.pop("@context")

    with pytest.raises(AssertionError, match="at most 65536 bytes"):
        check(entity)


def test_a_key_that_is_not_the_id_is_caught() -> None:
    with pytest.raises(AssertionError, match="expected the key to be the id"):
        check(air(), key=b"aq-0001")


IN_THE_HEADERS: dict[str, tuple[str, bytes | None, str]] = {
    "subject not the id": ("ce_subject", b"aq-0001", "expected ce_subject"),
    "type of another model": ("ce_type", b"org.smartdatamodels.dataModel.Weather.WeatherObserved", "expected ce_type"),
    "source of another tenant": ("ce_source", b"/tenants/other", "expected ce_source"),
    "specversion": ("ce_specversion", b"0.3", "expected ce_specversion"),
    "schema of another model": ("ce_dataschema", b"https://example.org/schema.json", "expected ce_dataschema"),
    "content type": ("content-type", b"application/json", "expected content-type"),
    "id without the reading": ("ce_id", b"AirQualityObserved:aq-0001:", "expected ce_id"),
    "id of another device": ("ce_id", b"AirQualityObserved:aq-2:1769000000000", "expected ce_id"),
    "time not the observation's": ("ce_time", b"2026-01-21T12:53:21.000Z", "expected ce_time"),
    "time with an offset": ("ce_time", b"2026-01-21T13:53:20.000+01:00", "in ce_time"),
    "recordedtime no time": ("ce_recordedtime", b"1769000000", "in ce_recordedtime"),
    "classification": ("ce_dataclassification", b"secret", "expected one of"),
    "feed empty": ("ce_feed", b"", "expected ce_feed"),
    "connector without version": ("ce_connector", b"city-aq", "expected ce_connector"),
    "connector with an empty version": ("ce_connector", b"city-aq@", "expected ce_connector"),
    "quality": ("ce_quality", b"", "expected ce_quality"),
    "quality in words": ("ce_quality", b"not so good", "expected ce_quality"),
    "id class": ("ce_idclass", b"device", "expected ce_idclass"),
    "licence": ("ce_licence", b"CC BY", "expected ce_licence"),
    "trace": ("traceparent", b"1234", "expected a W3C traceparent"),
    "upper case": ("ce_Feed", b"city", "lower-case letters"),
    "hyphen": ("ce_my-feed", b"city", "lower-case letters"),
    "too long": ("ce_" + "x" * 21, b"city", "at most 20"),
    "no prefix": ("feed", b"city", "expected ce_"),
    "not documented": ("ce_weather", b"fine", "only the documented headers"),
    "absent": ("ce_recordedtime", None, "expected the headers"),
}


@pytest.mark.parametrize("defect", IN_THE_HEADERS)
def test_a_defect_of_the_headers_is_caught(defect: str) -> None:
    name, text, message = IN_THE_HEADERS[defect]
    headers = headers_of(air())
    headers.pop(name, None)
    if text is not None:
        headers[name] = text

    with pytest.raises(AssertionError, match=message):
        check(air(), headers)


def test_a_header_given_twice_is_caught() -> None:
    entity = air()
    headers = [*headers_of(entity).items(), ("ce_feed", b"city")]

    with pytest.raises(AssertionError, match="each header once"):
        assert_record(json.dumps(entity).encode(), headers, entity["id"].encode())


def test_a_value_that_the_sdk_reads_otherwise_is_caught() -> None:
    headers = headers_of(air()) | {"content-type": b"text/plain"}

    with pytest.raises(AssertionError, match="SDK to read the entity"):
        check_reads_back(headers, air(), json.dumps(air()).encode())


def test_a_header_that_the_sdk_names_otherwise_is_caught() -> None:
    headers = headers_of(air())
    headers["CE_feed"] = headers.pop("ce_feed")

    with pytest.raises(AssertionError, match="SDK to keep"):
        check_reads_back(headers, air(), json.dumps(air()).encode())


@pytest.mark.parametrize("name", ["ce_feed", "ce_time"])
def test_a_header_that_the_sdk_reads_otherwise_is_caught(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    def to_binary(*_: Any) -> KafkaMessage:
        message = KafkaMessage(headers=headers_of(air()), key=None, value=b"")
        message.headers.pop("traceparent")
        message.headers[name] = b"2026-01-21T12:53:20.001Z"
        return message

    monkeypatch.setattr(event_headers, "to_binary", to_binary)

    with pytest.raises(AssertionError, match=f"SDK to read {name}"):
        check_reads_back(headers_of(air()), air(), json.dumps(air()).encode())
