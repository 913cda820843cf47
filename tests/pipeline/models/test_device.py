"""What a Device has that no reading supplies: the words for what it controls."""

from pipeline.models import MODELS, device
from pipeline.models.device import BY_UNIT, CONTROLLED, WORDS, controlled_properties
from tests.support.official import document, validator

OBSERVED = {name for name in MODELS if name.endswith("Observed")}


def test_the_words_are_the_schemas() -> None:
    definitions = document("_common", "device-schema.json")["definitions"]
    words = set(definitions["ControlledPropertyType"]["items"]["enum"])

    assert set(CONTROLLED.values()) <= words
    assert set(BY_UNIT.values()) <= words
    assert words == WORDS


def test_every_attribute_with_a_word_is_one_of_a_model() -> None:
    known = {attribute.name for name in OBSERVED for attribute in MODELS[name].attributes}

    assert set(CONTROLLED) <= known


def test_what_a_connector_maps_says_what_its_device_controls() -> None:
    assert controlled_properties(["pm10", "pm25", "temperature"]) == ("airPollution", "temperature")
    assert controlled_properties(["weatherType"]) == ("weatherConditions",)


def test_a_distance_sensor_measures_no_weather() -> None:
    """A length may be a level, a depth or a height: only the connector knows."""
    assert controlled_properties(["numValue"], ["mm"]) == ()
    assert controlled_properties(["numValue"], ["mm"], ["fillingLevel"]) == ("fillingLevel",)
    assert controlled_properties(["numValue"], ["kWh"]) == ("energy",)
    assert controlled_properties(["numValue", "textValue"], ["degC", None]) == ("temperature",)


def test_the_official_schema_takes_a_family_of_ours() -> None:
    definitions = document("_common", "device-schema.json")["definitions"]
    family = {"id": "urn:ngsi-ld:DeviceModel:demo:acme%2Fth-1", "type": "DeviceModel"}
    said = device.stated("acme", "th-1", controlled_properties(["temperature"]))

    assert list(validator("DeviceModel").iter_errors({**family, **said})) == []
    assert set(said) == set(MODELS["DeviceModel"].required)
    assert set(said["category"]) <= set(definitions["CategoryType"]["items"]["enum"])


def test_the_official_schema_takes_a_device_of_ours() -> None:
    device = {
        "id": "urn:ngsi-ld:Device:demo:a1",
        "type": "Device",
        "controlledProperty": list(controlled_properties(["LAeq"])),
        "dateLastValueReported": "2026-11-20T10:15:30.250Z",
        "batteryLevel": 0.92,
        "firmwareVersion": "1.1",
    }

    assert list(validator("Device").iter_errors(device)) == []
    assert list(validator("Device").iter_errors({**device, "controlledProperty": []})) == []
