"""The headers of a record: CloudEvents 1.0, Kafka protocol binding, binary mode, and our extensions.

Extension names are part of the public contract: feed, connector, quality, verified, idclass, licence (ours), and
recordedtime, dataclassification (CloudEvents' own documented extensions).
"""

from __future__ import annotations

from pipeline.core.record import header

CONTENT_TYPE = "application/ld+json"
SPEC_VERSION = "1.0"
TYPE_PREFIX = "org.smartdatamodels"

QUALITY = "ce_quality"
VERIFIED = "ce_verified"
"""`false` on an event of which nothing proves that it is from whom it names."""
ID_CLASS = "ce_idclass"
TRACEPARENT = "traceparent"


def ce_type(subject: str, model: str) -> str:
    """Return the event type: `org.smartdatamodels.dataModel.Environment.AirQualityObserved`."""
    return f"{TYPE_PREFIX}.{subject}.{model}"


def source(tenant: str) -> str:
    """Return the event source, the same on every path that a reading may take."""
    return f"/tenants/{tenant}"


def shared(pairs: dict[str, str]) -> bytes:
    """Encode the headers that all records of a plan share."""
    return b"".join(header(name, value.encode()) for name, value in pairs.items())
