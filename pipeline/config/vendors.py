"""Vendors' connectors as a configuration uses them: judged, and bound to a feed's ways as the engine takes them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path as File

from pipeline.binding import Binding, Fixed, FromField, FromTopic, ObservedAt, Path, Position, Source
from pipeline.config import extended
from pipeline.config.findings import Finding, Place, did_you_mean, one_of, shown
from pipeline.config.inline import device_of, location_of, observed_at_of
from pipeline.config.root import AnyConnector, Config
from pipeline.config.used import DEVICE, DEVICE_MODEL, PayloadSource, UsedConnector
from pipeline.config.values import field_path
from pipeline.connector import Attribute, Connector, Observation
from pipeline.device_state import STATE
from pipeline.envelope import Envelope
from pipeline.errors import ConfigError
from pipeline.models import device_model
from pipeline.models.base import Model
from pipeline.models.device import controlled_properties
from pipeline.registry import Registry

_SHOWN = 12
_ANY = "numValue"  # of a DeviceMeasurement: a value of any kind
_OF_UPLINK = FromField(Path("the DevEUI", ()))
"""Of an entry that no route leads to: an uplink says itself whose it is."""


def judge(
    name: str,
    config: UsedConnector,
    registry: Registry,
    models: Mapping[str, Model],
    supplied: frozenset[str] = frozenset(),
) -> Iterator[Finding]:
    """Yield everything that is wrong with an entry that names a vendor's connector.

    supplied: what devices of the registry supply that have this connector: `location`, or attributes.
    """
    place: Place = ("connectors", name)
    if config.port is not None and not isinstance(config.payload, PayloadSource):
        fix = "Write `payload: {field: data, encoding: base64}` with the field of the bytes, or remove it."
        yield Finding((*place, "port"), "means nothing: only JSON that wraps the payload can hold it.", fix)
    connector = config.connector
    if connector is None:
        yield _absent((*place, "use"), config.use, registry)
        return
    yield from (each for each in _added(name, config) if each.severity == "error")
    if config.location is None and connector.place is None and "location" not in supplied:
        needy = [each.model for each in connector.observed() if models[each.model].location_required]
        if needy:
            said = f"is required by {' and '.join(needy)}, and `{config.use}` does not send it."
            fix = "Add `location: [lon, lat]`, where the devices stand, or the fields that say so."
            yield Finding((*place, "location"), said, fix)
    yield from _period(place, config, models)


def _added(name: str, config: UsedConnector) -> Iterator[Finding]:
    if config.vendors_own is not None:
        yield from extended.judge(("connectors", name, "attributes"), config.vendors_own, config.attributes)


def doubts(config: Config) -> Iterator[Finding]:
    """Yield a warning for each attribute whose field no example of its connector shows, but a payload may have."""
    for name, used in config.connectors.items():
        if isinstance(used, UsedConnector):
            yield from (each for each in _added(name, used) if each.severity == "warning")


def _period(place: Place, config: UsedConnector, models: Mapping[str, Model]) -> Iterator[Finding]:
    observed = declared(config).observed()
    covering = [each for each in observed if models[each.model].covers]
    if config.period is not None and not covering:
        names = " and ".join(each.model for each in observed)
        said = f"means nothing here: `{config.use}` makes {names}, which has no beginning and end."
        yield Finding((*place, "period"), said, "Remove it.")
    needy = [each.model for each in covering if each.period is None]
    if needy and config.period is None:
        said = f"is missing: a {needy[0]} has a beginning and an end, and `{config.use}` does not say how far apart."
        fix = "Add `period: 5min`, the time that one reading covers, up to its own."
        yield Finding((*place, "period"), said, fix)


def period(config: UsedConnector, observation: Observation, model: Model) -> float | None:
    """Return the seconds that a reading covers: the operator's word, else the vendor's; None where it covers none."""
    return (config.period or observation.period) if model.covers else None


def _absent(place: Place, name: str, registry: Registry) -> Finding:
    fault = registry.fault(name)
    if fault is not None:
        return Finding(place, f"{shown(name, place)} is broken: {fault}")
    meant = did_you_mean(name, registry.names)
    if meant:
        fix = f"Did you mean `{meant}`?"
    else:
        known = registry.names
        more = f" and {len(known) - _SHOWN} more" if len(known) > _SHOWN else ""
        fix = f"There is {one_of(known[:_SHOWN])}{more}; `headrace connectors list` shows all."
    return Finding(place, f"{shown(name, place)} is no device connector that was found.", fix)


def paths(config: Config) -> Iterator[Finding]:
    """Yield the folders of connectors that are none."""
    for at, path in enumerate(config.connector_paths):
        if not File(path).is_dir():
            fix = "Mend it; a relative one is taken from the folder of this file."
            yield Finding(("connector_paths", at), f"{shown(path, ())} is no folder.", fix)


def broken(config: Config, registry: Registry) -> Iterator[Finding]:
    """Yield a warning for each connector in the operator's own folders that cannot be used."""
    for at, path in enumerate(config.connector_paths):
        for each in registry.broken:
            if File(path) in File(each.file).parents:
                yield Finding(("connector_paths", at), f"holds a broken connector: {each}", severity="warning")


def bindings(config: UsedConnector, models: Mapping[str, Model]) -> list[Binding]:
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


def alone(name: str, registry: Registry) -> UsedConnector | None:
    """Return the use of a vendor's connector without an entry of its own, for devices that say who they are."""
    if registry.get(name) is None:
        return None
    return UsedConnector.model_validate({"use": name, "device": {"field": "device"}}, context={"registry": registry})


def declared(config: UsedConnector) -> Connector:
    """Return the vendor's declaration.

    Raises:
        ConfigError: there is none, which `judge` says with a sentence.
    """
    if config.connector is None:
        raise ConfigError(f"`{config.use}` is no device connector that was found.")
    return config.connector


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
