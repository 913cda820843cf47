"""Vendors' connectors as a configuration uses them: judged, and bound to a feed's ways as the engine takes them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path as File

from pipeline.config import extended
from pipeline.config.findings import Finding, Place, did_you_mean, one_of, shown
from pipeline.config.root import Config
from pipeline.config.used import PayloadSource, UsedConnector
from pipeline.core.errors import ConfigError
from pipeline.models.base import Model
from pipeline.plugins.registry import Registry
from pipeline.sdk.connector import Connector, Observation

_SHOWN = 12


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
