"""The whole configuration, as plain values."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, GetCoreSchemaHandler, PrivateAttr, Tag, ValidationInfo, model_validator
from pydantic_core import CoreSchema, core_schema

from pipeline.config.connectors import Area, InlineConnectorConfig
from pipeline.config.feeds import FEED_SECTIONS, FeedConfig, RouteConfig
from pipeline.config.kafka import KafkaConfig, topic
from pipeline.config.used_connectors import UsedConnectorConfig, connector_kind
from pipeline.config.values import INTERVALS, Duration, FileName, Iri, Listen, Name, Section, Tenant, durations
from pipeline.core.record import DEVICE, DEVICE_MODEL
from pipeline.devices.registry import DeviceRegistry
from pipeline.encode import Form
from pipeline.plugins.registry import ConnectorCatalogue


class LogConfig(Section):
    """The log, on standard error; one line an event."""

    format: Literal["auto", "json", "console"] = Field(default="auto", examples=["json"])
    """JSON for programs, `console` for people; `auto` looks whether a terminal reads."""
    level: Literal["debug", "info", "warning", "error"] = Field(default="info", examples=["info"])
    """The least important that is written. While it runs, SIGUSR1 takes `debug`, and SIGUSR2 this level again."""


Interval = Annotated[Duration, durations(*INTERVALS)]


class SilentDevicesConfig(Section):
    """When a device or gateway that does not speak is overdue. Intervals that are not set are learned from messages."""

    after: float = Field(default=3.0, ge=1.5, le=1000, examples=[3])
    """How many of its intervals one may be silent."""
    interval: Interval = Field(default=3600.0, examples=["1h"])
    """The interval of devices without a setting and with too few messages to learn one from."""
    intervals: dict[str, Interval] = Field(default={}, examples=[{"acme/th-1": "10min", "NoiseLevelObserved": "5min"}])
    """The intervals of devices by connector or model; `interval` in the device registry goes before them."""
    events: bool = Field(default=False, examples=[True])
    """Whether `<tenant>.device-events.v1` also gets an event when a device falls silent, and when it is back."""


class StreamConfig(Section):
    """The form of one model's records, and the terms of their use, which travel in their headers."""

    format: Form = Field(default="normalised", examples=["flat"])
    """NGSI-LD, `normalised` or `concise`, or one level of plain JSON, `flat`; `content-type` tells which."""
    classification: Literal["public", "internal", "confidential", "restricted"] = Field(
        default="internal", examples=["public"]
    )
    """The readers that the data is meant for, from anyone to a named few (`ce_dataclassification`)."""
    licence: Iri | None = Field(default=None, examples=["https://creativecommons.org/licenses/by/4.0/"])
    """The licence, by its address (`ce_licence`)."""
    category: Literal["public", "private", "commercial"] | None = Field(default=None, examples=["public"])
    """The category of the data's use (`ce_category`)."""
    contact: str | None = Field(default=None, min_length=1, max_length=200, examples=["mailto:data@city.example"])
    """The address for questions about the data: an e-mail address or a URL (`ce_contact`)."""
    retention: Annotated[Duration, durations(60, 100 * 365 * 86_400)] | None = Field(default=None, examples=["30d"])
    """How long the topic keeps a record, when Headrace creates it."""


class DeadLettersConfig(Section):
    """What is kept of a message that could not be used."""

    payload: Literal["full", "hash", "none"] = Field(default="full", examples=["full"])
    """Its payload as it came (needed to replay it), only its SHA-256, or nothing."""


class AdminConfig(Section):
    """Where metrics and health are served."""

    listen: Listen = Field(default="127.0.0.1:9464", examples=["127.0.0.1:9464"])
    """Address and port; port 0 takes a free one. On another address than loopback, `token_file` is needed."""
    token_file: FileName | None = Field(default=None, examples=["/run/secrets/admin-token"])
    """The file with the token (16 ASCII characters or more) for all but `/metrics` and the plain probes."""
    payload_samples: bool = Field(default=False, examples=[True])
    """Show on the status page how a recent dead letter's payload begins, and sentences that quote it."""


AnyConnector = Annotated[
    Annotated[InlineConnectorConfig, Tag("<inline>")] | Annotated[UsedConnectorConfig, Tag("<use>")],
    Discriminator(connector_kind),
]
"""An entry of `connectors`: written out in the configuration, or a vendor's by its name."""


def _feed_kind(value: Any) -> str:  # noqa: ANN401 - whatever the file holds
    """Say which kind an entry is held against: what `kind` names, or else what its keys look like."""
    if isinstance(value, FeedConfig):
        return f"<{value.kind}>"
    named = value.get("kind") if isinstance(value, dict) else None
    if isinstance(named, str) and named in FEED_SECTIONS:
        return f"<{named}>"
    return "<semtech_udp>" if isinstance(value, dict) and "listen" in value else "<mqtt>"


class _AnyKind:
    """The sections of all kinds of feeds, as there are when a schema is made."""

    def __get_pydantic_core_schema__(self, _: Any, handler: GetCoreSchemaHandler) -> CoreSchema:  # noqa: ANN401
        kinds = {f"<{kind}>": handler.generate_schema(section) for kind, section in FEED_SECTIONS.items()}
        return core_schema.tagged_union_schema(dict(kinds), _feed_kind)


AnyFeed = Annotated[FeedConfig, _AnyKind()]
"""An entry of `feeds`, by its `kind`."""


