"""AirQualityObserved: what a station or a low-cost sensor says about outdoor or indoor air.

The schema leaves the units of pollutants open, so they are ours to state, one canonical unit for each of the two ways
in which instruments report:

- Gases (no, no2, nox, o3, so2, sh2, c6h6, volatileOrganicCompoundsTotal): micrograms per cubic metre (GQ), as air
  quality directives and the reference networks report, or parts per billion (61), as electrochemical and
  photo-ionisation cells do. The one is not made from the other: that needs the molar mass, and the pressure and
  temperature for which the value holds.
- co: a thousand times more of it is about, and limits are in milligrams: GP, or parts per million (59).
- co2: sensors and the literature use parts per million (59) first; GP where an instrument reports mass.
- Particles (pm1, pm25, pm4, pm10, tsp) and metals in them (as, cd, ni, pb): a mass per volume only, GQ.
- tpc is a number of particles per volume: per cubic metre (C86), since the schema wants an integer and a sensor's
  "per 0.1 litre" stays one there.
- pressure is in hectopascal by the schema's words; precipitation is litres per square metre, which are millimetres.

Left out: areaServed, address and what GSMA-Commons brings (who owns and names a thing; no sensor measures it), and the
relations to other entities.
"""

from __future__ import annotations

from pipeline.models.base import Bounds, Model, ModelAttribute, between, text_attribute
from pipeline.models.context import ENVIRONMENT, context_urls, schema_url

_AIR = "AirQualityObserved"
_POSITIVE = between(0)
_FRACTION = between(0, 1)


def _gas(name: str, what: str, highest: dict[str, float]) -> ModelAttribute:
    """Describe a pollutant by its canonical units, each with the highest plausible value."""
    units = {code: between(0, high) for code, high in highest.items()}
    return ModelAttribute(
        name=name, kind="number", description=what, units=tuple(units), allowed=_POSITIVE, plausible=units
    )


def _particles(name: str, what: str, highest: float, allowed: Bounds = _POSITIVE) -> ModelAttribute:
    plausible = {"GQ": between(0, highest)}
    return ModelAttribute(
        name=name, kind="number", description=what, units=("GQ",), allowed=allowed, plausible=plausible
    )


_POLLUTANTS = (
    _gas("no", "Nitrogen monoxide.", {"GQ": 5000, "61": 4000}),
    _gas("no2", "Nitrogen dioxide.", {"GQ": 4000, "61": 2000}),
    _gas("nox", "Nitrogen oxides together.", {"GQ": 8000, "61": 6000}),
    _gas("o3", "Ozone.", {"GQ": 1200, "61": 600}),
    _gas("so2", "Sulphur dioxide.", {"GQ": 10_000, "61": 4000}),
    _gas("sh2", "Hydrogen sulphide.", {"GQ": 15_000, "61": 10_000}),
    _gas("c6h6", "Benzene.", {"GQ": 5000, "61": 1500}),
    _gas("volatileOrganicCompoundsTotal", "Volatile organic compounds together.", {"GQ": 200_000, "61": 60_000}),
    _gas("co", "Carbon monoxide.", {"GP": 250, "59": 200}),
    _gas("co2", "Carbon dioxide.", {"59": 40_000, "GP": 72_000}),
    # The schema gives pm1 no minimum; a negative mass is still not plausible.
    _particles("pm1", "Particles up to 1 micrometre.", 10_000, allowed=Bounds()),
    _particles("pm25", "Particles up to 2.5 micrometres.", 10_000),
    _particles("pm4", "Particles up to 4 micrometres.", 10_000),
    _particles("pm10", "Particles up to 10 micrometres.", 20_000),
    _particles("as", "Arsenic in particles.", 10),
    _particles("cd", "Cadmium in particles.", 10),
    _particles("ni", "Nickel in particles.", 10),
    _particles("pb", "Lead in particles.", 100),
    ModelAttribute(
        name="tsp",
        kind="integer",
        description="All suspended particles, whatever their size; whole micrograms, says the schema.",
        units=("GQ",),
        allowed=_POSITIVE,
        plausible={"GQ": between(0, 50_000)},
    ),
    ModelAttribute(
        name="tpc",
        kind="integer",
        description="Number of particles in a volume of air.",
        units=("C86",),
        allowed=_POSITIVE,
        plausible={"C86": between(0, 1e12)},
    ),
    ModelAttribute(name="coLevel", kind="text", description="Carbon monoxide in words."),
)

_WEATHER = (
    ModelAttribute(
        name="temperature",
        kind="number",
        description="Temperature of the air.",
        units=("CEL",),
        plausible={"CEL": between(-70, 60)},
    ),
    ModelAttribute(
        name="relativeHumidity",
        kind="number",
        description="Relative humidity of the air, a fraction from 0 to 1.",
        units=("C62",),
        allowed=_FRACTION,
    ),
    ModelAttribute(
        name="pressure",
        kind="number",
        description="Atmospheric pressure at the station.",
        units=("A97",),
        allowed=_POSITIVE,
        plausible={"A97": between(500, 1100)},
    ),
    ModelAttribute(
        name="precipitation",
        kind="number",
        description="Rain fallen since the last reading; a litre per square metre is a millimetre.",
        units=("MMT",),
        allowed=_POSITIVE,
        plausible={"MMT": between(0, 500)},
    ),
    ModelAttribute(
        name="windSpeed",
        kind="number",
        description="Speed of the wind.",
        units=("MTS",),
        allowed=_POSITIVE,
        plausible={"MTS": between(0, 115)},
    ),
    # From -180 here and from 0 in WeatherObserved (dataModel.Weather issue 14).
    ModelAttribute(
        name="windDirection",
        kind="number",
        description="Where the wind comes from; 0 is north, 90 east, -90 west.",
        units=("DD",),
        allowed=between(-180, 180),
        wrap=True,
    ),
)

