"""WeatherObserved: what a weather station says.

The schema's words give most units: millimetres as litres per square metre, watts per square metre, hectopascal, lux,
centimetres of water and of snow. Two attributes may be a word or a number, and one attribute here has one kind:

- visibility is the number, in metres, that an instrument gives; its categories are made from that.
- pressureTendency is the word, since the number's period is not stated anywhere and no unit code has one.

Left out: airTemperatureTSA (an object), the relations to other entities, and what is no observation (name, address).
"""

from __future__ import annotations

from pipeline.models.base import Bounds, Model, ModelAttribute, between, text_attribute
from pipeline.models.context import WEATHER, context_urls, schema_url

_NAME = "WeatherObserved"
_POSITIVE = between(0)
_ANY = Bounds()


def _measured(name: str, unit: str, plausible: Bounds, what: str, allowed: Bounds = _POSITIVE) -> ModelAttribute:
    return ModelAttribute(
        name=name,
        kind="number",
        description=what,
        units=(unit,) if unit else (),
        allowed=allowed,
        plausible={unit: plausible},
    )


def _fraction(name: str, what: str, allowed: Bounds) -> ModelAttribute:
    plausible = {"C62": between(0, 1)}
    return ModelAttribute(
        name=name, kind="number", description=what, units=("C62",), allowed=allowed, plausible=plausible
    )


_AIR = (
    _measured("temperature", "CEL", between(-90, 60), "Temperature of the air.", _ANY),
    _measured("feelsLikeTemperature", "CEL", between(-100, 90), "Temperature as a person feels it.", _ANY),
    _measured("dewPoint", "CEL", between(-100, 40), "Temperature at which dew forms.", _ANY),
    _fraction("relativeHumidity", "Relative humidity of the air, a fraction from 0 to 1.", between(0, 1)),
    _measured("atmosphericPressure", "A97", between(500, 1100), "Atmospheric pressure at the station."),
    text_attribute("pressureTendency", "Whether the pressure falls or rises.", "falling", "raising", "steady"),
    _measured("visibility", "MTR", between(0, 100_000), "How far one sees."),
    text_attribute("weatherType", "The weather in words."),
)

_WIND_AND_WATER = (
    _measured("windSpeed", "MTS", between(0, 115), "Speed of the wind."),
    _measured("gustSpeed", "MTS", between(0, 130), "Speed of the strongest gust.", _ANY),
    ModelAttribute(
        name="windDirection",
        kind="number",
        description="Where the wind comes from; 0 is north, 90 east, 270 west.",
        units=("DD",),
        allowed=between(0, 360),
        wrap=True,
    ),
    _measured(
        "precipitation", "MMT", between(0, 500), "Rain fallen since the last reading, a litre per m2 is a millimetre."
    ),
    _measured("snowHeight", "CMT", between(0, 1500), "Depth of the snow."),
    _measured("streamGauge", "CMT", between(0, 5000), "Level of a water surface."),
)

_LIGHT = (
    _measured("illuminance", "LUX", between(0, 200_000), "Light on a surface."),
    _measured("solarRadiation", "D54", between(0, 1600), "Radiation of the sun on a surface."),
    _measured("directIrradiation", "D54", between(0, 1400), "Radiation that comes straight from the sun."),
    _measured("diffuseIrradiation", "D54", between(0, 1200), "Radiation that the sky scatters."),
    _measured("uVIndexMax", "", between(0, 25), "Highest UV index of the period (World Health Organization)."),
)

_AIR_QUALITY_AND_FORECAST = (
    _measured("airQualityIndex", "", between(0, 1000), "Air quality index, by the rules of its publisher.", _ANY),
    _measured("airQualityIndexForecast", "", between(0, 1000), "Forecast air quality index.", _ANY),
    text_attribute("aqiMajorPollutant", "Which pollutant decides the air quality index."),
    text_attribute("aqiMajorPollutantForecast", "Which pollutant will decide the air quality index."),
    _measured("airTemperatureForecast", "CEL", between(-90, 60), "Forecast temperature of the air.", _ANY),
    _measured("precipitationForecast", "MMT", between(0, 500), "Forecast rain.", _ANY),
    _fraction("relativeHumidityForecast", "Forecast relative humidity, a fraction from 0 to 1.", _ANY),
)

WEATHER_OBSERVED = Model(
    name=_NAME,
    subject=WEATHER,
    version="0.3.4",
    context=context_urls(WEATHER),
    schema_url=schema_url(WEATHER, _NAME),
    time=("dateObserved",),
    device="refDevice",
    location_required=True,
    attributes=(*_AIR, *_WIND_AND_WATER, *_LIGHT, *_AIR_QUALITY_AND_FORECAST),
)
