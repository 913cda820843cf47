"""IndoorEnvironmentObserved: the air and the light of a room, and who is in it.

Where the schema and the world differ, the wire follows the schema or the wider practice, and says so here:

- temperature has a minimum of 0 in the schema. A cold store at -5 °C is outside it: the attribute is left out and named
  in `ce_quality`. Rooms that may freeze are better described as WeatherObserved.
- relativeHumidity has no maximum in the schema and no unit. It is a fraction (C62) as in every other model; above 1 it
  is published and flagged as implausible.
- co2 is said to be "nominally mg per litre" in the schema's text, but sensors and consumers speak of ppm: 59. A mass
  per volume stays one, in milligrams per cubic metre (GP).
- peopleCount is a number in the schema, so 12 people are 12.0; a count has no unit.
"""

from __future__ import annotations

from pipeline.models.base import Bounds, Model, ModelAttribute, between
from pipeline.models.subjects import ENVIRONMENT, context_urls, schema_url

_NAME = "IndoorEnvironmentObserved"
_PLACES = ("northWall", "southWall", "eastWall", "westWall", "center", "floor", "roof", "ceiling")


def _measured(name: str, what: str, plausible: dict[str, Bounds], allowed: Bounds) -> ModelAttribute:
    units = tuple(code for code in plausible if code)
    return ModelAttribute(name=name, kind="number", description=what, units=units, allowed=allowed, plausible=plausible)


_HEIGHT = _measured("sensorHeight", "Height of the sensor above the floor.", {"MTR": between(0, 100)}, between(0))


INDOOR_ENVIRONMENT_OBSERVED = Model(
    name=_NAME,
    subject=ENVIRONMENT,
    version="0.0.1",
    context=context_urls(ENVIRONMENT),
    schema_url=schema_url(ENVIRONMENT, _NAME),
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
