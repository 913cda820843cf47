"""`use: vendor/device` under `connectors:`: a vendor's connector, and what its vendor cannot know."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, PrivateAttr, Tag, ValidationInfo, model_validator

from pipeline.config.connectors import AttributeSourceConfig, DeviceSourceConfig, Location, Observed, Period
from pipeline.config.extended import extended
from pipeline.config.findings import did_you_mean
from pipeline.config.values import Duration, FieldPath, Section, VendorDevice, durations
from pipeline.core.record import DEVICE, DEVICE_MODEL
from pipeline.plugins.registry import ConnectorCatalogue
from pipeline.sdk.connector import Connector

DEVICE_INTERVAL = 3600.0  # seconds; also of connectors without an entry of their own, and of gateways


class FieldSourceConfig(Section):
    """A field of the JSON object that wraps the payload."""

    field: FieldPath = Field(examples=["fPort"])
    """The field."""


class PayloadSourceConfig(Section):
    """JSON wraps the device's bytes."""

    field: FieldPath = Field(examples=["data"])
    """The field of the message that holds them."""
    encoding: Literal["hex", "base64"] = Field(examples=["base64"])
    """How they are written there."""


def _payload_kind(value: Any) -> str:  # noqa: ANN401 - whatever the file holds
    return "<word>" if isinstance(value, str) else "<mapping>"


Payload = Annotated[
    Annotated[PayloadSourceConfig, Tag("<mapping>")] | Annotated[Literal["raw", "hex", "base64"], Tag("<word>")],
    Discriminator(_payload_kind),
]


class UsedConnectorConfig(Section):
    """A vendor's device connector, by its name, and what its vendor cannot know."""

    use: VendorDevice = Field(examples=["acme/th-1"])
    """The device, as `headrace connectors list` shows it: `vendor/device`."""
    device: DeviceSourceConfig | None = Field(default=None, examples=[{"topic": "device"}])
    """Where the device's name comes from, if a route leads here: a field of the JSON that wraps the payload, else of
    the decoded. An uplink of a network says itself whose it is."""
    payload: Payload = Field(default="raw", examples=["hex", {"field": "data", "encoding": "base64"}])
    """How the device's bytes stand in the message: as they are, as text, or in a field of a JSON object."""
    port: FieldSourceConfig | None = Field(default=None, examples=[{"field": "fPort"}])
    """Where the LoRaWAN port stands in that JSON object."""
    observed_at: Observed | None = Field(default=None, examples=[{"field": "time", "format": "iso"}])
    """Where the reading's time comes from; absent, from where the connector says, else it is the arrival."""
    max_age: Annotated[Duration, durations(1, 100 * 365 * 86_400)] = Field(default=30 * 86_400.0, examples=["30d"])
    """How old a reading may be by the connector's own time; an older one gets the time of arrival and is flagged."""
    period: Period | None = Field(default=None, examples=["5min"])
    """What time one reading covers, for a model with a beginning and an end; absent, as the connector says."""
    location: Location | None = Field(default=None, examples=[[3.7174, 51.0543]])
    """Where the device is: fields, or a constant [longitude, latitude(, altitude)]; absent, as the connector says."""
    attributes: dict[str, AttributeSourceConfig] = Field(
        default={}, examples=[{"rssi": {"field": "signal", "unit": "dBm"}}]
    )
    """Further attributes, from fields that the decoder yields (`headrace connectors show`), or the vendor's anew."""
    device_interval: Annotated[Duration, durations(1, 366 * 86_400)] = Field(default=DEVICE_INTERVAL, examples=["1h"])
    """How often a device's state (battery, firmware, signal) and its DeviceModel are published though unchanged."""

    _own: Connector | None = PrivateAttr(default=None)
    _connector: Connector | None = PrivateAttr(default=None)

    @model_validator(mode="after")
    def _resolve(self, info: ValidationInfo) -> UsedConnectorConfig:
        registry: ConnectorCatalogue | None = (
            (info.context or {}).get("registry") if isinstance(info.context, dict) else None
        )
        found = None if registry is None else registry.get(self.use)
        self._own = self._connector = None if found is None else found.connector
        if self._own is not None and self.attributes:
            self._connector = extended(self._own, self.attributes)
        return self

    @property
    def connector(self) -> Connector | None:
        """The vendor's declaration, with what `attributes` adds; None where there is none, which is an error."""
        return self._connector

    @property
    def vendors_own(self) -> Connector | None:
        """The vendor's declaration as it stands, without `attributes`."""
        return self._own

    @property
    def models(self) -> tuple[str, ...]:
        """The models of the entities that are made."""
        if self._connector is None:
            return ()
        own = (DEVICE, DEVICE_MODEL) if self._connector.device else ()
        return (*(each.model for each in self._connector.observed()), *own)

    @property
    def own_time(self) -> bool:
        """Whether a reading carries its own time."""
        if self.observed_at is not None:
            return self.observed_at != "arrival"
        return self._connector is not None and self._connector.time is not None


def connector_kind(value: Any) -> str:  # noqa: ANN401 - whatever the file holds
    """Tell the two kinds of an entry under `connectors` apart, also when `use` is misspelt."""
    if isinstance(value, UsedConnectorConfig):
        return "<use>"
    if not isinstance(value, dict):
        return "<inline>"
    if "use" in value:
        return "<use>"
    if "model" in value:
        return "<inline>"
    return "<use>" if any(did_you_mean(str(key), ["use"]) for key in value) else "<inline>"
