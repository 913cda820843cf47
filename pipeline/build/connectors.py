"""Connectors compiled for one feed: into plans, and fans of them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import orjson

from pipeline.build.context import NoDeviceWatch, WorkerContext
from pipeline.config import judge_connectors
from pipeline.config.connectors import (
    DeviceSourceConfig,
    InlineConnectorConfig,
    Location,
    LocationSourceConfig,
    Observed,
    TimeSourceConfig,
)
from pipeline.config.feeds import find
from pipeline.config.judge_connectors import declared, period
from pipeline.config.root import AnyConnector, Config
from pipeline.config.used_connectors import DEVICE_INTERVAL, PayloadSourceConfig, UsedConnectorConfig
from pipeline.config.values import field_path
from pipeline.core.clock import CLOCK
from pipeline.core.delivery import Message
from pipeline.core.errors import PayloadError, Reason
from pipeline.core.field_path import Fields, Path
from pipeline.core.record import DEVICE, DEVICE_MODEL
from pipeline.devices.registry import CurrentRegistry, Device
from pipeline.devices.state import FRAMES, LATITUDE, LONGITUDE, SIGNAL, STATE, DeviceStates
from pipeline.encode import FORMS
from pipeline.encode.headers import device_key
from pipeline.models import MODELS, device
from pipeline.models.base import WORLD, Area, Model
from pipeline.models.device import controlled_properties
from pipeline.normalise.binding import Binding, Fixed, FromField, FromTopic, ObservedAt, Position, Source, slots_of
from pipeline.normalise.decode import Envelope
from pipeline.normalise.entity import PlanSpec
from pipeline.normalise.plan import Plan
from pipeline.normalise.records import CompiledConnector, listed
from pipeline.plugins.registry import ConnectorCatalogue
from pipeline.sdk.connector import Attribute, Decoded
from pipeline.sdk.uplink import Names, Uplink

Within = Callable[[str], Path]
_OF_UPLINK = FromField(Path("the DevEUI", ()))
"""Of an entry that no route leads to: an uplink says itself whose it is."""
_ANY = "numValue"  # of a DeviceMeasurement: a value of any kind


def inline_binding(name: str, config: InlineConnectorConfig, model: Model) -> Binding:
    """Return the connector; `judge` has found nothing wrong with it."""
    return Binding(
        name=name,
        version=version(config),
        model=model.name,
        device=device_of(config.device),
        attributes={key: Source(field_path(each.field), each.unit) for key, each in config.attributes.items()},
        observed_at=observed_at_of(config.observed_at),
        period=config.period,
        location=location_of(config.location),
    )


def version(config: InlineConnectorConfig) -> str:
    """Return eight hexadecimal digits that change when what the connector does changes."""
    content = config.model_dump(mode="json", exclude_defaults=True)
    return hashlib.sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).hexdigest()[:8]


def vendor_bindings(config: UsedConnectorConfig, models: Mapping[str, Model]) -> list[Binding]:
    """Return the binding of each observation, the first one's first."""
    connector = declared(config)
    return [
        _binding(config, models[each.model], _sources(each.attributes), period(config, each, models[each.model]))
        for each in connector.observed()
    ]


def device_binding(config: UsedConnectorConfig, models: Mapping[str, Model]) -> Binding | None:
    """Return the binding of the Device entity, or None if the connector tells nothing of the device."""
    connector = declared(config)
    if not connector.device or DEVICE not in models:
        return None
    sources = {
        name: Source(Path(source.path.text, (STATE, name)), source.unit)
        for name, source in _sources(connector.device).items()
    }
    return replace(_binding(config, models[DEVICE], sources), related={"refDeviceModel": (DEVICE_MODEL, config.use)})


def family_binding(config: UsedConnectorConfig) -> Binding:
    """Return the binding of the DeviceModel entity, which is named as the configuration names the device."""
    vendor, _, product = config.use.partition("/")
    return Binding(
        name=config.use,
        version=declared(config).version,
        model=DEVICE_MODEL,
        device=device_source(config),
        attributes={},
        located=False,
        stated=device.stated(vendor, product, controlled(config)),
    )