_STATION = (
    ModelAttribute(
        name="airQualityIndex",
        kind="integer",
        description="Air quality index, by the rules of whoever computes it.",
        allowed=_POSITIVE,
        plausible={"": between(0, 1000)},
    ),
    ModelAttribute(name="airQualityLevel", kind="text", description="Air quality in words.", shortest=2),
    ModelAttribute(
        name="reliability",
        kind="number",
        description="How reliable the observation is, a fraction from 0 to 1.",
        units=("C62",),
        allowed=_FRACTION,
        measured=False,
    ),
    ModelAttribute(
        name="typeofLocation",
        kind="text",
        description="Whether the sensor is inside.",
        choices=("indoor", "outdoor"),
        measured=False,
    ),
    ModelAttribute(
        name="charge",
        kind="number",
        description="Voltage that charges the device.",
        units=("VLT",),
        allowed=_POSITIVE,
        plausible={"VLT": between(0, 60)},
        measured=False,
    ),
)

AIR_QUALITY_OBSERVED = Model(
    name=_AIR,
    subject=ENVIRONMENT,
    version="0.1.4",
    context=context_urls(ENVIRONMENT),
    schema_url=schema_url(ENVIRONMENT, _AIR),
    time=("dateObserved",),
    device="refDevice",
    location_required=True,
    attributes=(*_POLLUTANTS, *_WEATHER, *_STATION),
)


_INDOOR = "IndoorEnvironmentObserved"
_PLACES = ("northWall", "southWall", "eastWall", "westWall", "center", "floor", "roof", "ceiling")


def _measured(name: str, what: str, plausible: dict[str, Bounds], allowed: Bounds) -> ModelAttribute:
    units = tuple(code for code in plausible if code)
    return ModelAttribute(name=name, kind="number", description=what, units=units, allowed=allowed, plausible=plausible)


_HEIGHT = _measured("sensorHeight", "Height of the sensor above the floor.", {"MTR": between(0, 100)}, between(0))


INDOOR_ENVIRONMENT_OBSERVED = Model(
    name=_INDOOR,
    subject=ENVIRONMENT,
    version="0.0.1",
    context=context_urls(ENVIRONMENT),
    schema_url=schema_url(ENVIRONMENT, _INDOOR),
    time=("dateObserved",),
    device="refDevice",
    location_required=True,
    attributes=(
        _measured("temperature", "Temperature of the air.", {"CEL": between(0, 60)}, between(0)),
        _measured("relativeHumidity", "Relative humidity, a fraction from 0 to 1.", {"C62": between(0, 1)}, between(0)),
        _measured("co2", "Carbon dioxide.", {"59": between(250, 40_000), "GP": between(450, 72_000)}, Bounds()),
        _measured("atmosphericPressure", "Atmospheric pressure.", {"A97": between(500, 1100)}, between(0)),
        _measured("illuminance", "Light on a surface.", {"LUX": between(0, 200_000)}, between(0)),
        _measured("peopleCount", "People in the room.", {"": between(0, 100_000)}, between(0)),
        _HEIGHT.model_copy(update={"measured": False}),
        ModelAttribute(
            name="sensorPlacement",
            kind="text",
            description="Where the sensor is.",
            choices=_PLACES,
            measured=False,
        ),
    ),
)


_NOISE = "NoiseLevelObserved"


def _level(name: str, what: str) -> ModelAttribute:
    return ModelAttribute(name=name, kind="number", description=what, units=("2N",), plausible={"2N": between(10, 160)})


NOISE_LEVEL_OBSERVED = Model(
    name=_NOISE,
    subject=ENVIRONMENT,
    version="0.2.1",
    context=context_urls(ENVIRONMENT),
    schema_url=schema_url(ENVIRONMENT, _NOISE),
    time=("dateObservedFrom", "dateObservedTo"),
    device="refDevice",
    location_required=True,
    attributes=(
        _level("LAeq", "Equivalent level of the period, A-weighted."),
        _level("LAmax", "Highest level of the period, A-weighted."),
        _level("LAS", "Level with slow time weighting, A-weighted."),
        _level("LAeq_d", "Equivalent level of the day, A-weighted."),
        text_attribute("sonometerClass", "Class of the sound level meter.", "0", "1", "2", measured=False),
        text_attribute("obstacles", "What stands between the sensor and the sources of noise.", measured=False),
        text_attribute("heightAverage", "Height of the sensor in metres, as a text.", measured=False),
        text_attribute("distanceAverage", "Distance of the sources of noise in metres, as a text.", measured=False),
    ),
)
