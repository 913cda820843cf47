"""Each definition against the official schema that it was written from."""

from typing import Any

import pytest
from pydantic import ValidationError

from pipeline.models import MODELS
from pipeline.models.base import Bounds, ModelAttribute, between
from pipeline.models.units import UNITS
from tests.support.official import document, schema, schema_properties

EACH = [(model, attribute) for model in MODELS.values() for attribute in model.attributes]
NAMES = [f"{model.name}.{attribute.name}" for model, attribute in EACH]
TYPES = {"number": "number", "integer": "integer", "string": "text", "boolean": "boolean"}

# What no sensor supplies: whose a thing is and what it is called, where it stands in words, when the broker made it.
ADMINISTRATION = {
    "id", "type", "location", "address", "areaServed", "dateCreated", "dateModified", "source", "name",
    "alternateName", "description", "dataProvider", "owner", "seeAlso", "macAddress", "dateInstalled", "dateFirstUsed",
    "dateManufactured", "dateLastCalibration", "documentation", "image", "color", "deviceClass",
    "energyLimitationClass",
}  # fmt: skip
RELATIONS = {"refPointOfInterest", "refWeatherObserved", "refDeviceModel"}
OBJECTS = {"airTemperatureTSA"}
LISTS = {
    "configuration", "controlledAsset", "ipAddress", "category", "deviceCategory", "supportedProtocol", "function",
    "supportedUnits", "annotations",
}  # fmt: skip
TIMES = {"dateObserved", "dateObservedFrom", "dateObservedTo", "dateLastValueReported"}
CORE_TERMS = {"value"}


def variants(definition: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the forms that a value may have; most attributes have one."""
    found: list[dict[str, Any]] = definition.get("anyOf") or definition.get("oneOf") or [definition]
    return found


def of_kind(model: str, attribute: ModelAttribute) -> dict[str, Any]:
    """Return the form of the official definition that ours describes."""
    forms = variants(schema_properties(model)[attribute.name])
    return next(form for form in forms if TYPES[form["type"]] == attribute.kind)


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_every_attribute_that_a_sensor_could_supply_is_there(model: Any) -> None:
    left_out = ADMINISTRATION | RELATIONS | OBJECTS | LISTS | TIMES | CORE_TERMS | {model.device}
    supplied = {attribute.name for attribute in model.attributes} | set(model.required)

    assert supplied == set(schema_properties(model.name)) - (left_out - set(model.required))


@pytest.mark.parametrize(("model", "attribute"), EACH, ids=NAMES)
def test_kind_bounds_and_choices_are_the_schemas(model: Any, attribute: ModelAttribute) -> None:
    form = of_kind(model.name, attribute)

    assert attribute.allowed == Bounds(minimum=form.get("minimum"), maximum=form.get("maximum"))
    assert attribute.choices == tuple(form.get("enum", ()))
    assert attribute.shortest == form.get("minLength", 0)
    assert set(form) <= {"type", "description", "minimum", "maximum", "enum", "minLength"}


@pytest.mark.parametrize(("model", "attribute"), EACH, ids=NAMES)
def test_plausible_bounds_are_within_what_the_schema_allows(model: Any, attribute: ModelAttribute) -> None:
    assert model.attribute(attribute.name) is attribute
    for bounds in attribute.plausible.values():
        assert bounds.minimum is not None
        assert bounds.maximum is not None
        assert bounds.minimum < bounds.maximum
        assert bounds.minimum >= (attribute.allowed.minimum if attribute.allowed.minimum is not None else -1e9)
        assert bounds.maximum <= (attribute.allowed.maximum if attribute.allowed.maximum is not None else 1e15)


@pytest.mark.parametrize(("model", "attribute"), EACH, ids=NAMES)
def test_a_number_has_a_unit_unless_it_is_a_count_or_an_index(model: Any, attribute: ModelAttribute) -> None:
    counts = {"airQualityIndex", "airQualityIndexForecast", "uVIndexMax", "peopleCount"}

    assert model.name in MODELS
    assert bool(attribute.units) == (attribute.kind in {"number", "integer"} and attribute.name not in counts)
    assert set(attribute.units) <= set(UNITS)


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_required_time_and_device_are_the_schemas(model: Any) -> None:
    official = schema(model.name)
    properties = schema_properties(model.name)
    required = {"id", "type", *model.required} | ({"location"} if model.location_required else set())

    # The time is ours to write, whether the schema requires it or not.
    assert set(official["required"]) - set(model.time) == required
    assert official["$schemaVersion"] == model.version
    assert properties["type"]["enum"] == [model.name]
    assert set(model.time) <= properties.keys()
    assert model.device is None or properties[model.device]["description"].startswith("Relationship.")
    assert all(properties[name]["type"] == "string" for name in model.time)


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_contexts_and_schemas_are_pinned_to_the_commit_that_was_read(model: Any) -> None:
    read = document("INDEX.json")[model.name]
    pinned = f"https://raw.githubusercontent.com/{read['repo']}/{read['commit']}"

    assert read["repo"] == f"smart-data-models/{model.subject}"
    assert model.context == (
        f"{pinned}/context.jsonld",
        "https://uri.etsi.org/ngsi-ld/v1/ngsi-ld-core-context-v1.9.jsonld",
    )
    assert model.schema_url == f"{pinned}/{model.name}/schema.json"


def test_wind_is_wrapped_into_each_models_own_turn() -> None:
    turns = {
        model.name: (attribute.allowed.minimum, attribute.allowed.maximum)
        for model, attribute in EACH
        if attribute.wrap
    }

    assert turns == {"AirQualityObserved": (-180, 180), "WeatherObserved": (0, 360)}


def test_a_fraction_is_one_everywhere() -> None:
    humidity = [attribute for _, attribute in EACH if attribute.name.startswith("relativeHumidity")]

    assert {attribute.units for attribute in humidity} == {("C62",)}
    for attribute in humidity:
        assert between(0, 1) in (attribute.allowed, attribute.plausible.get("C62"))


def test_an_unknown_attribute_is_none() -> None:
    assert MODELS["WeatherObserved"].attribute("temprature") is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "number", "units": ("XYZ",)},
        {"kind": "number", "units": ("GQ", "GP")},
        {"kind": "number", "units": ("GQ",), "plausible": {"GP": Bounds()}},
        {"kind": "number", "plausible": {"GP": Bounds()}},
        {"kind": "text", "units": ("MTR",)},
        {"kind": "text", "allowed": between(0)},
        {"kind": "number", "wrap": True, "allowed": between(0)},
        {"kind": "number", "unit": "GQ"},
    ],
)
def test_a_definition_that_contradicts_itself_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ModelAttribute(name="x", description="Wrong.", **wrong)
