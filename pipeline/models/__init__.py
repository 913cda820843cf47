"""The common data models: one file a domain, all found through `MODELS`."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from pipeline.models.base import Model
from pipeline.models.context import context
from pipeline.models.device import DEVICE, DEVICE_MEASUREMENT, DEVICE_MODEL
from pipeline.models.environment import AIR_QUALITY_OBSERVED, INDOOR_ENVIRONMENT_OBSERVED, NOISE_LEVEL_OBSERVED
from pipeline.models.weather import WEATHER_OBSERVED

__all__ = ["MODELS", "context"]

_ALL = (
    AIR_QUALITY_OBSERVED,
    WEATHER_OBSERVED,
    NOISE_LEVEL_OBSERVED,
    INDOOR_ENVIRONMENT_OBSERVED,
    DEVICE_MEASUREMENT,
    DEVICE,
    DEVICE_MODEL,
)

MODELS: Mapping[str, Model] = MappingProxyType({model.name: model for model in _ALL})
"""Every model by its name, which is the entity type on the wire."""
