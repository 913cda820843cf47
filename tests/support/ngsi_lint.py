"""The rules of NGSI-LD (ETSI GS CIM 009) and of our wire format that a JSON schema of key-values cannot see.

Each check raises AssertionError with what it expected and what came; tests/support/test_records.py plants a defect for
each of them.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from pipeline.models import MODELS, context
from pipeline.models.base import Model

ID = re.compile(
    r"urn:ngsi-ld:(?P<type>[A-Za-z]\w*):(?P<tenant>[a-z][a-z0-9-]*):(?P<key>(?:[A-Za-z0-9._~-]|%[0-9A-F]{2})+)"
)
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*", re.ASCII)
DATE_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", re.ASCII)
MEMBERS = {
    "Property": {"type", "value", "observedAt", "unitCode", "datasetId"},
    "Relationship": {"type", "object", "observedAt", "datasetId"},
    "GeoProperty": {"type", "value", "observedAt", "datasetId"},
}
CONTENT = {"Property": "value", "Relationship": "object", "GeoProperty": "value"}
MADE_BY_BROKERS = {"createdAt", "modifiedAt", "dateCreated", "dateModified", "deletedAt", "instanceId", "previousValue"}
DEFAULT_VOCABULARY = "https://uri.etsi.org/ngsi-ld/default-context/"


def lint(entity: Mapping[str, Any]) -> None:
    """Check one normalised entity; it is parsed already, so floats are numbers that had a fraction."""
    model = check_root(entity)
    check_no_null(entity)
    attributes = {name: value for name, value in entity.items() if name not in {"id", "type", "@context"}}
    for name, attribute in attributes.items():
        check_attribute(name, attribute)
    check_terms(model, attributes)
    check_times(model, attributes)
    check_location(model, attributes)
    check_device(model, attributes)
    check_measured(model, attributes)


def check_root(entity: Mapping[str, Any]) -> Model:
    named = ID.fullmatch(str(entity.get("id")))
    assert named, f"expected urn:ngsi-ld:<Type>:<tenant>:<key>, percent-encoded, got id {entity.get('id')!r}"
    assert entity.get("type") in MODELS, f"expected a type of {sorted(MODELS)}, got {entity.get('type')!r}"
    assert named["type"] == entity["type"], f"expected the id to name the type {entity['type']}, got {entity['id']}"
    assert list(entity)[-1] == "@context", f"expected @context as the last member, got {list(entity)[-1]}"
    model = MODELS[entity["type"]]
    assert entity["@context"] == list(model.context), f"expected @context {model.context}, got {entity['@context']}"
    return model


def check_no_null(value: Any, path: str = "") -> None:
    """GS CIM 009, 4.5.2: null is no value; what is not known is left out."""
    assert value is not None, f"expected no null, got one at {path or '/'}"
    children: Sequence[tuple[Any, Any]] = ()
    if isinstance(value, dict):
        made = sorted(MADE_BY_BROKERS & set(value))
        assert not made, f"expected none of what a broker makes, got {made} at {path or '/'}"
        children = list(value.items())
    elif isinstance(value, list):
        children = list(enumerate(value))
    for name, child in children:
        check_no_null(child, f"{path}/{name}")


def check_attribute(name: str, attribute: Any) -> None:
    assert NAME.fullmatch(name), f"expected a name by GS CIM 009, 4.6.2, got {name!r}"
    assert isinstance(attribute, dict), f"expected {name} in normalised form, got {attribute!r}"
    kind = attribute.get("type")
    assert kind in MEMBERS, f"expected {name} to be one of {sorted(MEMBERS)}, got {kind!r}"
    foreign = sorted(set(attribute) - MEMBERS[kind])
    assert not foreign, f"expected {name}, a {kind}, to have only {sorted(MEMBERS[kind])}, got {foreign}"
    assert CONTENT[kind] in attribute, f"expected {name}, a {kind}, to have {CONTENT[kind]}"
    if "observedAt" in attribute:
        instant(attribute["observedAt"], f"{name}.observedAt")
    if kind == "Relationship":
        target = attribute["object"]
        assert isinstance(target, str), f"expected {name}.object to be one URI, got {target!r}"
        assert urlsplit(target).scheme, f"expected {name}.object to be a URI, got {target!r}"


def instant(text: Any, where: str) -> datetime:
    """Return the instant of a DateTime of exactly the form YYYY-MM-DDThh:mm:ss.mmmZ (GS CIM 009, 4.6.3)."""
    assert isinstance(text, str), f"expected a DateTime in {where}, got {text!r}"
    assert DATE_TIME.fullmatch(text), f"expected YYYY-MM-DDThh:mm:ss.mmmZ in {where}, got {text!r}"
    try:
        return datetime.fromisoformat(text)
    except ValueError as problem:
        raise AssertionError(f"expected a date of the calendar in {where}, got {text!r}") from problem


def check_terms(model: Model, attributes: Mapping[str, Any]) -> None:
    """Refuse a name that is no term of the model or has no IRI: the schemas are open, and misspelt names pass them."""
    for name in attributes:
        assert name in {*model.terms, "location"}, f"expected a term of {model.name}, got {name!r}"
    for name in (model.name, *attributes):
        check_expands(name, expand(name, model.context))


def check_expands(name: str, iri: str) -> None:
    absolute = urlsplit(iri).scheme in {"http", "https"}
    assert absolute, f"expected {name} to expand to an absolute IRI, got {iri!r}"
    assert not iri.startswith(DEFAULT_VOCABULARY), f"expected the @context to define {name}, got {iri}"


def expand(term: str, urls: Sequence[str]) -> str:
    """Expand one term as JSON-LD 1.1 does: the last document that defines it wins, then `@vocab`."""
    terms: dict[str, Any] = {}
    for url in urls:
        terms |= context(url)["@context"]
    definition = terms.get(term, terms["@vocab"] + term)
    iri = str(definition["@id"] if isinstance(definition, dict) else definition)
    prefix, colon, rest = iri.partition(":")
    return f"{terms[prefix]}{rest}" if colon and prefix in terms else iri


def check_times(model: Model, attributes: Mapping[str, Any]) -> None:
    instants = []
    for name in model.time:
        assert name in attributes, f"expected {name}, which carries the time of a {model.name}"
        value = attributes[name].get("value")
        typed = isinstance(value, dict) and value.keys() == {"@type", "@value"} and value["@type"] == "DateTime"
        assert typed, f'expected {name} to be {{"@type": "DateTime", "@value": ...}}, got {value!r}'
        instants.append(instant(value["@value"], name))
    assert instants == sorted(instants), f"expected {' before '.join(model.time)}, got {instants}"
    for name, attribute in attributes.items():
        observed = attribute.get("observedAt")
        same = observed is None or instant(observed, name) == instants[-1]
        assert same, f"expected {name}.observedAt to be {model.time[-1]}, got {observed}"


def check_location(model: Model, attributes: Mapping[str, Any]) -> None:
    if "location" not in attributes:
        assert not model.location_required, f"expected a location, which {model.name} requires"
        return
    location = attributes["location"]
    assert location["type"] == "GeoProperty", f"expected location to be a GeoProperty, got {location['type']}"
    value = location["value"]
    point = isinstance(value, dict) and value.keys() == {"type", "coordinates"} and value["type"] == "Point"
    assert point, f"expected location to be a GeoJSON Point, got {value!r}"
    check_coordinates(value["coordinates"])


def check_coordinates(coordinates: Any) -> None:
    numbers = isinstance(coordinates, list) and all(type(number) is float for number in coordinates)
    assert numbers, f"expected coordinates as numbers with a fraction, got {coordinates!r}"
    assert len(coordinates) in {2, 3}, f"expected longitude, latitude and perhaps altitude, got {coordinates}"
    longitude, latitude = coordinates[:2]
    assert abs(longitude) <= 180, f"expected a longitude within 180 degrees, got {longitude}"
    assert abs(latitude) <= 90, f"expected a latitude within 90 degrees, got {latitude}"
    assert (longitude, latitude) != (0, 0), "expected a place, got 0,0: a receiver without a fix"


def check_device(model: Model, attributes: Mapping[str, Any]) -> None:
    for name in {str(model.device), *model.relations} & attributes.keys():
        kind = attributes[name]["type"]
        assert kind == "Relationship", f"expected {name} to be a Relationship, got {kind}"


def check_measured(model: Model, attributes: Mapping[str, Any]) -> None:
    """Hold each measured attribute to its kind, its time and, where it has a dimension, its unit."""
    measured = [attribute for attribute in model.attributes if attribute.name in attributes]
    there = model.name == "Device"  # whatever it tells of itself: measured entities refer to it
    assert measured or there or not model.attributes, "expected at least one measured attribute, got none"
    types: dict[str, type] = {"number": float, "integer": int, "text": str, "boolean": bool}
    for known in measured:
        name, property_ = known.name, attributes[known.name]
        assert property_["type"] == "Property", f"expected {name} to be a Property, got {property_['type']}"
        expected = types[known.kind]
        value = property_["value"]
        assert type(value) is expected, f"expected {name} to be a {known.kind} by its very text, got {value!r}"
        assert "observedAt" in property_, f"expected {name}.observedAt"
        code = property_.get("unitCode")
        assert code in (known.units or (None,)), f"expected {name}.unitCode of {known.units or 'none'}, got {code!r}"
    for name in set(attributes) - {attribute.name for attribute in measured}:
        assert "unitCode" not in attributes[name], f"expected no unitCode on {name}"