def controlled(config: UsedConnectorConfig) -> tuple[str, ...]:
    """Return what the device measures, in the words of the Device's schema."""
    connector = declared(config)
    units = [each.attributes[_ANY].unit for each in connector.observed() if _ANY in each.attributes]
    return controlled_properties(_mapped(config), units, connector.controls)


def _mapped(config: UsedConnectorConfig) -> list[str]:
    return [attribute for each in declared(config).observed() for attribute in each.attributes]


def envelope(config: UsedConnectorConfig) -> Envelope:
    """Return how the device's bytes stand in a message."""
    payload = config.payload
    if not isinstance(payload, PayloadSourceConfig):
        return Envelope(payload)
    port = None if config.port is None else field_path(config.port.field)
    return Envelope(payload.encoding, field_path(payload.field), port)


def _binding(
    config: UsedConnectorConfig, model: Model, sources: Mapping[str, Source], period: float | None = None
) -> Binding:
    connector = declared(config)
    is_device = model.name == DEVICE
    return Binding(
        name=config.use,
        version=connector.version,
        model=model.name,
        device=device_source(config),
        attributes=sources,
        observed_at=observed_at(config),
        period=period,
        location=None if is_device else location(config),
        located=not is_device,
        stated={"controlledProperty": list(controlled(config))} if is_device else {},
    )


def _sources(attributes: Mapping[str, Attribute]) -> dict[str, Source]:
    return {name: Source(field_path(each.field), each.unit) for name, each in attributes.items()}


def device_source(config: UsedConnectorConfig) -> FromField | FromTopic:
    """Return where the device's name comes from."""
    return _OF_UPLINK if config.device is None else device_of(config.device, _within(config))


def observed_at(config: AnyConnector) -> ObservedAt | None:
    """Return where the time comes from: the operator's word, else the vendor's; None for arrival."""
    if not isinstance(config, UsedConnectorConfig):
        return observed_at_of(config.observed_at)
    time = declared(config).time
    if config.observed_at is None and time is not None:
        return ObservedAt(field_path(time.field), time.unit, config.max_age, optional=True)
    return observed_at_of(config.observed_at, _within(config))


def location(config: AnyConnector) -> Position | Fixed | None:
    """Return where the location comes from: the operator's word, else the vendor's."""
    if not isinstance(config, UsedConnectorConfig):
        return location_of(config.location)
    place = declared(config).place
    if config.location is None and place is not None:
        altitude = None if place.altitude is None else field_path(place.altitude)
        return Position(field_path(place.longitude), field_path(place.latitude), altitude)
    return location_of(config.location, _within(config))


def _within(config: UsedConnectorConfig) -> Callable[[str], Path]:
    """Compile the operator's paths, which lead into the object that wraps the payload, where one does."""
    opened = envelope(config)
    return lambda text: opened.within(field_path(text))


def device_of(source: DeviceSourceConfig, within: Within = field_path) -> FromField | FromTopic:
    """Return where the device's name comes from; within: how a path is compiled."""
    if source.field is not None:
        return FromField(within(source.field))
    return FromTopic(str(source.topic))


def observed_at_of(source: Observed | None, within: Within = field_path) -> ObservedAt | None:
    """Return where the time comes from, or None for arrival."""
    if not isinstance(source, TimeSourceConfig):
        return None
    return ObservedAt(within(source.field), source.format or str(source.unit), source.max_age)


def location_of(source: Location | None, within: Within = field_path) -> Position | Fixed | None:
    """Return where the location comes from, or None."""
    if source is None:
        return None
    if not isinstance(source, LocationSourceConfig):
        return Fixed(source)
    altitude = within(source.altitude) if source.altitude else None
    return Position(within(source.longitude), within(source.latitude), altitude)


_BY_EUI = FromField(Path("the DevEUI", ()))  # an uplink says itself whose it is

_TOLD: Mapping[str, Source] = {
    "batteryLevel": Source(Path("batteryLevel", (STATE, "batteryLevel")), "1"),
    "deviceState": Source(Path("deviceState", (STATE, FRAMES))),
    "rssi": Source(Path("rssi", (STATE, SIGNAL)), "dBm"),
}
"""What a network tells of a device's state; what the device tells itself goes before it."""