class Config(Section):
    """One worker's configuration."""

    config_version: Literal[1] = Field(default=1, examples=[1])
    """The version of these keys."""
    tenant: Tenant = Field(examples=["ghent"])
    """Whose data this is: part of entity ids, topics and `ce_source`."""
    kafka: KafkaConfig = Field(examples=[{"bootstrap_servers": ["127.0.0.1:9092"]}])
    """Where records go."""
    feeds: dict[Name, AnyFeed] = Field(min_length=1, examples=[{"city": {"kind": "mqtt", "...": "..."}}])
    """Where messages come from, by a name of your own."""
    connectors: dict[Name, AnyConnector] = Field(default={}, examples=[{"city-aq": {"model": "AirQualityObserved"}}])
    """Which field is which attribute of which model, or whose connector says so, by a name of your own."""
    connector_paths: tuple[FileName, ...] = Field(default=(), examples=[["connectors"]])
    """Folders with device connectors and formats of your own; their Python runs here, so name only what you trust."""
    devices: FileName | None = Field(default=None, examples=["devices.yaml"])
    """The device registry, a YAML or CSV file: the identity and the place of each device; read again on SIGHUP."""
    unknown_devices: Literal["accept", "dead_letter"] | None = Field(default=None, examples=["accept"])
    """What becomes of devices that are not in the registry; absent, `dead_letter` with `devices`, else `accept`."""
    silent_devices: SilentDevicesConfig = SilentDevicesConfig()
    """When a device that does not speak is overdue: counted, logged, and listed by `headrace devices silent`."""
    area: Area | None = Field(default=None, examples=[[3.57, 50.98, 3.85, 51.19]])
    """The box that all places lie in: west, south, east, north in degrees (WGS84); a place outside is refused."""
    streams: dict[str, StreamConfig] = Field(
        default={}, examples=[{"AirQualityObserved": {"classification": "public"}}]
    )
    """The form of the records and the terms of their use, by model."""
    dead_letters: DeadLettersConfig = DeadLettersConfig()
    """What is kept of a message that could not be used."""
    admin: AdminConfig = AdminConfig()
    """Where metrics and health are served."""
    log: LogConfig = LogConfig()
    """How the log is written."""
    drain_timeout: Annotated[Duration, durations(0, 3600)] = Field(default=30.0, examples=["30s"])
    """How long a stop may wait for Kafka to confirm what was read."""
    state_dir: FileName | None = Field(default=None, examples=["/var/lib/headrace"])
    """Where state is kept over a restart; absent, in `$STATE_DIRECTORY`, else in `~/.local/state/headrace/<tenant>`."""

    _found: ConnectorCatalogue = PrivateAttr(default_factory=ConnectorCatalogue)
    _registered: DeviceRegistry = PrivateAttr(default_factory=DeviceRegistry)

    @model_validator(mode="after")
    def _keep_context(self, info: ValidationInfo) -> Config:
        context = info.context if isinstance(info.context, dict) else {}
        self._found = context.get("registry", self._found)
        self._registered = context.get("devices", self._registered)
        return self

    @model_validator(mode="before")
    @classmethod
    def _name_client(cls, value: object) -> object:
        if isinstance(value, dict) and isinstance(value.get("kafka"), dict) and isinstance(value.get("tenant"), str):
            return {**value, "kafka": {"client_id": f"headrace-{value['tenant']}"[:249], **value["kafka"]}}
        return value

    def topic(self, model: str) -> str:
        """Return the topic of a model's entities."""
        return topic(self.kafka.topics.model, tenant=self.tenant, model=model)

    @property
    def accepts_unknown(self) -> bool:
        """Whether devices that are not in the registry are published."""
        return self.unknown_devices == "accept" or (self.unknown_devices is None and self.devices is None)

    @property
    def dead_letter_topic(self) -> str:
        """The topic of dead letters."""
        return topic(self.kafka.topics.dead_letter, tenant=self.tenant)

    def stream(self, model: str) -> StreamConfig:
        """Return the form of a model's records and the terms of their use."""
        return self.streams.get(model, StreamConfig())

    def keeps_retained(self, route: RouteConfig) -> bool:
        """Say whether a route keeps retained messages: as it says, or else when the readings carry their own time."""
        if route.retained is not None or route.connector is None:
            return route.retained == "keep"
        return self.connectors[route.connector].own_time

    @property
    def device_events_topic(self) -> str:
        """The topic of what happens to devices and gateways beside uplinks."""
        return topic(self.kafka.topics.device_events, tenant=self.tenant)

    @property
    def fingerprint(self) -> str:
        """Twelve hex digits that tell one configuration from another; secrets and the device registry play no part."""
        text = json.dumps(self.model_dump(mode="json"), sort_keys=True)
        return sha256(text.encode()).hexdigest()[:12]

    @property
    def networked(self) -> bool:
        """Whether a LoRaWAN network server or gateways speak on any feed."""
        return any(feed.dialect is not None for feed in self.feeds.values())

    @property
    def tells_events(self) -> bool:
        """Whether anything is written to the topic of device events."""
        return self.networked or self.silent_devices.events

    @property
    def models(self) -> list[str]:
        """The models of all entities that may be made."""
        written = {model for connector in self.connectors.values() for model in connector.models}
        return sorted(written | (self._network_models() if self.networked else set()))

    def _network_models(self) -> set[str]:
        """Return the models of devices that name themselves, and of the entities about those devices."""
        named = {device.connector for device in self.registered if device.connector is not None}
        if self.accepts_unknown:
            named |= set(self.found.names)
        found = [each.connector for name in named if (each := self.found.get(name)) is not None]
        overrides = {device.model for device in self.registered if device.model is not None}
        return {DEVICE, DEVICE_MODEL, *overrides, *(each.model for connector in found for each in connector.observed())}

    @property
    def found(self) -> ConnectorCatalogue:
        """The device connectors that were found."""
        return self._found

    @property
    def registered(self) -> DeviceRegistry:
        """The device registry as it was when the configuration was read."""
        return self._registered
