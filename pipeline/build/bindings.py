"""From what the configuration declares of a connector to what the engine takes: bindings."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import replace

import orjson

from pipeline.config.connectors import DeviceSource, InlineConnector, Location, LocationSource, Observed, TimeSource
from pipeline.config.root import AnyConnector
from pipeline.config.used import DEVICE, DEVICE_MODEL, PayloadSource, UsedConnector
from pipeline.config.values import field_path
from pipeline.config.vendors import declared, period
from pipeline.core.field_path import Path
from pipeline.devices.state import STATE
from pipeline.models import device_model
from pipeline.models.base import Model
from pipeline.models.device import controlled_properties
from pipeline.normalise.binding import Binding, Fixed, FromField, FromTopic, ObservedAt, Position, Source
from pipeline.normalise.envelope import Envelope
from pipeline.sdk.connector import Attribute

Within = Callable[[str], Path]
_OF_UPLINK = FromField(Path("the DevEUI", ()))
"""Of an entry that no route leads to: an uplink says itself whose it is."""
_ANY = "numValue"  # of a DeviceMeasurement: a value of any kind


def inline_binding(name: str, config: InlineConnector, model: Model) -> Binding:
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


def version(config: InlineConnector) -> str:
    """Return eight hexadecimal digits that change when what the connector does changes."""
    content = config.model_dump(mode="json", exclude_defaults=True)
    return hashlib.sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).hexdigest()[:8]


def vendor_bindings(config: UsedConnector, models: Mapping[str, Model]) -> list[Binding]:
    """Return the binding of each observation, the first one's first."""
    connector = declared(config)
    return [
        _binding(config, models[each.model], _sources(each.attributes), period(config, each, models[each.model]))
        for each in connector.observed()
    ]


def device_binding(config: UsedConnector, models: Mapping[str, Model]) -> Binding | None:
    """Return the binding of the Device entity, or None if the connector tells nothing of the device."""
    connector = declared(config)
    if not connector.device or DEVICE not in models:
        return None
    sources = {
        name: Source(Path(source.path.text, (STATE, name)), source.unit)
        for name, source in _sources(connector.device).items()
    }
    return replace(_binding(config, models[DEVICE], sources), related={"refDeviceModel": (DEVICE_MODEL, config.use)})


def family_binding(config: UsedConnector) -> Binding:
    """Return the binding of the DeviceModel entity, which is named as the configuration names the device."""
    vendor, _, product = config.use.partition("/")
    return Binding(
        name=config.use,
        version=declared(config).version,
        model=DEVICE_MODEL,
        device=device(config),
        attributes={},
        located=False,
        stated=device_model.stated(vendor, product, controlled(config)),
    )


def controlled(config: UsedConnector) -> tuple[str, ...]:
    """Return what the device measures, in the words of the Device's schema."""
    connector = declared(config)
    units = [each.attributes[_ANY].unit for each in connector.observed() if _ANY in each.attributes]
    return controlled_properties(_mapped(config), units, connector.controls)


def _mapped(config: UsedConnector) -> list[str]:
    return [attribute for each in declared(config).observed() for attribute in each.attributes]


def envelope(config: UsedConnector) -> Envelope:
    """Return how the device's bytes stand in a message."""
    payload = config.payload
    if not isinstance(payload, PayloadSource):
        return Envelope(payload)
    port = None if config.port is None else field_path(config.port.field)
    return Envelope(payload.encoding, field_path(payload.field), port)


def _binding(
    config: UsedConnector, model: Model, sources: Mapping[str, Source], period: float | None = None
) -> Binding:
    connector = declared(config)
    is_device = model.name == DEVICE
    return Binding(
        name=config.use,
        version=connector.version,
        model=model.name,
        device=device(config),
        attributes=sources,
        observed_at=observed_at(config),
        period=period,
        location=None if is_device else location(config),
        located=not is_device,
        stated={"controlledProperty": list(controlled(config))} if is_device else {},
    )


def _sources(attributes: Mapping[str, Attribute]) -> dict[str, Source]:
    return {name: Source(field_path(each.field), each.unit) for name, each in attributes.items()}


def device(config: UsedConnector) -> FromField | FromTopic:
    """Return where the device's name comes from."""
    return _OF_UPLINK if config.device is None else device_of(config.device, _within(config))


def observed_at(config: AnyConnector) -> ObservedAt | None:
    """Return where the time comes from: the operator's word, else the vendor's; None for arrival."""
    if not isinstance(config, UsedConnector):
        return observed_at_of(config.observed_at)
    time = declared(config).time
    if config.observed_at is None and time is not None:
        return ObservedAt(field_path(time.field), time.unit, config.max_age, optional=True)
    return observed_at_of(config.observed_at, _within(config))


def location(config: AnyConnector) -> Position | Fixed | None:
    """Return where the location comes from: the operator's word, else the vendor's."""
    if not isinstance(config, UsedConnector):
        return location_of(config.location)
    place = declared(config).place
    if config.location is None and place is not None:
        altitude = None if place.altitude is None else field_path(place.altitude)
        return Position(field_path(place.longitude), field_path(place.latitude), altitude)
    return location_of(config.location, _within(config))


def _within(config: UsedConnector) -> Callable[[str], Path]:
    """Compile the operator's paths, which lead into the object that wraps the payload, where one does."""
    opened = envelope(config)
    return lambda text: opened.within(field_path(text))


def device_of(source: DeviceSource, within: Within = field_path) -> FromField | FromTopic:
    """Return where the device's name comes from; within: how a path is compiled."""
    if source.field is not None:
        return FromField(within(source.field))
    return FromTopic(str(source.topic))


def observed_at_of(source: Observed | None, within: Within = field_path) -> ObservedAt | None:
    """Return where the time comes from, or None for arrival."""
    if not isinstance(source, TimeSource):
        return None
    return ObservedAt(within(source.field), source.format or str(source.unit), source.max_age)


def location_of(source: Location | None, within: Within = field_path) -> Position | Fixed | None:
    """Return where the location comes from, or None."""
    if source is None:
        return None
    if not isinstance(source, LocationSource):
        return Fixed(source)
    altitude = within(source.altitude) if source.altitude else None
    return Position(within(source.longitude), within(source.latitude), altitude)