_GATEWAY = Binding(
    name="gateway",
    version="1",
    model=DEVICE,
    device=_BY_EUI,
    attributes={"deviceState": Source(Path("deviceState", (STATE, "deviceState")))},
    location=Position(Path("longitude", (STATE, LONGITUDE)), Path("latitude", (STATE, LATITUDE))),
    stated={"controlledProperty": ["location"]},
)
"""A gateway is a device too. The model wants a property that it senses: where it stands, which many do by GPS."""


class Compiler:
    """Compiles for one feed. shared: with the worker's other feeds; None, to look at."""

    def __init__(self, config: Config, feed: str, shared: WorkerContext | None = None) -> None:
        shared = shared or WorkerContext(CurrentRegistry(config.registered))
        self._config = config
        self._feed = feed
        self._room = shared.rooms.entities
        self._store, self._directory, self._frames = shared.store, shared.directory, shared.frames
        self._strangers, self._watch, self._names = shared.strangers, shared.watch, shared.names
        self._fans: dict[tuple[str, str | None], CompiledConnector] = {}

    def plan(self, name: str) -> Plan:
        """Return the plan of a connector under `connectors`; of a vendor's, its first observation's, to look at."""
        declared = self._config.connectors[name]
        if isinstance(declared, UsedConnectorConfig):
            fan = self.fan(declared)
            first = fan.plans[0].binding
            return self._plan(replace(first, decode=lambda payload: listed(fan.readings(Message("", payload, 0)))[0]))
        return self._plan(inline_binding(name, declared, MODELS[declared.model]))

    def fan(self, used: UsedConnectorConfig) -> CompiledConnector:
        """Return the plans of a vendor's connector, for messages of routes."""
        device = device_binding(used, MODELS)
        return CompiledConnector(
            decode=judge_connectors.declared(used).decode,
            plans=tuple(self._plan(each, presented=device is not None) for each in vendor_bindings(used, MODELS)),
            envelope=envelope(used),
            device=None if device is None else self._plan(device),
            states=None if device is None else self._states(used),
            family=None if device is None else self._plan(family_binding(used)),
        )

    def uplink_fan(self, name: str, model: str | None = None) -> CompiledConnector:
        """Return the plans of a connector, for uplinks of a network; compiled once.

        Args:
            name: The name under `connectors`, or `vendor/device`.
            model: Replaces the connector's first model.

        Raises:
            PayloadError: There is no such connector (`connector_unknown`).
        """
        place = name, model
        if place not in self._fans:
            self._fans[place] = self._uplink_fan(name, model)
        return self._fans[place]

    def _uplink_fan(self, name: str, model: str | None) -> CompiledConnector:
        declared = self._config.connectors.get(name) or self._found(name)
        if isinstance(declared, InlineConnectorConfig):
            bindings = [inline_binding(name, declared, MODELS[declared.model])]
            decode: Callable[[Uplink], Decoded] = _decoded_by_server
            device, family, states = None, None, DeviceStates({}, DEVICE_INTERVAL, self._store)
            controls: tuple[str, ...] = ()
        else:
            bindings = vendor_bindings(declared, MODELS)
            decode, device = judge_connectors.declared(declared).decode, device_binding(declared, MODELS)
            family, states = self._plan(family_binding(declared)), self._states(declared)
            controls = judge_connectors.declared(declared).controls
        if model is not None:
            bindings[0] = replace(bindings[0], model=model)
        bindings = [replace(each, device=_BY_EUI) for each in bindings]
        return CompiledConnector(
            decode=decode,
            plans=tuple(self._plan(each, presented=True) for each in bindings),
            device=self._plan(_with_network(device, bindings, controls)),
            states=states,
            family=family,
            network=self._network,
        )

    def gateways(self) -> CompiledConnector:
        """Return the plan of the Device entities of gateways."""
        return CompiledConnector(
            _nothing, (), device=self._plan(_GATEWAY), states=DeviceStates({}, DEVICE_INTERVAL, self._store)
        )

    def _network(self, uplink: Uplink) -> dict[str, Any]:
        """Return what the network knows of a device: how strongly it is heard, and what its frame counter tells."""
        heard = [each.rssi for each in uplink.receptions() if each.rssi is not None]
        known: dict[str, Any] = {SIGNAL: max(heard)} if heard else {}
        counted = self._frames.find(uplink.device)
        return known if counted is None else {**known, FRAMES: counted.text()}

    def _found(self, name: str) -> UsedConnectorConfig:
        used = judge_connectors.alone(name, self._config.found)
        if used is None:
            raise PayloadError(f"There is no connector {name}.", Reason.CONNECTOR_UNKNOWN)
        return used

    def _states(self, used: UsedConnectorConfig) -> DeviceStates:
        told = judge_connectors.declared(used).device
        paths = {name: field_path(each.field) for name, each in told.items()}
        return DeviceStates(paths, used.device_interval, self._store)

    def _plan(self, binding: Binding, *, presented: bool = False) -> Plan:
        model = MODELS[binding.model]
        stream = self._config.stream(model.name)
        no_device = binding is _GATEWAY or model.name == DEVICE_MODEL
        watch, called = NoDeviceWatch() if no_device else self._watch, (binding.name, model.name)
        spec = PlanSpec(
            binding=binding,
            model=model,
            slots=slots_of(binding, model),
            tenant=self._config.tenant,
            feed=self._feed,
            topic=self._config.topic(model.name),
            terms=stream,
            area=WORLD if self._config.area is None or no_device else Area(*self._config.area),
            encoder=FORMS[stream.format],
        )
        plan = Plan(
            spec,
            lookup=_no_device if no_device else self._registered,
            seen=lambda key: watch.find(key, called),
            room=self._room,
            names=self._names,
            presented=presented,
        )
        self._directory.on_change(plan.forget)
        return plan

    def _registered(self, name: object) -> Device | None:
        """Look a device up.

        Raises:
            PayloadError: it is not in the registry, and must be (`device_unknown`).
        """
        device = self._directory.find(name)
        if device is None and not self._config.accepts_unknown and device_key(name):
            self._strangers.note(str(name), Names(), CLOCK.now())
            raise PayloadError(f"The registry has no device {name}.", Reason.DEVICE_UNKNOWN)
        return device


