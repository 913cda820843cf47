"""DeviceMeasurement: any one quantity, for what has no model of its own (a tank's level, a current, a count).

numValue takes whatever dimension it is mapped with, each in one canonical unit, and has its unitCode as every other
number has; a pure count is mapped without a unit. Without numValue or textValue nothing was measured. `unit` is the
schema's own text for a unit, for a device that sends one; nothing converts by it. What was measured stands in
controlledProperty, in the sender's words.

Left out: what GSMA-Commons brings (who owns and names a thing).
"""

from __future__ import annotations

from pipeline.models.base import Model, ModelAttribute, between
from pipeline.models.subjects import DEVICE, context_urls, schema_url

_NAME = "DeviceMeasurement"
# One unit a dimension, of the size that people think in.
_UNITS = (
    "C62", "CEL", "A97", "GQ", "C86", "MTS", "DD", "MTR", "MTQ", "MQH", "2N", "DBM", "LUX", "LUM", "A24", "D54", "VLT",
    "AMP", "WTT", "D46", "D44", "KWH", "K3", "AMH", "G42", "Q30", "NTU", "FNU", "SEC", "KGM", "HTZ", "A19", "IE",
)  # fmt: skip


def _text(name: str, what: str, *, measured: bool = False) -> ModelAttribute:
    return ModelAttribute(name=name, kind="text", description=what, measured=measured)


DEVICE_MEASUREMENT = Model(
    name=_NAME,
    subject=DEVICE,
    version="0.1.0",
    context=context_urls(DEVICE),
    schema_url=schema_url(DEVICE, _NAME),
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
        _text("textValue", "The value, if it is a text.", measured=True),
        _text("controlledProperty", "What was measured."),
        _text("measurementType", "How it was measured."),
        _text("deviceType", "What kind of device measured it."),
        _text("unit", "The unit as the device names it."),
        ModelAttribute(
            name="outlier",
            kind="boolean",
            description="Whether the device marks the value as unusual.",
            measured=False,
        ),
    ),
)
