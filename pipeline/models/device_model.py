"""DeviceModel: the family of a device, beside the state of each one; a Device refers to it with `refDeviceModel`.

No reading supplies anything of it: all follows from the device connector, so that no attribute has a time. The schema
requires `category` and says that `deviceCategory` is to take its place; it is `category` as long as that is required.

Left out: what no connector says of its family (RFC 7228's classes, function, units, protocols, colour, image,
documentation).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pipeline.models.base import Model
from pipeline.models.subjects import DEVICE as SUBJECT
from pipeline.models.subjects import context_urls, schema_url

_NAME = "DeviceModel"

DEVICE_MODEL = Model(
    name=_NAME,
    subject=SUBJECT,
    version="0.0.3",
    context=context_urls(SUBJECT),
    schema_url=schema_url(SUBJECT, _NAME),
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
