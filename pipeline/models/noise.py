"""NoiseLevelObserved: a sound level over a period, which begins and ends.

All levels are decibels (2N): UN/CEFACT has no code for dB(A), and the weighting stands in the attribute's name.
heightAverage and distanceAverage are texts in the schema, in metres by its words; a text has no unitCode, so a device
that measures them sends metres, and a number becomes its text.

Left out: dateObserved (the same period as one text), and the relations to other entities.
"""

from __future__ import annotations

from pipeline.models.base import Model, ModelAttribute, between
from pipeline.models.subjects import ENVIRONMENT, context_urls, schema_url

_NAME = "NoiseLevelObserved"


def _level(name: str, what: str) -> ModelAttribute:
    return ModelAttribute(name=name, kind="number", description=what, units=("2N",), plausible={"2N": between(10, 160)})


def _text(name: str, what: str, *choices: str) -> ModelAttribute:
    return ModelAttribute(name=name, kind="text", description=what, choices=choices, measured=False)


NOISE_LEVEL_OBSERVED = Model(
    name=_NAME,
    subject=ENVIRONMENT,
    version="0.2.1",
    context=context_urls(ENVIRONMENT),
    schema_url=schema_url(ENVIRONMENT, _NAME),
    time=("dateObservedFrom", "dateObservedTo"),
    device="refDevice",
    location_required=True,
    attributes=(
        _level("LAeq", "Equivalent level of the period, A-weighted."),
        _level("LAmax", "Highest level of the period, A-weighted."),
        _level("LAS", "Level with slow time weighting, A-weighted."),
        _level("LAeq_d", "Equivalent level of the day, A-weighted."),
        _text("sonometerClass", "Class of the sound level meter.", "0", "1", "2"),
        _text("obstacles", "What stands between the sensor and the sources of noise."),
        _text("heightAverage", "Height of the sensor in metres, as a text."),
        _text("distanceAverage", "Distance of the sources of noise in metres, as a text."),
    ),
)
