"""`connectors:` in the configuration: which field of a payload is which attribute of which model."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Discriminator, Field, Tag, model_validator

from pipeline.config.values import Duration, FieldPath, LevelName, Section, durations

_LATITUDE, _LONGITUDE = 90, 180
_LAT = re.compile(r"(^|[^a-z])lat", re.IGNORECASE)
_LON = re.compile(r"(^|[^a-z])(lon|lng)", re.IGNORECASE)


class DeviceSourceConfig(Section):
    """Where the device's name comes from; nothing is guessed when it is absent there."""

    field: FieldPath | None = Field(default=None, examples=["device"])
    """A field of the payload."""
    topic: LevelName | None = Field(default=None, examples=["device"])
    """A level of the topic, by the `{name}` that the route gives it."""

    @model_validator(mode="after")
    def _one(self) -> DeviceSourceConfig:
        if (self.field is None) == (self.topic is None):
            raise ValueError("names the device by one of `field` and `topic`: give exactly one")
        return self


class TimeSourceConfig(Section):
    """The field that carries the reading's own time."""

    field: FieldPath = Field(examples=["ts"])
    """The field of the payload."""
    unit: Literal["s", "ms", "us", "ns"] | None = Field(default=None, examples=["ms"])
    """For a number: the unit of its count since 1970 UTC."""
    format: Literal["iso"] | None = Field(default=None, examples=["iso"])
    """For a text, instead of `unit`: `iso`, RFC 3339 with a zone."""
    max_age: Annotated[Duration, durations(1, 100 * 365 * 86_400)] = Field(default=30 * 86_400.0, examples=["30d"])
    """How old a reading may be; an older one is taken for a wrong clock, gets the time of arrival and is flagged."""

    @model_validator(mode="after")
    def _one(self) -> TimeSourceConfig:
        if self.unit and self.format:
            raise ValueError("has both `unit` and `format`: keep `unit` for a number, `format: iso` for a text")
        if not self.unit and not self.format:
            raise ValueError("needs either `unit: s|ms|us|ns` (a number) or `format: iso` (a text)")
        return self


class LocationSourceConfig(Section):
    """The fields that carry the coordinates (WGS84, degrees)."""

    longitude: FieldPath = Field(examples=["lon"])
    """The field of the longitude."""
    latitude: FieldPath = Field(examples=["lat"])
    """The field of the latitude."""
    altitude: FieldPath | None = Field(default=None, examples=["alt"])
    """The field of the altitude, in metres."""

    @model_validator(mode="after")
    def _not_swapped(self) -> LocationSourceConfig:
        if _LAT.search(self.longitude) and _LON.search(self.latitude):
            raise ValueError(f"looks swapped: write `longitude: {self.latitude}` and `latitude: {self.longitude}`")
        return self


def check_coordinates(value: tuple[float, ...]) -> tuple[float, ...]:
    """Hold a constant position against WGS84, longitude first (RFC 7946 section 3.1.1).

    Raises ValueError with a sentence.
    """
    longitude, latitude = value[:2]
    if longitude == 0 and latitude == 0:
        raise ValueError("is 0,0, which is what a receiver without a fix reports: write the real position")
    if abs(latitude) > _LATITUDE and abs(longitude) <= _LATITUDE and abs(latitude) <= _LONGITUDE:
        raise ValueError(f"looks swapped: longitude comes first; write [{latitude:g}, {longitude:g}]")
    if abs(longitude) > _LONGITUDE or abs(latitude) > _LATITUDE:
        said = f"got longitude {longitude:g} and latitude {latitude:g}"
        raise ValueError(
            f"is no WGS84 position: {said}; longitude is -180 to 180 and comes first, latitude is -90 to 90"
        )
    return value


def check_area(value: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
    """Hold a box against WGS84: west, south, east, north (RFC 7946 section 5), not across the antimeridian.

    Raises ValueError with a sentence.
    """
    west, south, east, north = value
    inside = -_LONGITUDE <= west < east <= _LONGITUDE and -_LATITUDE <= south < north <= _LATITUDE
    if not inside:
        raise ValueError(
            "is no box of WGS84: write [west, south, east, north] in degrees, longitude first, such as"
            " [3.57, 50.98, 3.85, 51.19]"
        )
    return value


class AttributeSourceConfig(Section):
    """One attribute of the model: where its value stands, and in which unit the device sends it."""

    field: FieldPath = Field(examples=["humidity"])
    """The field of the payload: a name, or a path such as `pm.2_5` or `values[0].v`."""
    unit: str | None = Field(default=None, min_length=1, examples=["%"])
    """The unit that the device sends, as people type it; it is converted to the model's own."""


def _location_kind(value: Any) -> str:  # noqa: ANN401 - whatever the file holds
    return "<list>" if isinstance(value, list | tuple) else "<mapping>"


def _time_kind(value: Any) -> str:  # noqa: ANN401
    return "<word>" if isinstance(value, str) else "<mapping>"


Coordinates = Annotated[tuple[float, ...], Field(min_length=2, max_length=3), AfterValidator(check_coordinates)]
Area = Annotated[tuple[float, float, float, float], AfterValidator(check_area)]
Location = Annotated[
    Annotated[LocationSourceConfig, Tag("<mapping>")] | Annotated[Coordinates, Tag("<list>")],
    Discriminator(_location_kind),
]
Observed = Annotated[
    Annotated[TimeSourceConfig, Tag("<mapping>")] | Annotated[Literal["arrival"], Tag("<word>")],
    Discriminator(_time_kind),
]


Period = Annotated[Duration, durations(0.001, 366 * 86_400)]


class InlineConnectorConfig(Section):
    """A device connector written in the configuration; a feed of JSON objects needs no more."""

    model: str = Field(examples=["AirQualityObserved"])
    """The common data model, by the name of the Smart Data Model."""
    device: DeviceSourceConfig = Field(examples=[{"field": "device"}])
    """Where the device's name comes from."""
    observed_at: Observed = Field(examples=[{"field": "ts", "unit": "ms"}])
    """Where the reading's time comes from: a field, or `arrival` if it carries none (duplicates then stay)."""
    period: Period | None = Field(default=None, examples=["5min"])
    """What time one reading covers, up to `observed_at`; for a model with a beginning and an end."""
    location: Location | None = Field(
        default=None, examples=[{"longitude": "lon", "latitude": "lat"}, [3.7174, 51.0543]]
    )
    """Where the device is: two fields of the payload, or a constant [longitude, latitude(, altitude)]."""
    attributes: dict[str, AttributeSourceConfig] = Field(
        min_length=1, examples=[{"pm10": {"field": "pm10", "unit": "ug/m3"}}]
    )
    """The model's attributes and where their values stand."""

    @property
    def models(self) -> tuple[str, ...]:
        """The models of the entities that are made."""
        return (self.model,)

    @property
    def own_time(self) -> bool:
        """Whether a reading carries its own time."""
        return self.observed_at != "arrival"