def format_fan(plan: Plan, name: str, registry: ConnectorCatalogue) -> CompiledConnector:
    """Return what makes the records of an inline connector whose payloads are of another format than JSON."""
    return CompiledConnector(decode=find(name, registry).decode, plans=(plan,))


def _no_device(_: object) -> None:
    """Find no device: the entity is not in the registry."""


def _nothing(_: Uplink) -> Fields:
    return {}


def _decoded_by_server(uplink: Uplink) -> Fields:
    if uplink.fields is None:
        detail = "Expected what the network server has decoded: the connector has no decoder, and there is nothing."
        raise PayloadError(detail, Reason.NOTHING_MEASURED)
    return uplink.fields


def _with_network(own: Binding | None, bindings: list[Binding], controls: tuple[str, ...]) -> Binding:
    """Return the binding of the Device entity: what the device tells itself, and what its network tells of it.

    controls: what it measures, where its connector says so.
    """
    if own is not None:
        return replace(own, device=_BY_EUI, attributes={**_TOLD, **own.attributes})
    first = bindings[0]
    mapped = [attribute for each in bindings for attribute in each.attributes]
    units = [source.unit for each in bindings for name, source in each.attributes.items() if name == "numValue"]
    return Binding(
        name=first.name,
        version=first.version,
        model=DEVICE,
        device=_BY_EUI,
        attributes=_TOLD,
        located=False,
        stated={"controlledProperty": list(controlled_properties(mapped, units, controls))},
        related={} if "/" not in first.name else {"refDeviceModel": (DEVICE_MODEL, first.name)},
    )


def connectors_of(config: Config) -> list[str]:
    """Return the names of all connectors that an uplink's device may have."""
    return [*config.connectors, *config.found.names]
