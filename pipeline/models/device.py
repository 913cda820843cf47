"""Device: the state of the thing that measures, beside what it measures.

Where the schema and the wire differ, the wire follows the schema, and says so here:

- controlledProperty is required and a list of words of the schema's own, so that no field of a payload supplies it: it
  follows from what the connector says (`controls`), or from the attributes and units that it maps
  (`controlled_properties`); where they tell nothing, it is empty.
- batteryLevel is a fraction from 0 to 1. The schema also has -1 for "cannot be determined"; a level that is not known
  is left out instead. A device that sends its battery's voltage has no attribute for it here.
- rssi may be in dBm or mW by the schema; it is in dBm.
- time is dateLastValueReported: when the device was last heard.

Left out: `value` (a term of the NGSI-LD core, which cannot be redefined), macAddress (its pattern could not be held),
lists (categories, protocols, addresses, what it is part of), dates of its life, and who owns and names it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from pipeline.core import record
from pipeline.models.base import Bounds, Model, ModelAttribute, between, text_attribute
from pipeline.models.context import DEVICE_SUBJECT, context_urls, schema_url
from pipeline.models.context import DEVICE_SUBJECT as SUBJECT
from pipeline.models.units import UNITS, resolve


def _metres(name: str, what: str) -> ModelAttribute:
    plausible = {"MTR": between(-12_000, 100_000)}
    return ModelAttribute(name=name, kind="number", description=what, units=("MTR",), plausible=plausible)


DEVICE = Model(
    name=record.DEVICE,
    subject=SUBJECT,
    version="0.0.9",
    context=context_urls(SUBJECT),
    schema_url=schema_url(SUBJECT, record.DEVICE),
    time=("dateLastValueReported",),
    device=None,
    relations=("refDeviceModel",),
    location_required=False,
    required=("controlledProperty",),
    attributes=(
        ModelAttribute(
            name="batteryLevel",
            kind="number",
            description="Charge of the battery, a fraction from 0 to 1.",
            units=("C62",),
            allowed=between(0, 1),
        ),
        ModelAttribute(
            name="rssi",
            kind="number",
            description="Strength of the received signal.",
            units=("DBM",),
            allowed=Bounds(),
            plausible={"DBM": between(-200, 30)},
        ),
        text_attribute("deviceState", "State of the device, in its vendor's words."),
        text_attribute("hardwareVersion", "Version of the hardware."),
        text_attribute("softwareVersion", "Version of the software."),
        text_attribute("firmwareVersion", "Version of the firmware."),
        text_attribute("osVersion", "Version of the operating system."),
        text_attribute("serialNumber", "Serial number that the manufacturer gave."),
        text_attribute("provider", "Who provides the device."),
        text_attribute("mcc", "Mobile country code."),
        text_attribute("mnc", "Mobile network code."),
        text_attribute("direction", "Which way the device looks.", "Inlet", "Outlet", "Entry", "Exit"),
        text_attribute("relativePosition", "Where the device is, in coordinates of its own surroundings."),
        _metres("distance", "Where the device is, as a distance from a starting point."),
        _metres("depth", "Where the device is, as a depth below a starting point."),
        ModelAttribute(name="dstAware", kind="boolean", description="Whether its clock follows daylight saving time."),
    ),
)

_WEATHER = "weatherConditions"
_AIR = ("no", "no2", "nox", "o3", "so2", "sh2", "c6h6", "co", "co2", "pm1", "pm25", "pm4", "pm10", "tsp", "tpc")

CONTROLLED: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys((*_AIR, "volatileOrganicCompoundsTotal", "airQualityIndex"), "airPollution"),
        **dict.fromkeys(("temperature", "dewPoint", "feelsLikeTemperature"), "temperature"),
        **dict.fromkeys(("pressure", "atmosphericPressure"), "atmosphericPressure"),
        **dict.fromkeys(("LAeq", "LAmax", "LAS", "LAeq_d"), "noiseLevel"),
        **dict.fromkeys(("windSpeed", "gustSpeed"), "windSpeed"),
        **dict.fromkeys(("solarRadiation", "directIrradiation", "diffuseIrradiation"), "solarRadiation"),
        "relativeHumidity": "humidity",
        "windDirection": "windDirection",
        "precipitation": "precipitation",
        "illuminance": "light",
        "peopleCount": "occupancy",
        "streamGauge": "waterLevel",
        "airQualityLevel": "airPollution",
        "charge": "batterySupply",
        **dict.fromkeys(("weatherType", "visibility", "snowHeight", "pressureTendency", "uVIndexMax"), _WEATHER),
    }
)
"""The schema's word for what an attribute of the other models measures; many attributes have none of their own."""

BY_UNIT: Mapping[str, str] = MappingProxyType(
    {
        "CEL": "temperature",
        "A97": "pressure",
        "MTS": "speed",
        "LUX": "light",
        "D54": "solarRadiation",
        "2N": "noiseLevel",
        "WTT": "power",
        "KWH": "energy",
        "G42": "conductivity",
        "Q30": "pH",
        "NTU": "turbidity",
        "FNU": "turbidity",
        "KGM": "weight",
    }
)
"""The schema's word for what a value of any kind measures (`numValue`), by its unit; a length may be anything."""

WORDS = frozenset(
    (
        "airPollution", "atmosphericPressure", "averageVelocity", "batteryLife", "batterySupply", "cdom",
        "conductance", "conductivity", "depth", "eatingActivity", "electricityConsumption", "energy",
        "fillingLevel", "freeChlorine", "gasConsumption", "gateOpening", "heading", "humidity", "light", "location",
        "milking", "motion", "movementActivity", "noiseLevel", "occupancy", "orp", "pH", "power", "precipitation",
        "pressure", "refractiveIndex", "salinity", "smoke", "soilMoisture", "solarRadiation", "speed", "tds",
        "temperature", "trafficFlow", "tss", "turbidity", "uvLampIntensity", "uvOrganicLoad", "waterConsumption",
        "waterFlow", "waterLevel", "waterPollution", "weatherConditions", "weight", "windDirection", "windSpeed",
    )
)  # fmt: skip
"""The words that the schema has."""


def controlled_properties(
    attributes: Iterable[str], units: Iterable[str | None] = (), said: Iterable[str] = ()
) -> tuple[str, ...]:
    """Return what a device measures, in the schema's words.

    Empty where nothing tells: a word that is wrong would be worse.

    Args:
        attributes: The attributes that the connector maps.
        units: The units of its values that may be of any kind, as people type them.
        said: The connector's own words, which come first.
    """
    told = set(said)
    if not told:
        told = {CONTROLLED[name] for name in attributes if name in CONTROLLED}
        dimensions = {UNITS[code].dimension: word for code, word in BY_UNIT.items()}
        known = [resolve(unit).dimension for unit in units if unit is not None]
        told |= {dimensions[dimension] for dimension in known if dimension in dimensions}
    return tuple(sorted(told))


DEVICE_MODEL = Model(
    name=record.DEVICE_MODEL,
    subject=SUBJECT,
    version="0.0.3",
    context=context_urls(SUBJECT),
    schema_url=schema_url(SUBJECT, record.DEVICE_MODEL),
    time=(),
    device=None,
    location_required=False,
    required=("category", "controlledProperty", "manufacturerName", "brandName", "modelName"),
    attributes=(),
)


def stated(vendor: str, device: str, controlled: Iterable[str]) -> dict[str, Any]:
    """Return what a DeviceModel says of a vendor's device that measures this, in the schema's words."""
    return {
        "category": ["sensor"],
        "controlledProperty": list(controlled),
        "manufacturerName": vendor,
        "brandName": vendor,
        "modelName": device,
    }


_MEASUREMENT = "DeviceMeasurement"
# One unit a dimension, of the size that people think in.
_UNITS = (
    "C62", "CEL", "A97", "GQ", "C86", "MTS", "DD", "MTR", "MTQ", "MQH", "2N", "DBM", "LUX", "LUM", "A24", "D54", "VLT",
    "AMP", "WTT", "D46", "D44", "KWH", "K3", "AMH", "G42", "Q30", "NTU", "FNU", "SEC", "KGM", "HTZ", "A19", "IE",
)  # fmt: skip


def _told(name: str, what: str, *, measured: bool = False) -> ModelAttribute:
    return ModelAttribute(name=name, kind="text", description=what, measured=measured)


DEVICE_MEASUREMENT = Model(
    name=_MEASUREMENT,
    subject=DEVICE_SUBJECT,
    version="0.1.0",
    context=context_urls(DEVICE_SUBJECT),
    schema_url=schema_url(DEVICE_SUBJECT, _MEASUREMENT),
    time=("dateObserved",),
    device="refDevice",
    location_required=False,
    attributes=(
        ModelAttribute(
            name="numValue",
            kind="number",
            description="The value, if it is a number.",
            units=_UNITS,
            plausible=dict.fromkeys(_UNITS, between(-1e9, 1e12)),
        ),
        _told("textValue", "The value, if it is a text.", measured=True),
        _told("controlledProperty", "What was measured."),
        _told("measurementType", "How it was measured."),
        _told("deviceType", "What kind of device measured it."),
        _told("unit", "The unit as the device names it."),
        ModelAttribute(
            name="outlier",
            kind="boolean",
            description="Whether the device marks the value as unusual.",
            measured=False,
        ),
    ),
)
